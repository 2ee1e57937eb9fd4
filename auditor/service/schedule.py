"""When the sources are looked at, and what else is done every so often."""

import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from auditor.config.crontab import following, trigger
from auditor.errors import AuditorError, LedgerError
from auditor.ledger import SourceState
from auditor.pipeline import App
from auditor.records import Rhythm
from auditor.service.looking import Looks

log = logging.getLogger(__name__)

SETTINGS = {  # of every job: late is better than never, and once is enough
    "coalesce": True,
    "max_instances": 1,
    "misfire_grace_time": None,
}
SETTLING = 60.0  # seconds until what is done once a day is done for the first time


@dataclass(frozen=True, slots=True)
class Chore:
    """Something done every so often besides looking."""

    name: str
    every: float  # seconds
    do: Callable[[], object]


@dataclass(slots=True)
class Chores:
    """What every process does every so often while it is open; a context manager."""

    chores: tuple[Chore, ...]
    _scheduler: Any = field(init=False)

    def __enter__(self) -> Self:
        """Begin."""
        self._scheduler = _scheduler()
        _add(self._scheduler, self.chores)
        self._scheduler.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Begin nothing more; what is under way is left to end by itself."""
        self._scheduler.shutdown(wait=False)


@dataclass(slots=True)
class Schedule:
    """Looks at every source in its rhythm while it is open; a context manager.

    A source that should have been looked at while nobody was there is looked at once when it
    opens; any other when its time has come.
    """

    app: App
    looks: Looks
    chores: tuple[Chore, ...] = ()
    _scheduler: Any = field(init=False)

    def __enter__(self) -> Self:
        """Begin."""
        self._scheduler = _scheduler()
        states = self._states()
        for source, rhythm in self.app.rhythms.items():
            at = self._due(rhythm, states.get(source))
            self._scheduler.add_job(
                self._look, _trigger(rhythm, at), args=[source], id=source, **_first(at)
            )
        _add(self._scheduler, self.chores)
        self._scheduler.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Begin nothing more; what is under way is left to end by itself."""
        self._scheduler.shutdown(wait=False)

    def attend(self) -> None:
        """See to what cannot wait: looks that were asked for, and hints; paused or not.

        Raises
        ------
        LedgerError
            If the ledger cannot be used now.
        """
        states = self._states()
        for state in states.values():
            watched = state.name in self.app.rhythms
            if watched and state.asked_at is not None and not self.looks.is_busy(state.name):
                self._move(state.name, datetime.now(UTC))
        hints = self.app.ledger.hints()
        for source in {hint.source for hint in hints}:
            if self.looks.may_follow(source):
                mine = [hint for hint in hints if hint.source == source]
                self._scheduler.add_job(
                    self.looks.follow,
                    args=[source, mine],
                    id=f"hints of {source}",
                    replace_existing=True,
                )

    def rearm(self) -> None:
        """The clock was set: every source is looked at as if the schedule began now."""
        states = self._states()
        for source, rhythm in self.app.rhythms.items():
            self._move(source, self._due(rhythm, states.get(source)) or datetime.now(UTC))

    def _states(self) -> dict[str, SourceState]:
        return {state.name: state for state in self.app.ledger.sources()}

    def _due(self, rhythm: Rhythm, state: SourceState | None) -> datetime | None:
        """When a source should be looked at next; None: now, as it should have been before."""
        if state is None or state.last_success is None:
            return None
        now = self.app.clock()
        due = following(rhythm, min(state.last_success, now))  # later, where the clock was wrong
        return due if due > now else None

    def _look(self, source: str) -> None:
        """As scheduled, unless it is paused and nobody has asked for it."""
        try:
            state = self._states().get(source)
            if state is not None and state.paused and state.asked_at is None:
                return
            again = self.looks.look(source)
        except LedgerError as error:
            log.warning("%s", error, extra={"event": "ledger.unusable"})
            again = self.looks.app.rhythms[source].every or 60.0
        if again is not None:
            self._no_later(source, datetime.now(UTC) + timedelta(seconds=again))

    def _no_later(self, source: str, at: datetime) -> None:
        """A night's look that failed is not put off to the next night."""
        job = self._scheduler.get_job(source)
        if job is not None and at < job.next_run_time:
            self._move(source, at)

    def _move(self, source: str, at: datetime) -> None:
        with suppress(JobLookupError):  # the schedule has ended in the meantime
            self._scheduler.modify_job(source, next_run_time=at)


def _scheduler() -> Any:  # noqa: ANN401 - the library's
    library = logging.getLogger("apscheduler")
    if library.level == logging.NOTSET:
        library.setLevel(logging.ERROR)  # it warns at every tick while a slow look goes on
    return BackgroundScheduler(
        executors={"default": Daemons()}, job_defaults=SETTINGS, timezone=UTC
    )


def _add(scheduler: Any, chores: tuple[Chore, ...]) -> None:  # noqa: ANN401 - the library's
    for chore in chores:
        first = datetime.now(UTC) + timedelta(seconds=min(chore.every, SETTLING))
        every = IntervalTrigger(seconds=chore.every, start_date=first, timezone=UTC)
        scheduler.add_job(_done, every, args=[chore], id=f"chore {chore.name}")


def _done(chore: Chore) -> None:
    """Do a chore; what goes wrong is tried again when it is due again."""
    try:
        chore.do()
    except AuditorError as error:
        log.warning("%s: %s", chore.name, error, extra={"event": "chore.failed"})


def _trigger(rhythm: Rhythm, first: datetime | None) -> Any:  # noqa: ANN401 - the library's
    jitter = rhythm.jitter or None
    if rhythm.cron is None:
        return IntervalTrigger(seconds=rhythm.every, start_date=first, timezone=UTC, jitter=jitter)
    found = trigger(rhythm.cron, rhythm.timezone)
    found.jitter = jitter
    return found


def _first(at: datetime | None) -> dict[str, datetime]:
    """When the first look is; left to the trigger, unless that is now."""
    return {"next_run_time": datetime.now(UTC)} if at is None else {}


class Daemons(BaseExecutor):  # type: ignore[misc]
    """A thread for each job; one that hangs does not keep the program from ending."""

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:  # noqa: ANN401
        thread = threading.Thread(
            target=self._run, args=(job, run_times), name=f"job {job.id}", daemon=True
        )
        thread.start()

    def _run(self, job: Any, run_times: list[datetime]) -> None:  # noqa: ANN401
        try:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)
        except BaseException:  # noqa: BLE001 - handed to the library, which logs it
            self._run_job_error(job.id, *sys.exc_info()[1:])
        else:
            self._run_job_success(job.id, events)
