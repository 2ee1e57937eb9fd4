"""What is hurried, given back, tried again: the queue as people and processes change it."""

from typing import Any

import pytest

from auditor.ledger import Ledger, Told
from auditor.records import ModelVersion, Priority
from tests.ledger.makers import DAY, HOUR, MINUTE, START, audited, note, version, versions


def noted(ledger: Ledger, priority: Priority, *of: ModelVersion) -> None:
    ledger.note("mlflow", Told(of), START, history=None, priority=priority)


def claim(ledger: Ledger, at: Any = START, owner: str = "me") -> Any:
    return ledger.claim(at, lease=HOUR, owner=owner)


def order(ledger: Ledger) -> list[str]:
    """Models in the order in which they are audited."""
    found = []
    while taken := claim(ledger):
        found.append(str(taken.version.id).partition(":")[2])
        ledger.save(taken.version, audited(taken.version), sinks=[], at=START)
    return found


def fail(ledger: Ledger, of: ModelVersion, owner: str = "me", *, times: int = 1) -> bool:
    return ledger.failed(of, owner, "no luck", START, max_attempts=times, pause=MINUTE)


def test_more_urgent_versions_come_before_older_ones(ledger):
    for number, priority in enumerate(reversed(Priority)):
        noted(ledger, priority, version(number, priority.name))
    assert order(ledger) == ["ASKED@3", "REGISTRATION@2", "NIGHTLY@1", "BACKFILL@0"]


def test_version_that_an_urgent_one_waits_for_is_as_urgent(ledger):
    noted(ledger, Priority.NIGHTLY, *versions(1, 2, model="a"), version(0, "b"))
    noted(ledger, Priority.REGISTRATION, version(5, "c"), version(3, "a"))
    assert order(ledger) == ["a@1", "a@2", "a@3", "c@5", "b@0"]


def test_earlier_version_that_comes_later_is_as_urgent_as_what_waits_behind_it(ledger):
    noted(ledger, Priority.REGISTRATION, version(3, "a"))
    noted(ledger, Priority.NIGHTLY, version(0, "b"), version(2, "a"))
    assert order(ledger) == ["a@2", "a@3", "b@0"]


def test_backfill_of_a_model_that_waits_does_not_slow_it_down(ledger):
    noted(ledger, Priority.NIGHTLY, version(1, "b"))
    ledger.note("mlflow", Told(versions(1, 2, model="a")), START, history=1)
    assert ledger.backfill("mlflow", "a", None) == 1
    assert order(ledger) == ["a@1", "a@2", "b@1"]


def test_backfill_goes_last(ledger):
    note(ledger, "mlflow", versions(1, 2, model="a"), None, 0, START)
    noted(ledger, Priority.NIGHTLY, version(9, "b"))
    assert ledger.backfill("mlflow", None, None) == 2
    assert order(ledger) == ["b@9", "a@1", "a@2"]


def test_asking_hurries_a_version_and_what_it_waits_for(ledger):
    noted(ledger, Priority.REGISTRATION, *versions(5, 6, 7, model="a"), version(1, "b"))
    assert ledger.ask(version(6, "a"))
    assert order(ledger) == ["a@5", "a@6", "b@1", "a@7"]


@pytest.mark.parametrize("state", ["done", "history", "quarantined", "refused"])
def test_asking_lets_a_settled_version_wait_with_its_attempts_forgotten(ledger, state):
    note(ledger, "mlflow", versions(1), None, 0 if state == "history" else None, START)
    if state == "refused":
        ledger.refused(version(1), "elsewhere")
    elif state == "quarantined":
        fail(ledger, claim(ledger).version)
    elif state == "done":
        ledger.save(version(1), audited(version(1)), sinks=[], at=START)
    assert ledger.states()[state] == 1
    assert ledger.ask(version(1))
    found = claim(ledger)
    assert (found.version, found.attempts, found.lost) == (version(1), 0, 0)
    assert ledger.problems() == []


def test_asking_for_what_waits_out_a_pause_ends_the_pause_and_keeps_the_attempts(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    fail(ledger, claim(ledger).version, times=3)
    assert claim(ledger) is None
    assert ledger.ask(version(1))
    assert claim(ledger).attempts == 1


def test_asking_for_what_is_in_work_changes_nothing(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    claim(ledger)
    assert not ledger.ask(version(1))
    assert ledger.save(version(1), audited(version(1)), sinks=[], at=START, owner="me")


def test_retry_takes_one_those_of_a_source_or_all(ledger):
    elsewhere = [ModelVersion(**{**fields(of), "id": on_hub(of)}) for of in versions(1, 2)]
    for name, seen in (("mlflow", versions(1, 2, 3)), ("hub", elsewhere)):
        note(ledger, name, seen, None, None, START)
    while found := claim(ledger):
        fail(ledger, found.version)
    assert ledger.states()["quarantined"] == 5
    assert ledger.retry(version(9)) == 0
    assert ledger.retry(version(2)) == 1
    assert claim(ledger).attempts == 0
    assert ledger.retry(source="hub") == 2
    assert ledger.retry() == 2
    assert ledger.states()["quarantined"] == 0


def fields(of: ModelVersion) -> dict[str, Any]:
    return {name: getattr(of, name) for name in ("id", "created_at", "uri", "location", "facts")}


def on_hub(of: ModelVersion) -> Any:
    return type(of.id)("hub", of.id.model, of.id.version)


def test_only_who_holds_a_version_can_change_what_becomes_of_it(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    claim(ledger, owner="late")
    later = START + 2 * HOUR
    assert claim(ledger, later, owner="late") is None  # one's own is not lost when a clock jumps
    found = claim(ledger, later, owner="next")
    assert (found.version, found.lost) == (version(1), 1)
    assert not ledger.renew(version(1), "late", later, HOUR)
    assert not ledger.save(version(1), audited(version(1)), sinks=["x"], at=later, owner="late")
    assert not fail(ledger, version(1), "late")
    for change in (ledger.gone, ledger.refused):
        change(version(1), "late", "late")
    ledger.release(version(1), "late")
    ledger.postpone(version(1), "late", "503", later)
    assert ledger.owners() == ["next"]
    assert ledger.latest(version(1)) is None
    assert ledger.renew(version(1), "next", later, HOUR)
    assert ledger.save(version(1), audited(version(1)), sinks=["x"], at=later, owner="next")
    assert not ledger.save(version(1), audited(version(1)), sinks=["x"], at=later, owner="next")
    assert len(ledger.due(later)) == 1


def test_saving_what_was_never_claimed_with_an_owner_writes_nothing(ledger):
    assert not ledger.save(version(1), audited(version(1)), sinks=[], at=START, owner="me")
    assert sum(ledger.states().values()) == 0


def test_place_that_is_away_costs_no_attempt_and_is_asked_less_and_less_often(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    at, waits = START, []
    for _ in range(18):
        found = claim(ledger, at)
        assert (found.attempts, found.waited(at)) == (0, at - START)
        ledger.postpone(version(1), "me", "503", at)
        free = next(n for n in range(1, 99) if claim(ledger, at + n * MINUTE))
        ledger.release(version(1), "me")
        waits.append(free)
        at += free * MINUTE
    assert waits[:2] == [1, 1]
    assert waits == sorted(waits)
    assert waits[-1] == 15
    assert [problem.reason for problem in ledger.problems()] == ["503"]


def test_versions_of_a_watched_model_are_fresh_and_others_are_not(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    note(ledger, "mlflow", versions(2), None, None, START)
    for of in versions(1, 2):
        ledger.save(of, audited(of), sinks=[], at=of.created_at + MINUTE)
    assert ledger.overview(START).latencies == [60.0]


def test_only_versions_of_the_sources_asked_for_are_claimed(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    assert ledger.claim(START, lease=HOUR, owner="me", sources=["hub"]) is None
    assert ledger.claim(START, lease=HOUR, owner="me", sources=[]) is None
    found = ledger.claim(START + DAY, lease=HOUR, owner="me", sources=["hub", "mlflow"])
    assert found is not None
