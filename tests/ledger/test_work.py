from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.errors import UsageError
from auditor.ledger import Ledger, Told
from auditor.records import Decision, Gone, ModelVersion, Priority, Verdict
from tests.ledger.makers import DAY, HOUR, MINUTE, START, audited, note, version, versions, waiting
from tests.postgres_server import postgres

Row = dict[str, Any]
Steps = list[tuple[Any, ...]]
LEASE = timedelta(hours=2)


def claim(ledger: Ledger, at: datetime = START, owner: str = "me") -> Any:
    return ledger.claim(at, lease=HOUR, owner=owner)


def fail(ledger: Ledger, of: ModelVersion, at: datetime = START, times: int = 3) -> bool:
    return ledger.failed(of, "me", "no luck", at, max_attempts=times, pause=MINUTE)


def test_oldest_version_comes_first_over_all_models(ledger):
    note(ledger, "mlflow", [version(2, "a"), version(1, "b"), version(3, "c")], None, None, START)
    assert [claim(ledger).version.id.model for _ in range(3)] == ["b", "a", "c"]
    assert claim(ledger) is None


def test_claim_says_what_it_is_about(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    found = claim(ledger)
    assert (found.version, found.attempts, found.source) == (version(1), 0, "mlflow")


def test_versions_made_at_the_same_moment_are_ordered_as_people_count(ledger):
    same = [version(number, day=1) for number in ("10", "9", "v2", "100")]
    note(ledger, "mlflow", same, None, None, START)
    order = []
    while found := claim(ledger):
        order.append(found.version.id.version)
        ledger.save(found.version, audited(found.version), sinks=[], at=START)
    assert order == ["9", "10", "100", "v2"]


@pytest.mark.parametrize("how", ["running", "paused"])
def test_later_version_waits_for_the_earlier_one(ledger, how):
    note(ledger, "mlflow", versions(1, 2), None, None, START)
    first = claim(ledger)
    if how == "paused":
        fail(ledger, first.version)
    assert claim(ledger) is None


@pytest.mark.parametrize("how", ["done", "quarantined", "gone", "refused", "history"])
def test_settled_version_does_not_hold_up_the_later_one(ledger, how):
    if how == "history":
        note(ledger, "mlflow", versions(1, 2), None, 1, START)
        assert claim(ledger).version == version(2)
        return
    note(ledger, "mlflow", versions(1, 2), None, None, START)
    first = claim(ledger).version
    settle: dict[str, Callable[[], object]] = {
        "done": lambda: ledger.save(first, audited(first), sinks=[], at=START),
        "quarantined": lambda: fail(ledger, first, times=1),
        "gone": lambda: ledger.gone(first, "404"),
        "refused": lambda: ledger.refused(first, "s3://elsewhere"),
    }
    settle[how]()
    assert ledger.states()[how] == 1
    assert claim(ledger).version == version(2)
    assert claim(ledger) is None


def test_earlier_version_that_arrives_late_is_audited_first(ledger):
    note(ledger, "mlflow", versions(2, 3), None, None, START)
    note(ledger, "mlflow", versions(1), None, None, START)
    assert claim(ledger).version == version(1)


def test_claim_is_free_again_when_its_lease_ran_out(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    claim(ledger)
    assert claim(ledger, START + HOUR - MINUTE) is None
    found = claim(ledger, START + HOUR, owner="other")
    assert (found.version, found.attempts, found.lost) == (version(1), 0, 1)
    assert ledger.owners() == ["other"]


def test_renewed_claim_is_kept(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    claim(ledger)
    assert ledger.renew(version(1), "me", START + HOUR - MINUTE, HOUR)
    assert claim(ledger, START + HOUR, owner="other") is None
    assert claim(ledger, START + 2 * HOUR, owner="other") is not None


def test_released_claim_is_free_at_once_and_no_attempt(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    ledger.release(claim(ledger).version, "me")
    found = claim(ledger)
    assert (found.version, found.attempts, found.lost) == (version(1), 0, 0)


def test_claims_of_a_dead_owner_are_free_at_once(ledger):
    note(ledger, "mlflow", versions(1, model="a") + versions(1, model="b"), None, None, START)
    dead, alive = claim(ledger, owner="dead"), claim(ledger, owner="alive")
    assert ledger.owners() == ["alive", "dead"]
    assert ledger.release_owner("dead") == 1
    assert ledger.owners() == ["alive"]
    found = claim(ledger)
    assert (found.version, found.attempts, found.lost) == (dead.version, 0, 1)
    assert found.version != alive.version
    assert claim(ledger) is None


def test_pause_doubles_with_every_attempt_until_quarantine(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    at, pauses = START, []
    for attempts in range(3):
        assert claim(ledger, at).attempts == attempts
        assert fail(ledger, version(1), at, times=4) is False
        free = next(n for n in range(1, 99) if claim(ledger, at + n * MINUTE))
        ledger.release(version(1), "me")
        pauses.append(free)
        at += free * MINUTE
    assert pauses == [1, 2, 4]
    claim(ledger, at)
    assert fail(ledger, version(1), at, times=4) is True
    assert claim(ledger, at + 99 * DAY) is None
    (problem,) = ledger.problems()
    assert tuple(problem) == (version(1), "quarantined", 4, "no luck")


def test_late_failure_does_not_undo_what_another_finished(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    of = claim(ledger).version
    ledger.save(of, audited(of), sinks=[], at=START)
    assert fail(ledger, of, times=1) is False
    ledger.release(of, "me")
    ledger.renew(of, "me", START, HOUR)
    assert ledger.states()["done"] == 1


def test_states_and_waiting_count_every_version_once(ledger):
    note(ledger, "mlflow", versions(1, 2, 3, model="a"), None, 2, START)
    note(ledger, "mlflow", versions(4, model="b"), None, None, START)
    claim(ledger)
    assert {state: n for state, n in ledger.states().items() if n} == {
        "history": 1,
        "pending": 2,
        "running": 1,
    }
    assert waiting(ledger) == 3


def test_problems_are_what_failed_is_gone_or_was_refused(ledger):
    for number, model in enumerate("abcde"):
        note(ledger, "mlflow", versions(number, model=model), None, None, START)
    by_model = {name: version(n, name) for n, name in enumerate("abcde")}
    ledger.gone(by_model["a"], "deleted")
    ledger.refused(by_model["b"], "add it to allow")
    for times in (1, 2):
        fail(ledger, claim(ledger).version, times=times)
    assert [tuple(problem) for problem in ledger.problems()] == [
        (by_model["a"], "gone", 0, "deleted"),
        (by_model["b"], "refused", 0, "add it to allow"),
        (by_model["c"], "quarantined", 1, "no luck"),
        (by_model["d"], "pending", 1, "no luck"),
    ]


def test_success_ends_a_problem(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    fail(ledger, claim(ledger).version, times=1)
    ledger.save(version(1), audited(version(1)), sinks=[], at=START)
    assert ledger.problems() == []
    assert ledger.states()["done"] == 1


def test_audit_that_could_not_look_leaves_a_quarantined_version_quarantined(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    fail(ledger, claim(ledger).version, times=1)
    document = audited(version(1), verdict=Verdict.INCOMPLETE)
    ledger.save(version(1), document, sinks=["files"], at=START)
    assert ledger.states()["quarantined"] == 1
    assert ledger.problems()[0].reason == "no luck"
    assert len(ledger.due(START)) == 1


def test_quarantine_and_its_audit_are_one_step(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    of = claim(ledger).version
    document = audited(of, verdict=Verdict.INCOMPLETE)
    for _ in range(2):
        ledger.save(of, document, sinks=["files"], at=START, quarantine="too big")
    assert tuple(ledger.problems()[0]) == (of, "quarantined", 1, "too big")
    assert ledger.latest(of) == document
    assert len(ledger.due(START)) == 1


@pytest.mark.parametrize("what", ["gone", "refused", "ask", "decide"])
def test_version_the_ledger_never_met_is_named(ledger, what):
    calls: dict[str, Callable[[ModelVersion], object]] = {
        "gone": lambda of: ledger.gone(of, ""),
        "refused": lambda of: ledger.refused(of, ""),
        "ask": ledger.ask,
        "decide": lambda of: ledger.decide(of, Decision(accept=True, by="me", reason="", at=START)),
    }
    with pytest.raises(UsageError, match=r"does not know mlflow:digits@1; audit it first"):
        calls[what](version(1))


def next_claimable(rows: list[Row], at: datetime, owner: str) -> Row | None:
    """The rule as it is written, over plain dicts."""

    def position(row: Row) -> tuple[int, int]:
        return row["made"], int(row["version"])

    def open_of_model(row: Row) -> list[Row]:
        same = [other for other in rows if other["model"] == row["model"]]
        return [other for other in same if other["state"] in {"pending", "running"}]

    def held_up(row: Row) -> bool:
        return any(position(other) < position(row) for other in open_of_model(row))

    def free(row: Row) -> bool:
        if row["state"] == "pending":
            return bool(row["due"] <= at)
        expired = bool(row["state"] == "running" and row["until"] <= at)
        return expired and bool(row["owner"] != owner)

    for row in rows:  # a version is as urgent as the most urgent one that waits for it
        behind = [other for other in open_of_model(row) if position(other) >= position(row)]
        row["priority"] = min((other["priority"] for other in behind), default=row["priority"])
    free_to_all = [row for row in rows if free(row) and not held_up(row)]
    return min(free_to_all, key=lambda row: (row["priority"], position(row)), default=None)


OWNERS = st.sampled_from(["ann", "bob"])
WHICH = st.integers(0, 9)
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("note"), st.sampled_from("abc"), st.integers(0, 3), st.sampled_from(Priority)
        ),
        st.tuples(st.just("claim"), OWNERS),
        st.tuples(st.sampled_from(["save", "release", "renew", "fail", "quarantine"]), OWNERS),
        st.tuples(st.sampled_from(["ask", "gone", "retry"]), WHICH),
        st.tuples(st.just("wait"), st.integers(1, 3)),
    ),
    max_size=30,
)


class Rule:
    """What a ledger has to do, on a list of dicts, beside the ledger that does it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.rows: list[Row] = []
        self.at = START
        self.held: dict[str, Row] = {}  # what each owner believes to have

    def note(self, model: str, day: int, priority: Priority) -> None:
        count = len(self.rows) + 1
        made = replace(version(count, model, day=day), location=str(count))
        row = {"model": model, "made": day, "version": count, "of": made, "owner": None}
        self.rows.append(row | {"state": "pending", "priority": priority, "due": self.at})
        told = Told([made])
        assert self.ledger.note("mlflow", told, self.at, history=None, priority=priority) == 1

    def wait(self, hours: int) -> None:
        self.at += HOUR * hours

    def claim(self, owner: str) -> None:
        expected = next_claimable(self.rows, self.at, owner)
        found = self.ledger.claim(self.at, lease=LEASE, owner=owner)
        assert (found and found.version) == (expected and expected["of"])
        if expected:
            expected |= {"state": "running", "until": self.at + LEASE, "owner": owner}
            self.held[owner] = expected

    def is_held(self, owner: str) -> bool:
        row = self.held[owner]
        return bool(row["state"] == "running" and row["owner"] == owner)

    def save(self, owner: str) -> None:
        of = self.held[owner]["of"]
        saved = self.ledger.save(of, audited(of), sinks=[], at=START, owner=owner)
        assert saved == self.is_held(owner)
        self.settle(owner, "done")

    def release(self, owner: str) -> None:
        self.ledger.release(self.held[owner]["of"], owner)
        self.settle(owner, "pending")

    def renew(self, owner: str) -> None:
        row = self.held[owner]
        assert self.ledger.renew(row["of"], owner, self.at, LEASE) == self.is_held(owner)
        if self.is_held(owner):
            row["until"] = self.at + LEASE

    def fail(self, owner: str) -> None:
        self.ledger.failed(
            self.held[owner]["of"], owner, "no", self.at, max_attempts=99, pause=MINUTE
        )
        self.settle(owner, "pending")

    def quarantine(self, owner: str) -> None:
        self.ledger.failed(
            self.held[owner]["of"], owner, "no", self.at, max_attempts=1, pause=MINUTE
        )
        self.settle(owner, "quarantined")

    def settle(self, owner: str, state: str) -> None:
        if self.is_held(owner):  # else another one's work stays as it is
            self.held[owner] |= {"state": state, "owner": None, "due": self.at}

    def ask(self, which: int) -> None:
        row = self.rows[which % len(self.rows)]
        assert self.ledger.ask(row["of"]) == (row["state"] != "running")
        if row["state"] != "running":
            row |= {"state": "pending", "priority": Priority.ASKED, "due": self.at}

    def gone(self, which: int) -> None:
        row = self.rows[which % len(self.rows)]
        told = Told(changes=[Gone(row["of"], "deleted")])
        self.ledger.note("mlflow", told, self.at, history=None)
        if row["state"] != "running":
            row["state"] = "gone"

    def retry(self, which: int) -> None:
        row = self.rows[which % len(self.rows)]
        assert self.ledger.retry(row["of"]) == (row["state"] == "quarantined")
        if row["state"] == "quarantined":
            row |= {"state": "pending", "due": self.at}


NEEDS_CLAIM = {"save", "release", "renew", "fail", "quarantine"}
NEEDS_VERSION = {"ask", "gone", "retry"}


def follow(url: str, steps: Steps) -> None:
    with closing(Ledger.open(url)) as ledger:
        rule = Rule(ledger)
        for step, *values in steps:
            if step in NEEDS_CLAIM and values[0] not in rule.held:
                continue
            if step in NEEDS_VERSION and not rule.rows:
                continue
            getattr(rule, step)(*values)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(steps=steps)
def test_claims_follow_the_rule_whatever_happened_before(steps):
    follow("sqlite://", steps)


@pytest.mark.wide
@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps=steps)
def test_claims_follow_the_rule_in_many_more_stories(steps):
    follow("sqlite://", steps)


@pytest.mark.wide
@settings(max_examples=50, deadline=None, derandomize=True)
@given(steps=steps)
def test_claims_follow_the_rule_on_a_server(made_database, steps):
    with postgres().database(f"TEMPLATE {made_database}") as url:
        follow(url, steps)


def test_a_refused_version_waits_again_when_somebody_says_so(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    of = claim(ledger).version
    ledger.refused(of, "not where it may be fetched from", "me")
    assert claim(ledger) is None
    assert ledger.retry(of) == 1
    assert claim(ledger).version == of
