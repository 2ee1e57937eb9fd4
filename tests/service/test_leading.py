"""One of several leads; the others take over, and see to what was asked for meanwhile."""

import logging
import socket
import threading
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest

from auditor.ledger import Told
from auditor.ledger.lead import FileLead
from auditor.pipeline import Bell
from auditor.records import Priority, Rhythm
from auditor.service.clocks import STEP, WallClock
from auditor.service.leading import Leading
from tests.service.world import Clock, Place, app, until, version

HOUR = timedelta(hours=1)


@contextmanager
def leading(found, bell=None):
    """A process that would lead, as far as one process can be several."""
    lead = FileLead(found_path(found))
    with Leading(found, lead, bell or Bell()):
        yield lead


def found_path(found):
    return f"{found.ledger.engine.url.database}.lead"


def test_the_second_looks_at_nothing_until_the_first_has_ended(tmp_path):
    one, two = Place("place"), Place("place")
    rhythm = Rhythm(every=0.05)
    with ExitStack() as stack:
        second = stack.enter_context(app(tmp_path, two, rhythm=rhythm))
        with app(tmp_path, one, rhythm=rhythm) as first, leading(first) as held:
            until(lambda: one.looks >= 2, "looks of the first")
            assert held.held()
            stack.enter_context(leading(second))
            until(lambda: one.looks >= 6, "looks of the first")
            assert two.looks == 0
        until(lambda: two.looks >= 2, "looks of the second")


def test_a_look_that_outlives_its_leader_notes_nothing(tmp_path):
    place = Place("place", [version("net", 1)])
    place.open.clear()
    with app(tmp_path, place) as found:
        with leading(found):
            until(lambda: place.inside == 1, "the look")
        place.open.set()
        until(lambda: not is_looking(), "its end")
        assert sum(found.ledger.states().values()) == 0
        assert found.ledger.cursor("place") is None


def test_what_a_killed_leader_had_in_work_is_given_back_by_the_next(tmp_path):
    place = Place("place", [version("net", 1)])
    with app(tmp_path, place) as found:
        one = Told([version("net", 1)])
        found.ledger.note("place", one, found.clock(), history=None, priority=Priority.NIGHTLY)
        dead = f"{socket.gethostname()}:{2**31 - 1}:0.00"  # no system has processes of that number
        assert found.ledger.claim(found.clock(), lease=HOUR, owner=dead) is not None
        with leading(found):
            until(lambda: found.ledger.owners() == [], "the version to be free")


def test_a_source_that_somebody_asked_about_is_looked_at_within_seconds(tmp_path):
    place, bell = Place("place"), Bell()
    with app(tmp_path, place) as found, leading(found, bell):
        until(lambda: place.looks == 1, "the first look")
        until(lambda: not is_looking(), "its end")
        found.ledger.ask_look("place", found.clock())
        until(lambda: place.looks == 2, "the look asked for")
        until(lambda: found.ledger.sources()[0].asked_at is None, "a note that it was had")


@pytest.mark.parametrize("hours", [-1, 8])
def test_a_clock_that_is_set_is_noticed_and_looked_after(tmp_path, hours, caplog):
    caplog.set_level(logging.INFO)
    clock, place, bell = Clock(), Place("place"), Bell()
    with app(tmp_path, place, clock=clock) as found, leading(found, bell):
        until(lambda: place.looks == 1, "the first look")
        until(lambda: not is_looking(), "its end")
        clock.off = hours * HOUR
        bell.ring()
        until(lambda: "clock.set" in events(caplog), "a line about it")
        if hours > 0:
            until(lambda: place.looks == 2, "the look that was missed")


def is_looking():
    return any(thread.name == "job place" for thread in threading.enumerate())


def events(caplog):
    return [getattr(record, "event", "") for record in caplog.records]


def test_a_clock_set_back_lets_nothing_wait_for_it(tmp_path):
    clock, bell = Clock(off=HOUR), Bell()
    with app(tmp_path, Place("place"), clock=clock) as found, leading(found, bell):
        until(found.ledger.sources, "the first look")
        clock.off = timedelta()
        bell.ring()
        until(lambda: not late(found), "everything to be due")


def late(found):
    return found.ledger.next_due(found.clock()) is not None


def test_small_corrections_of_the_clock_are_none():
    clock = Clock()
    watch = WallClock(clock)
    assert watch.moved() == 0.0
    clock.off = timedelta(seconds=STEP / 2)
    assert watch.moved() == 0.0
    clock.off -= HOUR
    assert watch.moved() == pytest.approx(-3600, abs=1.0)
    assert watch.moved() == 0.0


@pytest.mark.wide
def test_a_leader_goes_on_after_a_bug(tmp_path, caplog):
    class Odd(FileLead):
        """Fails the first time."""

        broken = True

        def take(self):
            if self.broken:
                self.broken = False
                raise KeyError("lead")
            return super().take()

    place = Place("place")
    with app(tmp_path, place) as found, Leading(found, Odd(found_path(found)), Bell()):
        until(lambda: place.looks == 1, "a look")
    assert "leader.crashed" in events(caplog)
