"""Audits on their way out: each to its sink, alone, and again later where that failed."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.document import Document
from auditor.errors import SinkError
from auditor.ledger import Delivery
from auditor.pipeline.parts import App, Outcome
from auditor.sinks import Sink

log = logging.getLogger(__name__)

PAUSE = timedelta(minutes=1)  # before a delivery that failed is tried again; doubled each time
TAKEN = timedelta(minutes=15)  # a delivery is nobody else's for so long


def deliver(app: App, outcome: Outcome) -> None:
    """Give every due audit to its sink, the sinks side by side."""
    at = app.clock()  # what fails from now on is due later: it is tried once
    with ThreadPoolExecutor(len(app.sinks) or 1, thread_name_prefix="sink") as pool:
        for failed in pool.map(lambda sink: _deliver_all(sink, app, at), app.sinks):
            outcome.undelivered += failed


@dataclass(slots=True)
class Courier:
    """Takes audits to a sink, one after the other.

    Where the ledger cannot be used for a while, it goes on at the step that failed: nobody
    else may take what it has in its hands, and the sink is not written to again.
    """

    sink: str
    app: App
    _held: Delivery | None = None
    _said: str | None = None  # by the sink, of what is held; None: it was not asked yet

    def carry(self, at: datetime) -> tuple[bool, str]:
        """Give the sink the oldest audit that is due at `at`.

        Returns
        -------
        tuple of bool and str
            Whether there was one, and why the sink has not taken it; empty where it has.

        Raises
        ------
        LedgerError
            If the ledger cannot be used now.
        """
        self._held = held = self._held or self.app.ledger.take_next(self.sink, at, TAKEN)
        if held is None:
            return False, ""
        if self._said is None:
            self._said = self._hand(held)
        reason = self._said
        if reason:
            self.app.ledger.undelivered(held.id, reason, self.app.clock(), PAUSE)
        else:
            self.app.ledger.delivered(held.id, self.app.clock())
        self._held = self._said = None
        return True, reason

    def _hand(self, held: Delivery) -> str:
        audit = self.app.ledger.audit(held.audit_id)
        if audit is None:
            return "the ledger does not have it any more"
        return _write(self.app.sinks[self.sink], audit)


def _deliver_all(sink: str, app: App, at: datetime) -> list[tuple[str, str]]:
    """Everything due to a sink; what it did not take, with the reason."""
    failed, there, courier = [], True, Courier(sink, app)
    while there and not app.stop.is_set():
        there, reason = courier.carry(at)
        if reason:
            failed.append((sink, reason))
    return failed


def _write(sink: Sink, audit: Document) -> str:
    """Empty once the sink has the audit, else why it has not."""
    try:
        sink.write(audit)
    except SinkError as error:
        log.warning("%s", error, extra={"event": "delivery.failed"})
        return str(error)
    except Exception as error:  # a bug keeps this audit from this sink, and nothing else
        log.exception("sink %s: a bug", sink.name, extra={"event": "delivery.crashed"})
        return f"an error in auditor itself, {type(error).__name__}: {error}; please report it"
    return ""
