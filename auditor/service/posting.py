"""Audits on their way out: a thread for each sink, so that one that hangs holds up nobody."""

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Self

from auditor.errors import LedgerError
from auditor.pipeline import App, Bell, Courier
from auditor.service.patience import Patience

log = logging.getLogger(__name__)

IDLE = 5.0  # seconds; nobody rings when a pause is over, or when another process has audited
LEAVE = 8.0  # seconds; a delivery under way that takes longer is left, and made again


@dataclass(slots=True)
class Posts:
    """Delivers what is due while it is open; a context manager."""

    app: App
    bell: Bell
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin."""
        for sink in self.app.sinks:
            thread = threading.Thread(
                target=self._post, args=(sink,), name=f"sink {sink}", daemon=True
            )
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *error: object) -> None:
        """Finish what is under way, if that does not take long."""
        self._over.set()
        self.bell.ring()
        end = time.monotonic() + LEAVE
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _post(self, sink: str) -> None:
        patience, courier = Patience(), Courier(sink, self.app)
        while not self._over.is_set():
            since, pause = self.bell.rung, IDLE
            try:
                there, _ = courier.carry(self.app.clock())
                patience.regained()
            except LedgerError as error:
                log.warning("%s", error, extra={"event": "ledger.unusable"})
                there, pause = False, patience.lost()
            except Exception:  # a bug: this sink goes on with what is due later
                log.exception("sink %s: a bug", sink, extra={"event": "delivery.crashed"})
                courier = Courier(sink, self.app)
                there, pause = False, patience.lost()
            if not there:
                self.bell.wait(since, pause)
