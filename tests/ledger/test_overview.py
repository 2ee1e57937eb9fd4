"""How it all stands, counted by the database; held against counting by hand."""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from random import Random

import pytest
from sqlalchemy import select

from auditor.ledger import State, Told
from auditor.ledger.models import AuditRow, ClaimRow, VersionRow
from auditor.ledger.order import position_of
from auditor.ledger.overview import SHOWN, WORST_FIRST
from auditor.records import Priority, Verdict
from tests.ledger.makers import DAY, HOUR, MINUTE, START, audited, version, versions

NOW = START + 100 * DAY


@pytest.fixture
def busy(ledger):
    """Forty models with up to four versions, in all states, with up to three audits each."""
    chance = Random(7)  # noqa: S311 - no secret
    for model in range(40):
        some = versions(*range(1, chance.randint(1, 4) + 1), model=f"m{model}")
        ledger.note(chance.choice(["a", "mlflow"]), Told(some), NOW, history=chance.choice([1, 9]))
        for one in some:
            for number in range(chance.randint(0, 3)):
                verdict = chance.choice(list(Verdict))
                document = audited(one, verdict=verdict, policy=f"p{number}")
                ledger.save(one, document, sinks=["files"], at=NOW - chance.random() * 20 * DAY)
            if chance.random() < 0.2:
                ledger.gone(one, "deleted")
    while (
        claim := ledger.claim(NOW, lease=HOUR, owner="me")
    ) is not None and chance.random() < 0.9:
        if chance.random() < 0.5:
            ledger.failed(claim.version, "me", "no", NOW, max_attempts=2, pause=MINUTE)
        elif chance.random() < 0.5:
            ledger.refused(claim.version, "not allowed")
    return ledger


def rows(ledger):
    """Every version, its state, and its newest audit's number and verdict."""
    with ledger._read() as session:
        newest = dict[int, tuple[int, str]]()
        for audit in session.scalars(select(AuditRow).order_by(AuditRow.id)):
            newest[audit.version_id] = (audit.id, audit.verdict)
        found = session.execute(select(VersionRow, ClaimRow).join(ClaimRow))
        return [(row.record, claim.state, newest.get(row.id)) for row, claim in found]


def test_states_and_verdicts_are_those_of_counting_by_hand(busy):
    found, there = busy.overview(NOW - 7 * DAY), rows(busy)
    states = defaultdict[str, Counter[str]](Counter)
    for record, state, _ in there:
        states[record.id.source][state] += 1
    assert found.versions == {source: dict(count) for source, count in states.items()}
    assert len({state for count in states.values() for state in count}) >= 5
    judged = [(record, *audit) for record, state, audit in there if audit and state != State.GONE]
    assert found.verdicts == Counter(verdict for *_, verdict in judged)


def test_a_model_counts_by_its_newest_audited_version_and_the_worst_come_first(busy):
    found = busy.overview(NOW - 7 * DAY)
    last = {}
    for record, state, audit in sorted(rows(busy), key=lambda row: position_of(row[0])):
        if audit is not None and state != State.GONE:
            last[record.id.series] = (record, *audit)
    assert found.models == Counter(verdict for *_, verdict in last.values())
    bad = sorted(
        (WORST_FIRST.index(verdict), -number, record.id)
        for record, number, verdict in last.values()
        if verdict != Verdict.PASS
    )
    assert len(bad) > 10
    assert [one.version for one in found.worst] == [record for *_, record in bad]


def test_latencies_are_those_of_the_first_audits_of_what_was_watched(busy):
    with busy._read() as session:
        first = {}
        for audit in session.scalars(select(AuditRow).order_by(AuditRow.id.desc())):
            first[audit.version_id] = audit.saved_at
        fresh = {row.id: row.created_at for row in session.scalars(select(VersionRow)) if row.fresh}
    assert not fresh  # each model was met with all its versions
    seen = version(9, "m0", day=99)
    busy.note("mlflow", Told([seen]), NOW - HOUR, history=None)
    busy.save(seen, audited(seen), sinks=(), at=NOW)
    assert list(busy.overview(NOW - 7 * DAY).latencies) == [pytest.approx(DAY.total_seconds())]
    assert list(busy.overview(NOW + MINUTE).latencies) == []


def test_lists_are_cut_where_nobody_reads_on(ledger):
    some = [version(1, f"m{number:03}") for number in range(SHOWN + 10)]
    ledger.note("mlflow", Told(some), NOW, history=None)
    for one in some:
        ledger.save(one, audited(one, verdict=Verdict.BLOCK), sinks=(), at=NOW)
        ledger.refused(one, "no")
    found = ledger.overview(NOW)
    assert len(found.worst) == len(found.latest) == len(found.troubled) == SHOWN
    assert found.models["BLOCK"] == SHOWN + 10
    assert [one.version.model for one in found.latest][:2] == ["m059", "m058"]


def test_an_empty_ledger_counts_nothing(ledger):
    found = ledger.overview(NOW)
    assert found.versions == {}
    assert found.waiting == dict.fromkeys(Priority, 0)
    assert found.oldest is None
    assert (*found.worst, *found.latest, *found.running, *found.troubled) == ()


def test_names_and_reasons_that_no_database_takes_come_back_as_they_were(ledger):
    odd = version(1, "a\0b\ud800c")
    ledger.note("mlflow", Told([odd]), NOW, history=None)
    document = {**audited(odd, verdict=Verdict.REVIEW, weights="w"), "reason": "of a\0b\ud800c"}
    ledger.save(odd, document, sinks=["files"], at=NOW)
    [found] = ledger.overview(NOW).worst
    assert found.version == odd.id
    assert found.reason == document["reason"]


def test_a_tally_is_of_what_came_since(ledger):
    ledger.save(version(1), audited(version(1)), sinks=(), at=NOW)
    start = ledger.tally(None)
    assert start.audits == {}
    ledger.save(version(2), audited(version(2)), sinks=(), at=NOW)
    big = audited(version(3), verdict=Verdict.BLOCK)
    big = {**big, "weights": {**big["weights"], "bytes_read": 3 << 40}}
    ledger.save(version(3), big, sinks=(), at=NOW)
    found = ledger.tally(start.last)
    assert found.audits == {"PASS": 1, "BLOCK": 1}
    assert found.bytes_read == 9 + (3 << 40)
    assert found.seconds == 3.0
    assert ledger.tally(found.last) == (found.last, {}, 0, 0, 0.0)


def test_a_checkup_says_what_database_it_is(ledger):
    found = ledger.checkup()
    assert found.revision >= "0003"
    assert found.size > 0
    assert found.damage == ""
    if found.kind == "sqlite":
        assert (found.journal, found.was_checked, found.now) == ("wal", True, None)
    else:
        assert found.journal == ""
        assert abs(found.now - datetime.now(UTC)) < HOUR  # of the same machine


def test_a_sink_took_something_last_when_it_did(ledger):
    ledger.save(version(1), audited(version(1)), sinks=["files", "mlflow"], at=START)
    for delivery in ledger.due(START):
        if delivery.sink == "files":
            ledger.delivered(delivery.id, NOW)
    assert ledger.last_delivered() == {"files": NOW}
    assert [box.name for box in ledger.outboxes()] == ["mlflow"]
