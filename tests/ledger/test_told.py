"""What sources tell besides new versions: gone, renamed, in trouble."""

from dataclasses import replace
from typing import Any

import pytest

from auditor.ledger import Hint, Ledger, SourceState, Told
from auditor.records import Decision, Gone, ModelVersion, Renamed, Trouble, VersionId
from tests.ledger.makers import DAY, HOUR, MINUTE, START, TODAY, audited, note, version, versions


def tell(
    ledger: Ledger, *changes: Gone | Renamed | Trouble, seen: tuple[ModelVersion, ...] = ()
) -> int:
    return ledger.note("mlflow", Told(seen, changes), START, history=None)


def renamed(of: ModelVersion, model: str) -> ModelVersion:
    """The same version under another name of its model."""
    return replace(
        of,
        id=VersionId(of.id.source, model, of.id.version),
        uri=of.uri.replace(of.id.model, model),
    )


def claim(ledger: Ledger, owner: str = "me") -> Any:
    return ledger.claim(START, lease=HOUR, owner=owner)


def state(ledger: Ledger) -> SourceState:
    (found,) = ledger.sources()
    return found


@pytest.mark.parametrize("before", ["pending", "done", "quarantined", "history"])
def test_gone_version_is_known_no_more_and_never_tried(ledger, before):
    note(ledger, "mlflow", versions(1), None, 0 if before == "history" else None, START)
    if before == "done":
        ledger.save(version(1), audited(version(1)), sinks=[], at=START)
    elif before == "quarantined":
        claim(ledger)
        ledger.failed(version(1), "me", "no luck", START, max_attempts=1, pause=MINUTE)
    assert ledger.states()[before] == 1
    assert tell(ledger, Gone(version(1), "deleted")) == 0
    known = ledger.known("mlflow")
    assert (known.models(), known.versions("digits")) == (set(), [])
    assert ledger.states()["gone"] == 1
    assert claim(ledger) is None
    assert [problem.reason for problem in ledger.problems()] == ["deleted"]


def test_gone_version_in_work_ends_by_itself(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    claim(ledger)
    tell(ledger, Gone(version(1), "deleted"))
    assert ledger.states()["running"] == 1
    assert ledger.save(version(1), audited(version(1)), sinks=[], at=START, owner="me")
    tell(ledger, Gone(version(1), "deleted"))  # it is still known, so that it is told again
    assert ledger.states()["gone"] == 1
    assert ledger.latest(version(1)) == audited(version(1))


def test_gone_version_lets_the_later_one_go_on(ledger):
    note(ledger, "mlflow", versions(1, 2), None, None, START)
    tell(ledger, Gone(version(1), "deleted"))
    assert claim(ledger).version == version(2)


@pytest.mark.parametrize("was_audited", [True, False])
def test_version_that_is_back_waits_only_where_it_was_never_audited(ledger, was_audited):
    note(ledger, "mlflow", versions(1), None, None, START)
    if was_audited:
        ledger.save(version(1), audited(version(1)), sinks=[], at=START)
    tell(ledger, Gone(version(1), "private"))
    tell(ledger, seen=(version(1),))
    assert ledger.known("mlflow").versions("digits") == [version(1)]
    assert ledger.problems() == []
    assert (claim(ledger) is None) == was_audited


def test_version_nobody_met_cannot_go_nor_change_its_name(ledger):
    tell(ledger, Gone(version(1), "deleted"), Renamed(version(2), renamed(version(2), "letters")))
    assert sum(ledger.states().values()) == 0


def test_renamed_version_keeps_its_audit_its_decision_and_its_place(ledger):
    note(ledger, "mlflow", versions(1, 2), None, None, START)
    for number in (1, 2):
        ledger.save(version(number), audited(version(number)), sinks=[], at=START)
    ledger.decide(version(1), Decision(accept=True, by="ann", reason="fine", at=START))
    after = [renamed(of, "letters") for of in versions(1, 2, 3)]
    changes = [Renamed(version(number), after[number - 1]) for number in (1, 2)]
    assert tell(ledger, *changes, seen=tuple(after)) == 1  # 3 is new
    latest = ledger.latest(after[0])
    assert latest is not None
    assert latest["findings"] == audited(version(1))["findings"]
    assert latest["decision"]["by"] == "ann"
    decision = ledger.decision(after[0], TODAY)
    assert decision is not None
    assert decision.by == "ann"
    assert ledger.previous(after[2], TODAY) == after[1]
    assert [point.version for point in ledger.trend(after[2], 9)] == ["1", "2"]
    known = ledger.known("mlflow")
    assert known.models() == {"letters"}
    assert known.versions("letters") == after
    assert claim(ledger).version == after[2]


def test_version_renamed_while_it_is_in_work_is_done_once_by_its_new_name(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    claim(ledger)
    after = renamed(version(1), "letters")
    tell(ledger, Renamed(version(1), after))
    assert not ledger.renew(version(1), "me", START, HOUR)
    assert not ledger.save(version(1), audited(version(1)), sinks=["files"], at=START, owner="me")
    ledger.gone(version(1), "404", "me")
    ledger.refused(version(1), "elsewhere", "me")
    ledger.postpone(version(1), "me", "503", START)
    ledger.release(version(1), "me")
    assert not ledger.failed(version(1), "me", "404", START, max_attempts=1, pause=MINUTE)
    assert sum(ledger.states().values()) == 1
    assert claim(ledger).version == after
    assert ledger.save(after, audited(after), sinks=["files"], at=START, owner="me")
    assert len(ledger.due(START)) == 1


def test_name_that_is_known_already_is_not_taken_twice(ledger):
    after = renamed(version(1), "letters")
    note(ledger, "mlflow", [version(1), after], None, None, START)
    tell(ledger, Renamed(version(1), after))
    assert ledger.known("mlflow").models() == {"letters"}
    (problem,) = ledger.problems()
    assert problem.reason == "goes by the name mlflow:letters@1 now"
    assert claim(ledger).version == after
    assert claim(ledger) is None


def test_trouble_of_a_model_stays_until_it_is_over_or_seen(ledger):
    tell(ledger, Trouble("a", "gated"), Trouble("b", "private"))
    tell(ledger, Trouble("a", "disabled"))
    assert state(ledger).troubles == {"a": "disabled", "b": "private"}
    tell(ledger, Trouble("a", ""), seen=(version(1, "b"),))
    assert state(ledger).troubles == {}


def test_remarks_stay_until_there_are_new_ones(ledger):
    ledger.note("mlflow", Told(remarks={"rate limit": "9 of 10"}), START, history=None)
    ledger.note("mlflow", Told(cursor="x"), START, history=None)
    assert state(ledger).remarks == {"rate limit": "9 of 10"}
    ledger.note("mlflow", Told(remarks={}), START, history=None)
    assert state(ledger).remarks == {}


def test_look_that_goes_on_is_no_success_yet(ledger):
    ledger.unreachable("mlflow", "503", START)
    ledger.note("mlflow", Told(cursor="page 1", ended=False), START + HOUR, history=None)
    found = state(ledger)
    assert (found.cursor, found.last_success, found.last_error) == ("page 1", None, "503")
    ledger.note("mlflow", Told(cursor="page 2"), START + DAY, history=None)
    found = state(ledger)
    assert (found.cursor, found.last_success, found.last_error) == ("page 2", START + DAY, None)


def test_what_waited_for_a_source_is_due_when_it_is_back(ledger):
    note(ledger, "mlflow", versions(1, 2), None, None, START)
    claim(ledger)
    ledger.save(version(1), audited(version(1)), sinks=["mlflow"], at=START)
    (delivery,) = ledger.due(START)
    ledger.undelivered(delivery.id, "503", START, HOUR)
    claim(ledger)
    ledger.postpone(version(2), "me", "503", START)
    ledger.unreachable("mlflow", "503", START)
    assert (claim(ledger), ledger.due(START)) == (None, [])
    note(ledger, "mlflow", [], None, None, START)
    assert len(ledger.due(START)) == 1
    assert claim(ledger).version == version(2)


def test_what_is_told_after_a_hint_says_nothing_of_the_source(ledger):
    told = Told(versions(1), cursor="page 9", remarks={"x": "y"})
    assert ledger.hinted("mlflow", told, START, history=None) == 1
    assert ledger.sources() == []


# --- hints ----------------------------------------------------------------------------------


def test_hint_that_comes_again_is_the_same_one(ledger):
    hint = Hint("delivery-7", "mlflow", "digits", START)
    assert ledger.hint(hint)
    assert not ledger.hint(replace(hint, received_at=START + HOUR))
    assert ledger.hints() == [hint]
    ledger.followed("mlflow", "digits", START, START)
    assert not ledger.hint(hint)
    assert ledger.hints() == []


def test_hint_received_after_the_look_began_waits_for_the_next_one(ledger):
    early, late = (
        Hint(name, "mlflow", "digits", START + n * MINUTE) for n, name in enumerate("ab")
    )
    other = Hint("c", "mlflow", "letters", START)
    for hint in (late, early, other):
        ledger.hint(hint)
    assert ledger.hints() == [early, other, late]
    ledger.followed("mlflow", "digits", START, START + HOUR)
    assert ledger.hints() == [other, late]
    ledger.followed("hub", "letters", START + DAY, START + DAY)
    assert ledger.hints() == [other, late]


# --- what people ask of a source --------------------------------------------------------------


def test_source_is_paused_and_asked_for_before_it_was_ever_met(ledger):
    ledger.pause("mlflow", paused=True)
    ledger.ask_look("mlflow", START)
    assert state(ledger) == SourceState(
        "mlflow", None, None, None, None, paused=True, asked_at=START
    )
    note(ledger, "mlflow", versions(1), "page 1", None, START)
    assert (state(ledger).paused, state(ledger).asked_at) == (True, START)
    ledger.pause("mlflow", paused=False)
    ledger.ask_look("mlflow", None)
    assert (state(ledger).paused, state(ledger).asked_at) == (False, None)


def test_names_longer_than_any_index_hide_no_others(ledger):
    """A name of 10,000 letters was an error of PostgreSQL, and ended every look at its source."""
    letters = "".join(chr(0x4E00 + 7 * number % 20_000) for number in range(10_000))
    long, fitting = replace(version(1), location=letters), version(2, letters[:600])
    hostile = (version(3, letters), version(letters, day=4), long, fitting)
    assert tell(ledger, seen=hostile) == 2
    known = ledger.known("mlflow")
    assert known.models() == {"digits", letters[:600]}
    assert known.versions("digits") == [long]
    assert set(state(ledger).troubles) == {letters[:600], "digits"}
    assert "10,000 characters, 600 are kept" in state(ledger).troubles["digits"]
    assert tell(ledger, Renamed(long, renamed(long, letters)), seen=hostile) == 0
    assert known.models() == {"digits", letters[:600]}


def test_a_source_with_trouble_everywhere_is_kept_readable(ledger):
    tell(ledger, *(Trouble(f"m{number}", "hidden") for number in range(1100)))
    assert len(state(ledger).troubles) == 1000
    tell(ledger, Trouble("m0", ""), Trouble("m1050", "hidden"))
    assert len(state(ledger).troubles) == 1000
    assert "m1050" in state(ledger).troubles
