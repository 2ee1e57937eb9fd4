"""Audits on their way out: each to its sink, alone, and again later where that failed."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from auditor.document import Document
from auditor.errors import SinkError
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


def deliver_next(sink: str, app: App, at: datetime) -> tuple[bool, str]:
    """Give a sink the oldest audit that is due at `at`.

    Returns
    -------
    tuple of bool and str
        Whether there was one, and why the sink has not taken it; empty where it has.
    """
    delivery = app.ledger.take_next(sink, at, TAKEN)
    if delivery is None:
        return False, ""
    audit = app.ledger.audit(delivery.audit_id)
    reason = _write(app.sinks[sink], audit) if audit else "the ledger does not have it any more"
    if reason:
        app.ledger.undelivered(delivery.id, reason, app.clock(), PAUSE)
    else:
        app.ledger.delivered(delivery.id, app.clock())
    return True, reason


def _deliver_all(sink: str, app: App, at: datetime) -> list[tuple[str, str]]:
    """Everything due to a sink; what it did not take, with the reason."""
    failed, there = [], True
    while there and not app.stop.is_set():
        there, reason = deliver_next(sink, app, at)
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
