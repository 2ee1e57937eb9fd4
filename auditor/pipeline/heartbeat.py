"""A claim kept alive while its version is worked on."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta

from auditor.errors import LedgerError
from auditor.pipeline.parts import App
from auditor.records import ModelVersion

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)  # without a heartbeat for so long, a version is another's
BEATS = 5  # of a lease: a database that is away for some minutes costs nobody the version


@contextmanager
def beating(version: ModelVersion, app: App) -> Iterator[None]:
    """Renew the lease on a version, from a thread of its own, inside the ``with`` block."""
    over = threading.Event()
    run = copy_context().run  # so that what it logs says which version it is about
    thread = threading.Thread(target=run, args=(_beat, version, app, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat(version: ModelVersion, app: App, over: threading.Event) -> None:
    """Until told, or until the version is another's: what is found then is not saved."""
    while not over.wait(LEASE.total_seconds() / BEATS):
        try:
            held = app.ledger.renew(version, app.owner, app.clock(), LEASE)
        except LedgerError as error:
            log.warning("%s", error, extra={"event": "lease.unrenewed"})
            continue
        if not held:
            log.warning("%s is another's now", version.id, extra={"event": "lease.lost"})
            return
