"""The one process among those that share a ledger that looks, delivers, tells and tidies."""

import logging
import threading
from dataclasses import dataclass, field
from typing import Self

from auditor.app import reclaim
from auditor.errors import LedgerError
from auditor.ledger.lead import Lead
from auditor.pipeline import App, Bell
from auditor.service.clocks import WallClock
from auditor.service.looking import Looks
from auditor.service.patience import Patience
from auditor.service.posting import Posts
from auditor.service.schedule import Chore, Schedule

log = logging.getLogger(__name__)

TICK = 1.0  # seconds between looks at what was asked for by way of the ledger
STAND_BY = 2.0  # seconds between attempts to lead
ENDING = 10.0  # seconds; more than posts wait for a delivery


@dataclass(slots=True)
class Leading:
    """Leads when nobody else does, while it is open; a context manager."""

    app: App
    lead: Lead
    bell: Bell
    chores: tuple[Chore, ...] = ()
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="leader", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Let somebody else lead."""
        self.app.stop.set()
        self.bell.ring()
        self._thread.join(ENDING)
        self.lead.drop()

    def _run(self) -> None:
        patience = Patience(STAND_BY)
        while not self.app.stop.is_set():
            try:
                if self.lead.take():
                    self._lead()
                patience.regained()
                pause = STAND_BY
            except LedgerError as error:
                log.warning("%s", error, extra={"event": "ledger.unusable"})
                pause = patience.lost()
            except Exception:  # a bug: leading is begun anew
                log.exception("the leader: a bug", extra={"event": "leader.crashed"})
                pause = patience.lost()
            self.app.stop.wait(pause)

    def _lead(self) -> None:
        """Until told to end, or until the lead is lost."""
        self.app.ledger.hand_over(self.app.clock())
        reclaim(self.app.ledger)  # who led before may have died, with versions in work
        self.bell.ring()
        log.info("this process leads", extra={"event": "leader.gained"})
        looks = Looks(self.app, self.bell)
        try:
            with Posts(self.app, self.bell), Schedule(self.app, looks, self.chores) as schedule:
                try:
                    self._watch(schedule)
                finally:
                    looks.over.set()  # what a look still finds is for the next leader to note
        finally:
            log.info("this process leads no more", extra={"event": "leader.lost"})

    def _watch(self, schedule: Schedule) -> None:
        clock, patience = WallClock(self.app.clock), Patience(TICK)
        while not self.app.stop.is_set() and self.lead.held():
            since, pause = self.bell.rung, TICK
            try:
                self._attend(schedule, clock)
                patience.regained()
            except LedgerError as error:
                log.warning("%s", error, extra={"event": "ledger.unusable"})
                pause = patience.lost()
            self.bell.wait(since, pause)

    def _attend(self, schedule: Schedule, clock: WallClock) -> None:
        step = clock.moved()
        if step:
            log.warning("the clock was set by %+.0f s", step, extra={"event": "clock.set"})
            if step < 0:
                self.app.ledger.end_pauses(self.app.clock())
            schedule.rearm()
            self.bell.ring()
        schedule.attend()
