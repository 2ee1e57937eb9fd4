"""When sources are looked at: in their rhythm, once after an absence, now when asked."""

from datetime import UTC, datetime, timedelta

import pytest

from auditor.errors import UnreachableError
from auditor.ledger import Hint, Told
from auditor.pipeline import App, Bell
from auditor.records import Rhythm
from auditor.service.looking import Looks
from auditor.service.schedule import Chore, Chores, Schedule
from tests.service.world import HOURLY, Clock, Place, app, until, version

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NIGHTLY = Rhythm(cron="0 2 * * *", timezone="UTC")


def schedule(app: App, *chores: Chore) -> Schedule:
    return Schedule(app, Looks(app, Bell()), chores)


def next_look(running: Schedule, source: str = "place") -> datetime:
    found: datetime = running._scheduler.get_job(source).next_run_time
    return found


def looked(app: App, ago: timedelta, source: str = "place") -> None:
    app.ledger.note(source, Told(), app.clock() - ago, history=None)


def last_success(app: App) -> datetime | None:
    return next((state.last_success for state in app.ledger.sources()), None)


@pytest.mark.parametrize(
    ("rhythm", "ago"),
    [(HOURLY, None), (HOURLY, 61 * MINUTE), (HOURLY, 300 * HOUR), (NIGHTLY, 25 * HOUR)],
    ids=["never looked at", "a minute late", "days late", "a night late"],
)
def test_what_was_missed_is_had_once_when_it_starts(tmp_path, rhythm, ago):
    place = Place("place")
    with app(tmp_path, place, rhythm=rhythm) as found:
        if ago is not None:
            looked(found, ago)
        before = last_success(found)
        with schedule(found) as running:
            until(lambda: last_success(found) != before, "the look")
            assert next_look(running) > datetime.now(UTC)
        with schedule(found) as running:  # started again at once: nothing was missed
            assert next_look(running) > datetime.now(UTC)
        assert place.looks == 1


def test_a_restart_is_no_reason_for_a_look(tmp_path):
    with app(tmp_path, Place("place")) as found:
        looked(found, 20 * MINUTE)
        with schedule(found) as running:
            at = next_look(running)
    assert abs(at - (datetime.now(UTC) + 40 * MINUTE)) < MINUTE


def test_a_night_that_was_had_is_not_had_again(tmp_path):
    now = datetime.now(UTC)
    rhythm = Rhythm(cron=f"0 {(now.hour + 12) % 24} * * *", timezone="UTC")
    with app(tmp_path, Place("place"), rhythm=rhythm) as found:
        looked(found, HOUR)
        with schedule(found) as running:
            at = next_look(running)
    assert (at.hour, at > now) == ((now.hour + 12) % 24, True)


def test_looks_come_in_their_rhythm(tmp_path):
    place = Place("place")
    with app(tmp_path, place, rhythm=Rhythm(every=0.05)) as found, schedule(found):
        until(lambda: place.looks >= 5, "five looks")
    assert place.most == 1


def test_jitter_makes_looks_later_and_never_earlier(tmp_path):
    rhythm = Rhythm(every=3600.0, jitter=600.0)
    with app(tmp_path, Place("place"), rhythm=rhythm) as found:
        looked(found, 20 * MINUTE)
        due = datetime.now(UTC) + 40 * MINUTE
        moments = []
        for _ in range(5):
            with schedule(found) as running:
                moments.append(next_look(running))
    assert all(due - MINUTE < moment < due + 11 * MINUTE for moment in moments)
    assert len(set(moments)) > 1


def test_a_paused_source_is_left_out_until_somebody_asks(tmp_path):
    place = Place("place")
    with app(tmp_path, place, rhythm=Rhythm(every=0.05)) as found:
        found.ledger.pause("place", paused=True)
        other = Chore("other", 0.2, lambda: seen.append(place.looks))
        seen: list[int] = []
        with schedule(found, other) as running:
            until(lambda: len(seen) >= 2, "time to go by")
            assert place.looks == 0
            found.ledger.ask_look("place", found.clock())
            running.attend()
            until(lambda: found.ledger.sources()[0].asked_at is None, "the look")
            assert place.looks == 1
            found.ledger.pause("place", paused=False)
            until(lambda: place.looks >= 3, "the rhythm again")


def test_what_was_asked_for_is_had_once_also_while_a_look_is_under_way(tmp_path):
    place = Place("place")
    place.open.clear()
    with app(tmp_path, place) as found, schedule(found) as running:
        until(lambda: place.inside == 1, "the first look")
        found.ledger.ask_look("place", found.clock())
        for _ in range(3):
            running.attend()
        place.open.set()
        until(lambda: not running.looks.is_busy("place"), "its end")
        assert found.ledger.sources()[0].asked_at is not None  # asked after it had begun
        running.attend()
        until(lambda: found.ledger.sources()[0].asked_at is None, "the second look")
        running.attend()
    assert (place.looks, place.most) == (2, 1)


def test_a_source_that_hangs_or_fails_holds_up_no_other(tmp_path):
    hung, broken, fine = Place("hung"), Place("broken"), Place("fine")
    hung.open.clear()
    broken.error = UnreachableError("no route to host")
    rhythm = Rhythm(every=0.05)
    with app(tmp_path, hung, broken, fine, rhythm=rhythm) as found, schedule(found):
        until(lambda: fine.looks >= 3, "looks at what answers")
        until(lambda: {s.name for s in found.ledger.sources()} >= {"broken", "fine"}, "a record")
        states = {state.name: state for state in found.ledger.sources()}
        assert states["broken"].last_error == "no route to host"
        broken.error = None
        until(
            lambda: any(
                state.last_success for state in found.ledger.sources() if state.name == "broken"
            ),
            "what was broken to be looked at again",
        )
        assert hung.inside == 1
        hung.open.set()


def test_a_nights_look_that_failed_is_not_put_off_to_the_next_night(tmp_path):
    place = Place("place", error=UnreachableError("no route to host"))
    with app(tmp_path, place, rhythm=NIGHTLY) as found, schedule(found) as running:
        until(lambda: next_look(running) < datetime.now(UTC) + 2 * MINUTE, "another attempt")
        assert next_look(running) > datetime.now(UTC) + MINUTE / 2
    assert last_success(found) is None


def test_a_bug_in_a_source_is_written_down_and_ends_nothing(tmp_path):
    place = Place("place", error=KeyError("name"))
    with app(tmp_path, place, rhythm=Rhythm(every=0.05)) as found, schedule(found):
        until(found.ledger.sources, "a record")
        (state,) = found.ledger.sources()
        assert state.last_error == (
            "an error in auditor itself, KeyError: 'name'; please report it"
        )
        place.error = None
        until(lambda: last_success(found) is not None, "the next look")


def hint(number: int, model: str, at: datetime) -> Hint:
    return Hint(str(number), "place", model, at)


def test_hints_are_followed_once_each_model_also_of_a_paused_source(tmp_path):
    place = Place("place", [version("net", 1), version("other", 1)])
    with app(tmp_path, place) as found:
        looked(found, MINUTE)
        found.ledger.pause("place", paused=True)
        for number, model in enumerate(["net", "net", "gone", "net"]):
            found.ledger.hint(hint(number, model, found.clock()))
        with schedule(found) as running:
            running.attend()
            until(lambda: not found.ledger.hints(), "all hints to be followed")
        assert (sorted(place.asked), place.looks) == (["gone", "net"], 0)
        assert found.ledger.states()["pending"] == 1


def test_a_hint_that_cannot_be_followed_now_stays(tmp_path):
    place = Place("place", error=UnreachableError("no route to host"))
    with app(tmp_path, place) as found:
        looked(found, MINUTE)
        found.ledger.hint(hint(1, "net", found.clock()))
        with schedule(found) as running:
            running.attend()
            until(lambda: place.asked and not running.looks.is_busy("place"), "the attempt")
            until(lambda: not running.looks.may_follow("place"), "a pause")
            assert len(found.ledger.hints()) == 1
            place.error = None
            running.looks._watch("place").hints_at = 0.0  # the pause is over
            running.attend()
            until(lambda: not found.ledger.hints(), "the hint to be followed")


def test_hints_of_a_source_nobody_configured_are_dropped(tmp_path):
    with app(tmp_path, Place("place")) as found:
        looked(found, MINUTE)
        found.ledger.hint(Hint("1", "elsewhere", "net", found.clock()))
        with schedule(found) as running:
            running.attend()
            until(lambda: not found.ledger.hints(), "the hint to be dropped")


@pytest.mark.parametrize("hours", [-1, -1000])
def test_a_clock_set_back_silences_nobody(tmp_path, hours):
    clock = Clock(off=-hours * HOUR)  # ahead of what it will be set to
    with app(tmp_path, Place("place"), rhythm=Rhythm(every=600.0), clock=clock) as found:
        looked(found, MINUTE)
        with schedule(found) as running:
            assert next_look(running) > datetime.now(UTC) - hours * HOUR
            clock.off = timedelta()
            running.rearm()
            assert next_look(running) <= datetime.now(UTC) + 10 * MINUTE


def test_after_a_clock_was_set_forward_what_was_missed_is_had_once(tmp_path):
    clock, place = Clock(), Place("place")
    with app(tmp_path, place, clock=clock) as found:
        looked(found, MINUTE)
        with schedule(found) as running:
            clock.off = 8 * HOUR
            running.rearm()
            until(lambda: place.looks == 1, "the look")
            until(lambda: not running.looks.is_busy("place"), "its end")
            assert next_look(running) > datetime.now(UTC) + 50 * MINUTE


def test_a_chore_that_fails_is_done_again(tmp_path):
    done: list[int] = []

    def chore() -> None:
        done.append(1)
        raise UnreachableError("no route to host")

    with app(tmp_path, Place("place")) as found, schedule(found, Chore("chore", 0.05, chore)):
        until(lambda: len(done) >= 3, "three attempts")


def test_what_every_process_does_needs_no_schedule_of_sources():
    done: list[int] = []
    with Chores((Chore("chore", 0.05, lambda: done.append(1)),)):
        until(lambda: len(done) >= 3, "three times")
