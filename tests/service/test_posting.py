"""Audits on their way out: each sink by itself, whatever the others do."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from auditor.errors import LedgerError, SinkError
from auditor.pipeline import Bell, Courier, Outcome, sweep
from auditor.pipeline.crew import drain
from auditor.service.posting import Posts
from tests.models import weights, write
from tests.service.world import PATIENCE, Clock, app, until

HOUR = timedelta(hours=1)


@dataclass
class Box:
    """A sink that takes what it is given, unless it is told to hang or to fail."""

    name: str
    got: list[str] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    then: Callable[[], object] = bool  # done when it has got something

    def __post_init__(self) -> None:
        self.open.set()

    def write(self, document):
        assert self.open.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        self.got.append(document["model"]["version"])
        self.then()


@contextmanager
def audited(root, *boxes, clock=None):
    """An app that has audited three versions, and delivered nothing."""
    for number in (1, 2, 3):
        write(root / f"models/net/{number}", weights(1), day=number)
    with app(root, clock=clock) as plain:
        found = replace(plain, sinks={box.name: box for box in boxes})
        sweep(found, Outcome())
        assert len(list(drain(found))) == 3
        yield found


def failures(found):
    """How often each delivery that waits has failed."""
    return [one.attempts for one in found.ledger.due(found.clock() + 2 * HOUR)]


def test_a_sink_that_hangs_holds_up_no_other_and_gets_its_audits_later(tmp_path):
    hung, fine = Box("hung"), Box("fine")
    hung.open.clear()
    with audited(tmp_path, hung, fine) as found, Posts(found, Bell()):
        until(lambda: fine.got == ["1", "2", "3"], "what is due to the other")
        assert hung.got == []
        hung.open.set()
        until(lambda: hung.got == ["1", "2", "3"], "what is due to it")


def test_a_sink_that_fails_is_asked_again_when_its_pause_is_over(tmp_path):
    clock, box = Clock(), Box("box", error=SinkError("no route to host"))
    bell = Bell()
    with audited(tmp_path, box, clock=clock) as found, Posts(found, bell):
        until(lambda: failures(found) == [1, 1, 1], "an attempt of each")
        box.error = None
        clock.off = HOUR
        bell.ring()
        until(lambda: box.got == ["1", "2", "3"], "another one")
        until(lambda: failures(found) == [], "a note of it")


def test_a_bug_in_a_sink_is_its_own(tmp_path):
    box, fine = Box("box", error=KeyError("fc")), Box("fine")
    with audited(tmp_path, box, fine) as found, Posts(found, Bell()):
        until(lambda: fine.got == ["1", "2", "3"], "what is due to the other")
        until(lambda: failures(found) == [1, 1, 1], "a note of the failure")


def test_what_a_dead_process_had_on_its_way_goes_out_at_once(tmp_path):
    box = Box("box")
    with audited(tmp_path, box) as found:
        found.ledger.take_next("box", found.clock(), HOUR)
        for _ in range(2):
            assert Courier("box", found).carry(found.clock()) == (True, "")
        assert Courier("box", found).carry(found.clock()) == (False, "")
        found.ledger.hand_over(found.clock())
        until(lambda: Courier("box", found).carry(found.clock())[0], "the delivery")
    assert sorted(box.got) == ["1", "2", "3"]


def test_what_waits_after_a_failure_is_not_hurried_by_who_takes_over(tmp_path):
    box = Box("box", error=SinkError("no route to host"))
    with audited(tmp_path, box) as found:
        there, reason = Courier("box", found).carry(found.clock())
        assert (there, reason) == (True, "no route to host")
        found.ledger.hand_over(found.clock())
        assert len(found.ledger.due(found.clock())) == 2


def test_what_a_sink_took_while_the_ledger_was_away_is_noted_when_it_is_back(tmp_path):
    box = Box("box")
    with audited(tmp_path, box) as found:
        courier = Courier("box", found)
        box.then = lambda: rename(found, "deliveries", "away")
        with pytest.raises(LedgerError):
            courier.carry(found.clock())
        box.then = bool
        rename(found, "away", "deliveries")
        while courier.carry(found.clock())[0]:
            pass
        assert box.got == ["1", "2", "3"]
        assert found.ledger.due(found.clock() + HOUR) == []


def rename(found, table, name):
    """Let a table be away, or back, under the hands of those who use it."""
    with closing(sqlite3.connect(found.ledger.engine.url.database)) as database:
        database.execute(f"ALTER TABLE {table} RENAME TO {name}")
