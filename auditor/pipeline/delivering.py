"""Audits on their way out: each to its sink, alone, and again later where that failed."""

import logging
from datetime import timedelta

from auditor.document import Document
from auditor.errors import SinkError
from auditor.pipeline.parts import App, Outcome
from auditor.sinks import Sink

log = logging.getLogger(__name__)

PAUSE = timedelta(minutes=1)  # before a delivery that failed is tried again; doubled each time
TAKEN = timedelta(minutes=15)  # a delivery is nobody else's for so long


def deliver(app: App, outcome: Outcome) -> None:
    """Give every due audit to its sink; one that fails is tried again later, alone."""
    for delivery in app.ledger.take_due(app.clock(), TAKEN):
        audit, sink = app.ledger.audit(delivery.audit_id), app.sinks.get(delivery.sink)
        if audit is None or sink is None:
            continue
        if (reason := _write(sink, audit)) is None:
            app.ledger.delivered(delivery.id, app.clock())
        else:
            app.ledger.undelivered(delivery.id, reason, app.clock(), PAUSE)
            outcome.undelivered.append((delivery.sink, reason))


def _write(sink: Sink, audit: Document) -> str | None:
    """None once the sink has the audit, else why it has not."""
    try:
        sink.write(audit)
    except SinkError as error:
        log.warning("%s", error, extra={"event": "delivery.failed"})
        return str(error)
    except Exception as error:  # a bug keeps this audit from this sink, and nothing else
        log.exception("sink %s: a bug", sink.name, extra={"event": "delivery.crashed"})
        return f"an error in auditor itself, {type(error).__name__}: {error}; please report it"
    return None
