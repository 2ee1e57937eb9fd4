"""Decisions said to the service: who may, what is kept, and that they are told where asked."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.app import now
from auditor.gate import Service
from auditor.ledger import Told, Wanted
from auditor.records import Decision, Seen, Verdict
from auditor.web import House
from auditor.web.tokens import Role, add
from tests.ledger.makers import audited
from tests.web.houses import Asked, Clock, house, models, served

DECISIONS = "/api/v1/decisions"
TODAY = now().date()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def running(at: Path, clock: Clock) -> Iterator[Asked]:
    """A folder with two versions; the first was audited and is BLOCK."""
    with house(at, models(at), clock=clock) as found:
        audit_first(found)
        with served(replace(found, sinks=("files",))) as asked:
            yield asked


def audit_first(found: House) -> None:
    source = found.sources["folder"]
    there = [one.version for one in source.changes(None) if isinstance(one, Seen)]
    found.ledger.note("folder", Told(there), now(), history=None)
    document = audited(there[0], verdict=Verdict.BLOCK)
    found.ledger.save(there[0], document, sinks=[], at=now())


@pytest.fixture
def asked(tmp_path, clock) -> Iterator[Asked]:
    with running(tmp_path, clock) as found:
        yield found


@pytest.fixture(scope="module")
def refusing(tmp_path_factory) -> Iterator[Asked]:
    """One that is only told what it refuses."""
    with running(tmp_path_factory.mktemp("refusing"), Clock()) as found:
        yield found


def ref(asked: Asked, number: int) -> str:
    return str(asked.house.sources["folder"].root / "net" / str(number))  # type: ignore[attr-defined]


def said(asked: Asked, **more: object) -> dict[str, object]:
    return {"ref": ref(asked, 1), "accept": True, "reason": "evaluated", "by": "ann", **more}


def test_a_decision_is_kept_shown_and_goes_out(asked):
    day = TODAY + timedelta(days=3)
    answer = asked.post(DECISIONS, said(asked, until=str(day)))
    assert answer.status_code == 201
    found = answer.json()
    decision = found["decision"]
    assert (decision["accept"], decision["by"], decision["via"]) == (True, "ann", "api")
    assert (decision["until"], found["verdict"]) == (str(day), "BLOCK")
    page = asked.get(found["report"]).text
    assert f"Accepted until {day} by ann: evaluated" in page
    assert asked.get(f"/api/v1/audits/{found['audit']}").json()["decision"]["reason"] == "evaluated"
    assert asked.nudged.is_set()
    assert [one.sink for one in asked.house.ledger.due(now())] == ["files"]


def test_a_decision_that_ended_is_not_told_of_as_one_that_holds(asked, clock):
    asked.post(DECISIONS, said(asked, until=str(TODAY)))
    verdict = f"/api/v1/verdict?ref={ref(asked, 1)}"
    assert asked.get(verdict).json()["decision"]["by"] == "ann"
    assert "accepted until" in asked.get("/").text
    clock.ahead = timedelta(days=2)
    assert asked.get(verdict).json()["decision"] is None
    assert asked.get("/api/v1/versions").json()["versions"][-1]["decision"] is None
    assert "accepted until" not in asked.get("/").text


def test_the_gate_is_told_of_it(asked):
    asked.post(DECISIONS, said(asked, accept=False))
    found = Service(asked.url).standing(ref=ref(asked, 1))
    assert found.decision is not None
    assert found.decision.sentence == "rejected by ann: evaluated"


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"until": "2020-01-01"}, 422, "the last day 2020-01-01 is over"),
        ({"until": "soon"}, 422, "until"),
        ({"reason": " \n "}, 422, "needs a name and a reason"),
        ({"reason": ""}, 422, "reason"),
        ({"reason": "x" * 1001}, 422, "reason"),
        ({"accept": None}, 422, "accept"),
        ({"ref": "nowhere"}, 404, "no source has such a version"),
        ({"more": 1}, 422, "more"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(refusing, changed, status, words):
    answer = refusing.post(DECISIONS, said(refusing, **changed))
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert refusing.house.ledger.decisions("folder") == []


def test_a_version_that_was_never_audited_is_not_decided_on(refusing):
    answer = refusing.post(DECISIONS, said(refusing, ref=ref(refusing, 2)))
    assert (answer.status_code, "never audited" in answer.json()["error"]) == (404, True)


def test_who_holds_the_token_is_on_record(tmp_path):
    path = tmp_path / "tokens.json"
    texts = {role: add(path, f"the-{role.name.lower()}", role, now()) for role in Role if role}
    with ExitStack() as stack:
        found = stack.enter_context(house(tmp_path, models(tmp_path), tokens=path))
        audit_first(found)
        asked = stack.enter_context(served(found))
        for role, by, status in (
            (Role.READ, None, 403),
            (Role.ENQUEUE, "ann", 403),
            (Role.DECIDE, None, 201),
            (Role.DECIDE, "ann", 201),
            (Role.ADMIN, "the-admin", 201),
        ):
            mine = {"Authorization": f"Bearer {texts[role]}"}
            answer = asked.post(DECISIONS, said(asked, by=by), headers=mine)
            assert answer.status_code == status
        assert [one.decision.by for one in found.ledger.decisions("folder")] == [
            "the-decide",
            "ann (with the token of the-decide)",
            "the-admin",
        ]


def test_status_tells_of_decisions_that_hold(asked):
    asked.house.ledger.decide(
        asked.house.ledger.listed(Wanted(), limit=9)[-1].version,
        Decision(accept=True, by="ann", reason="fine", at=now(), until=TODAY),
    )
    latest = asked.get("/api/v1/status").json()["latest"][0]
    assert latest["decision"]["until"] == str(TODAY)
