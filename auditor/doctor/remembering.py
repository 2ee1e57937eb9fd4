"""The ledger, and what results are delivered to."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from auditor.amounts import as_size
from auditor.app import now
from auditor.doctor.symptoms import Symptom, clock
from auditor.errors import LedgerError
from auditor.ledger import Ledger
from auditor.ledger.checkup import Checkup
from auditor.ledger.standing import Outbox
from auditor.sinks import Sink
from auditor.sinks.files import Files
from auditor.status.disks import nearest

WAL = "wal"


def ledger_symptoms(ledger: Ledger | None) -> Iterator[Symptom]:
    """The database itself, and what it has; None: there is none yet.

    Raises
    ------
    LedgerError
        If it cannot be read now.
    """
    if ledger is None:
        yield Symptom("ledger", "none yet; the first run makes it")
        return
    found = ledger.checkup()
    yield _database(found)
    if found.now is not None:
        yield clock("the ledger's server", found.now, now())
    counts = ", ".join(f"{count} {state}" for state, count in ledger.states().items() if count)
    yield Symptom("versions", counts or "none yet")


def _database(found: Checkup) -> Symptom:
    about = f"{found.kind}, schema {found.revision}, {as_size(found.size)}"
    if found.damage:
        damage = " ".join(found.damage.split())
        return Symptom(
            "ledger",
            f"{about}: the file is damaged: {damage}; stop everything that uses it, and restore "
            "the newest backup",
            fine=False,
        )
    if found.journal and found.journal != WAL:
        return Symptom(
            "ledger",
            f"{about}, journal mode {found.journal}, expected {WAL}: readers and writers wait for "
            "each other; move the file to a disk of this machine, or use PostgreSQL",
            fine=False,
        )
    if found.journal:
        checked = "checked" if found.was_checked else "too large to be checked here"
        return Symptom("ledger", f"{about}, journal mode {found.journal}, {checked}")
    return Symptom("ledger", about)


def sink_symptoms(sinks: Sequence[Sink], ledger: Ledger | None) -> Iterator[Symptom]:
    """Whether results can be written.

    What may be written to a registry cannot be asked of it: that the newest result arrived
    says it, and what fails says why.
    """
    arrived, waiting = dict[str, datetime](), dict[str, Outbox]()
    if ledger is not None:
        with suppress(LedgerError):  # which was said of the ledger itself
            arrived = ledger.last_delivered()
            waiting = {box.name: box for box in ledger.outboxes()}
    for sink in sinks:
        yield _sink(sink, arrived.get(sink.name), waiting.get(sink.name))


def _sink(sink: Sink, arrived: datetime | None, waiting: Outbox | None) -> Symptom:
    what = f"sink {sink.name}"
    if isinstance(sink, Files):
        folder = nearest(sink.folder.absolute())
        if not os.access(folder, os.W_OK | os.X_OK):
            return Symptom(
                what, f"{folder} may not be written to; let this user write there", fine=False
            )
    if waiting is not None and waiting.failing:
        reason = f"{waiting.failing} results could not be delivered: {waiting.reason}"
        return Symptom(what, f"{reason}; they are tried again by themselves", fine=False)
    if arrived is not None:
        return Symptom(what, f"took a result at {arrived:%Y-%m-%d %H:%M} UTC")
    return Symptom(what, "nothing was delivered yet, so that its rights are not checked")
