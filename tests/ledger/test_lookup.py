import pytest

from auditor.ledger import Wanted
from auditor.records import Priority, Verdict
from tests.ledger.makers import DAY, HOUR, MINUTE, START, audited, note, version, versions


def numbers(stands) -> list[str]:
    return [f"{one.version.id.model}{one.version.id.version}" for one in stands]


@pytest.fixture
def filled(ledger):
    """Two versions of `a`, the first audited twice; three of `b`, the last one waiting alone."""
    note(ledger, "mlflow", versions(1, 2, model="a"), None, None, START)
    note(ledger, "mlflow", versions(1, 2, 3, model="b"), None, 1, START)
    for at, verdict, policy in ((START, Verdict.BLOCK, "p1"), (START + DAY, Verdict.PASS, "p2")):
        found = audited(version(1, "a"), verdict=verdict, policy=policy)
        ledger.save(version(1, "a"), found, sinks=[], at=at)
    return ledger


def test_every_version_is_listed_once_with_its_newest_audit(filled):
    found = filled.listed(Wanted(), limit=9)
    assert sorted(numbers(found)) == ["a1", "a2", "b1", "b2", "b3"]
    assert [one.number for one in found] == sorted((one.number for one in found), reverse=True)
    [verdict] = [one.verdict for one in found if one.verdict]
    assert (verdict.verdict, verdict.reason) == ("PASS", "because")
    assert verdict.saved_at == START + DAY


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(model="a"), ["a2", "a1"]),
        (Wanted(state="history"), ["b2", "b1"]),
        (Wanted(verdict="PASS"), ["a1"]),
        (Wanted(verdict="BLOCK"), []),  # it was, before the newest audit
        (Wanted(model="b", state="pending"), ["b3"]),
        (Wanted(source="hub"), []),
    ],
)
def test_only_what_is_wanted_is_listed(filled, wanted, expected):
    assert numbers(filled.listed(wanted, limit=9)) == expected


def test_pages_lead_through_everything_once(filled):
    found, before = [], None
    while page := filled.listed(Wanted(), limit=2, before=before):
        assert len(page) <= 2
        found += page
        before = page[-1].number
    assert found == filled.listed(Wanted(), limit=9)


def test_the_queue_is_in_the_order_of_claims(filled):
    filled.ask(version(3, "b"), Priority.ASKED)
    listed = numbers(filled.queue(9))
    claimed = []
    while claim := filled.claim(START, lease=HOUR, owner="me"):
        claimed.append(f"{claim.version.id.model}{claim.version.id.version}")
        filled.save(claim.version, audited(claim.version), sinks=[], at=START)
    assert listed == claimed == ["b3", "a2"]


def test_what_is_in_work_comes_first_and_says_since_when(filled):
    filled.ask(version(3, "b"), Priority.ASKED)
    filled.claim(START, lease=HOUR, owner="me", sources=["mlflow"])
    filled.ask(version(2, "a"), Priority.ASKED)
    first, second = filled.queue(9)
    assert (first.state, first.since, second.state) == ("running", START, "pending")
    assert len(filled.queue(1)) == 1


def test_problems_are_what_failed_or_ended_otherwise(filled):
    assert filled.troubled(9) == []
    filled.gone(version(2, "a"), "deleted")
    filled.claim(START, lease=HOUR, owner="me")
    filled.failed(version(3, "b"), "me", "no answer", START, max_attempts=3, pause=MINUTE)
    found = filled.troubled(9)
    assert [(one.state, one.attempts, one.reason) for one in found] == [
        ("pending", 1, "no answer"),
        ("gone", 0, "deleted"),
    ]
    assert found[0].next_at == START + MINUTE
    assert len(filled.troubled(1)) == 1


def test_a_version_is_found_by_itself_and_by_its_number(filled):
    found = filled.stand(version(1, "a"))
    assert found is not None
    assert filled.numbered(found.number) == found
    assert filled.stand(version(9, "a")) is None
    assert filled.numbered(10_000) is None
