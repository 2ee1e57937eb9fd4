"""Decisions: only ever added, they may end, and the newest audit shows what holds."""

from datetime import date, timedelta

import pytest

from auditor.ledger import Told
from auditor.records import TAG, Decision, Said, Statement, Verdict
from tests.ledger.makers import DAY, START, TODAY, audited, note, version, versions

TOMORROW, IN_A_WEEK = TODAY + timedelta(days=1), TODAY + timedelta(days=7)


def decided(*, accept: bool, until: date | None = None, days: float = 0) -> Decision:
    return Decision(accept, "ann", "because", START + DAY * days, until)


def hear(ledger, of, statement, *, days=0, sinks=()):
    told = Told(said=[Said(of, statement)])
    ledger.note("mlflow", told, START + DAY * days, history=None, sinks=sinks)


@pytest.fixture
def blocked(ledger):
    ledger.save(version(1), audited(version(1), verdict=Verdict.BLOCK), sinks=["files"], at=START)
    return ledger


def test_acceptance_holds_until_the_end_of_its_last_day(blocked):
    blocked.decide(version(1), decided(accept=True, until=IN_A_WEEK))
    assert blocked.may_be_baseline(version(1), IN_A_WEEK)
    assert blocked.previous(version(2), IN_A_WEEK) == version(1)
    after = IN_A_WEEK + timedelta(days=1)
    assert not blocked.may_be_baseline(version(1), after)
    assert blocked.previous(version(2), after) is None
    assert blocked.decision(version(1), after) is None
    assert len(blocked.decisions("mlflow", "digits")) == 1


def test_after_its_end_what_was_decided_before_holds_again(blocked):
    blocked.decide(version(1), decided(accept=False))
    blocked.decide(version(1), decided(accept=True, until=TOMORROW))
    assert blocked.decision(version(1), TODAY).accept
    assert not blocked.decision(version(1), IN_A_WEEK).accept


def test_newest_audit_is_shown_with_the_decision_and_goes_out_again(blocked):
    before = blocked.latest(version(1))
    said = decided(accept=True, until=IN_A_WEEK, days=1)
    blocked.decide(version(1), said, sinks=["files"])
    after = blocked.latest(version(1))
    assert after["decision"] == {
        "accept": True,
        "by": "ann",
        "reason": "because",
        "at": said.at.isoformat(),
        "until": IN_A_WEEK.isoformat(),
        "via": "command",
    }
    assert after["id"] != before["id"]
    same = before.keys() - {"id", "decision", "timing"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert blocked.audit(before["id"])["decision"] is None  # what was said stays said
    waiting = blocked.due(START + 2 * DAY)
    assert [one.audit_id for one in waiting] == [after["id"]]


def test_decision_on_a_version_that_waits_for_its_audit_is_shown_with_it(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    ledger.decide(version(1), decided(accept=False))
    assert ledger.latest(version(1)) is None
    ledger.save(version(1), audited(version(1)), sinks=[], at=START + DAY)
    assert ledger.latest(version(1))["decision"]["accept"] is False


def test_audit_that_is_saved_after_a_decision_ended_does_not_show_it(blocked):
    blocked.decide(version(1), decided(accept=True, until=TOMORROW))
    later = START + DAY * 30
    blocked.save(version(1), audited(version(1), policy="other"), sinks=[], at=later)
    assert blocked.latest(version(1))["decision"] is None


def test_what_a_tag_says_is_one_decision_however_often_it_is_told(blocked):
    said = Statement(accept=True, by="ann", reason="fine")
    for day in range(3):
        hear(blocked, version(1), said, days=day, sinks=["files"])
    (found,) = blocked.decisions("mlflow")
    assert found.decision == Decision(accept=True, by="ann", reason="fine", at=START, via=TAG)
    assert blocked.latest(version(1))["decision"]["via"] == TAG
    assert blocked.may_be_baseline(version(1), TODAY)


def test_tag_that_says_something_else_takes_the_place_of_what_it_said(blocked):
    hear(blocked, version(1), Statement(accept=True, by="ann", reason="fine"))
    hear(blocked, version(1), Statement(accept=True, by="ann", reason="fine", until=TOMORROW))
    assert blocked.decision(version(1), TODAY).until == TOMORROW
    assert blocked.decision(version(1), IN_A_WEEK) is None  # not what it said first


def test_tag_that_is_removed_takes_back_what_it_said_and_nothing_else(blocked):
    blocked.decide(version(1), decided(accept=False))
    hear(blocked, version(1), Statement(accept=True, by="ann", reason="fine"))
    assert blocked.decision(version(1), TODAY).accept
    assert blocked.known("mlflow").tagged() == [version(1)]
    hear(blocked, version(1), None, days=1)
    assert blocked.known("mlflow").tagged() == []
    hear(blocked, version(1), None, days=2)
    assert blocked.decision(version(1), IN_A_WEEK) == decided(accept=False)
    rows = [one.decision for one in blocked.decisions("mlflow")]
    assert [row.is_withdrawal for row in rows] == [False, False, True]
    assert blocked.latest(version(1))["decision"]["accept"] is False


def test_tag_on_a_version_nobody_knows_is_nothing(ledger):
    hear(ledger, version(1), Statement(accept=True, by="ann", reason="fine"))
    hear(ledger, version(1), None)
    assert ledger.decisions("mlflow") == []


def test_tag_is_heard_with_the_version_it_is_on(ledger):
    said = Said(version(1), Statement(accept=True, by="ann", reason="fine"))
    ledger.note("mlflow", Told([version(1)], said=[said]), START, history=None)
    assert ledger.decision(version(1), TODAY).accept


def test_decisions_are_told_by_model_in_the_order_they_were_made(ledger):
    note(ledger, "mlflow", [*versions(1, 2), version(1, "other")], None, None, START)
    ledger.decide(version(2), decided(accept=True))
    ledger.decide(version(1), decided(accept=False))
    ledger.decide(version(1, "other"), decided(accept=True))
    told = ledger.decisions("mlflow", "digits")
    assert [(one.version, one.decision.accept) for one in told] == [
        (version(2), True),
        (version(1), False),
    ]
    assert len(ledger.decisions("mlflow")) == 3
    assert ledger.decisions("hub") == []


def test_decision_makes_no_news(blocked):
    """Who watches hears of verdicts; the audit that shows a decision has the same one."""
    last = blocked.newest_audit()
    blocked.decide(version(1), decided(accept=True))
    (audit,) = blocked.audited(last, ())
    (before,) = blocked.before([audit])
    assert before.verdict == audit.verdict == "BLOCK"


def test_pinned_weights_are_found_by_the_beginning_of_their_digest(ledger):
    for number in (1, 2):
        ledger.save(version(number), audited(version(number), weights="a"), sinks=[], at=START)
    ledger.save(version(3), audited(version(3), weights="b"), sinks=[], at=START)
    digest = ledger.latest(version(1))["weights"]["digest"]
    found = ledger.with_weights(digest[:12])
    assert found == [(version(2), digest), (version(1), digest)]
    assert ledger.with_weights(digest) == found
    assert ledger.with_weights("0" * 64) == []
