"""The threads that audit, for as long as the service runs."""

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from auditor.errors import LedgerError
from auditor.pipeline import Crew
from auditor.service.patience import Patience

log = logging.getLogger(__name__)

IDLE = 5.0  # seconds; what another process has noted, or let wait again, is found by looking
ENDING = 10.0  # seconds; a process that reads weights is ended within one


@dataclass(slots=True)
class Workers:
    """Audit what waits while it is open, `App.audits` versions at once; a context manager."""

    crew: Crew
    crashes: int = 0  # bugs that were met outside of any version
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin."""
        for number in range(self.crew.app.audits):
            thread = threading.Thread(target=self._work, name=f"audit {number}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *error: object) -> None:
        """Give back what is in work."""
        self.crew.app.stop.set()
        self.crew.bell.ring()
        end = time.monotonic() + ENDING
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        app, patience = self.crew.app, Patience()
        while not app.stop.is_set():
            try:
                if patience.failures:
                    self.crew.recover()
                self._next()
            except LedgerError as error:
                log.warning("%s", error, extra={"event": "ledger.unusable"})
            except Exception:  # a bug: the other versions do not wait for ever
                self.crashes += 1
                about = "a worker: a bug, the %d. since it began"
                log.exception(about, self.crashes, extra={"event": "worker.crashed"})
            else:
                patience.regained()
                continue
            app.stop.wait(patience.lost())

    def _next(self) -> None:
        """Audit the next version, or wait until there may be one."""
        since = self.crew.bell.rung
        claimed = self.crew.take()
        if claimed is None:
            self.crew.bell.wait(since, self._pause())
        else:
            self.crew.visit(claimed)

    def _pause(self) -> float:
        """Seconds until the next version may be due."""
        now = self.crew.app.clock()
        due = self.crew.app.ledger.next_due(now)
        left = IDLE if due is None else (due - now) / timedelta(seconds=1)
        return min(max(left, 0.1), IDLE)
