"""Whether the database itself is sound."""

from dataclasses import dataclass
from datetime import UTC, datetime

from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from auditor.ledger.models import DeliveryRow
from auditor.ledger.opening import VERSION_TABLE

LARGEST = 2 << 30  # bytes of a file that is checked whole: this takes half a minute from a disk


@dataclass(frozen=True, slots=True)
class Checkup:
    """A database, looked at."""

    kind: str  # sqlite or postgresql
    revision: str  # of its tables
    size: int  # bytes
    journal: str  # of SQLite: wal, or what it is instead; empty elsewhere
    damage: str  # what SQLite finds wrong in its file; empty where nothing
    was_checked: bool  # a file of more than `LARGEST` bytes is not, nor is another database
    now: datetime | None  # of a server's clock; None where there is no server


def checkup(session: Session) -> Checkup:
    """Look at the database a session is of."""
    connection = session.connection()
    kind = connection.dialect.name
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    revision = context.get_current_revision() or ""
    if kind != "sqlite":
        size = session.scalar(text("SELECT pg_database_size(current_database())")) or 0
        now = session.scalar(text("SELECT clock_timestamp()"))
        moment = now.astimezone(UTC) if now is not None else None
        return Checkup(kind, revision, size, "", "", was_checked=False, now=moment)
    pages, page = (
        int(session.scalar(text(f"PRAGMA {name}")) or 0) for name in ("page_count", "page_size")
    )
    size = pages * page
    journal = str(session.scalar(text("PRAGMA journal_mode")))
    said = str(session.scalar(text("PRAGMA quick_check(1)"))) if size <= LARGEST else "ok"
    damage = "" if said == "ok" else said
    return Checkup(kind, revision, size, journal, damage, was_checked=size <= LARGEST, now=None)


def delivered(session: Session) -> dict[str, datetime]:
    """When each sink took something last."""
    query = (
        select(DeliveryRow.sink, func.max(DeliveryRow.delivered_at))
        .where(DeliveryRow.delivered_at.is_not(None))
        .group_by(DeliveryRow.sink)
    )
    return {sink: at for sink, at in session.execute(query) if at is not None}
