from datetime import timedelta

import pytest

from tests.ledger.makers import DAY, HOUR, MINUTE, START, audited, version


@pytest.fixture
def waiting(ledger):
    """One audit on its way to two sinks."""
    ledger.save(version(1), audited(version(1)), sinks=["files", "mlflow"], at=START)
    return ledger.due(START)


def test_delivery_names_the_audit_and_the_sink(waiting):
    document = audited(version(1))
    assert [(d.audit_id, d.sink, d.attempts) for d in waiting] == [
        (document["id"], "files", 0),
        (document["id"], "mlflow", 0),
    ]


def test_delivered_is_delivered_once_and_the_other_still_waits(ledger, waiting):
    ledger.delivered(waiting[0].id, START)
    assert ledger.due(START + DAY) == [waiting[1]]


def test_oldest_audit_is_delivered_first(ledger):
    for number in (3, 1, 2):
        ledger.save(version(number), audited(version(number)), sinks=["files"], at=START)
    saved = [audited(version(number))["id"] for number in (3, 1, 2)]
    assert [delivery.audit_id for delivery in ledger.due(START)] == saved


def test_nothing_is_due_before_its_audit_was_saved(ledger, waiting):
    assert ledger.due(START) == waiting
    assert ledger.due(START - MINUTE) == []


def test_pause_doubles_up_to_an_hour_and_never_gives_up(ledger, waiting):
    files, at, pauses = waiting[0], START, []
    ledger.delivered(waiting[1].id, START)
    for attempts in range(100):
        ledger.undelivered(files.id, "disk full", at, timedelta(minutes=10))
        low, high = 0, 61
        while high - low > 1:  # the first minute at which it is due again
            middle = (low + high) // 2
            low, high = (low, middle) if ledger.due(at + middle * MINUTE) else (middle, high)
        at += high * MINUTE
        pauses.append(high)
        (again,) = ledger.due(at)
        assert (again.id, again.attempts) == (files.id, attempts + 1)
    assert pauses == [10, 20, 40] + [60] * 97


def test_newer_audit_of_the_version_takes_the_place_of_what_was_not_delivered(ledger, waiting):
    ledger.delivered(waiting[0].id, START)
    newer = audited(version(1), policy="policy-2")
    ledger.save(version(1), newer, sinks=["files", "mlflow"], at=START + HOUR)
    found = ledger.due(START + DAY)
    assert [(d.audit_id, d.sink) for d in found] == [
        (newer["id"], "files"),
        (newer["id"], "mlflow"),
    ]


def test_superseded_delivery_that_fails_late_does_not_come_back(ledger, waiting):
    newer = audited(version(1), policy="policy-2")
    ledger.save(version(1), newer, sinks=[], at=START)
    ledger.undelivered(waiting[0].id, "timeout", START, MINUTE)
    assert ledger.due(START + DAY) == []


def test_audit_of_another_version_supersedes_nothing(ledger, waiting):
    ledger.save(version(2), audited(version(2)), sinks=["files"], at=START)
    assert ledger.due(START)[:-1] == waiting
