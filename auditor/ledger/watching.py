"""How the sources are: their cursors, pauses and troubles; and what is older than watched."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from auditor.ledger.models import (
    ClaimRow,
    DeliveryRow,
    DeliveryState,
    SourceRow,
    State,
    VersionRow,
)
from auditor.ledger.order import newest_first
from auditor.ledger.urgency import level
from auditor.records import ModelVersion, Priority


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source as it was met last."""

    name: str
    cursor: str | None
    last_success: datetime | None
    last_error: str | None  # None when it answered last time
    failed_at: datetime | None
    paused: bool = False
    asked_at: datetime | None = None  # when somebody asked for a look that has not been had yet
    troubles: Mapping[str, str] = field(default_factory=dict)  # model -> why it is not seen
    remarks: Mapping[str, str] = field(default_factory=dict)  # what else it said


def reached(
    session: Session,
    source: str,
    cursor: str | None,
    remarks: Mapping[str, str] | None,
) -> None:
    """Record how far a sweep came; without a new cursor the old one stays."""
    row = source_row(session, source)
    row.cursor = row.cursor if cursor is None else cursor
    row.remarks = row.remarks if remarks is None else dict(remarks)


def succeeded(session: Session, source: str, at: datetime) -> None:
    """Record a sweep that came through."""
    row = source_row(session, source)
    if row.last_error is not None:
        _is_back(session, source, at)
    row.last_success = at
    row.last_error = None


def _is_back(session: Session, source: str, at: datetime) -> None:
    """What waited for a source, to be read from or written to, need not wait longer."""
    of_source = select(VersionRow.id).where(VersionRow.source == source)
    waits = (ClaimRow.state == State.PENDING, ClaimRow.waits_since.is_not(None))
    versions = update(ClaimRow).where(ClaimRow.version_id.in_(of_source), *waits)
    session.execute(versions.values(next_at=None))
    failed = (DeliveryRow.state == DeliveryState.PENDING, DeliveryRow.attempts > 0)
    deliveries = update(DeliveryRow).where(DeliveryRow.sink == source, *failed)
    session.execute(deliveries.values(next_at=at))


def unreachable(session: Session, source: str, error: str, at: datetime) -> None:
    """Record a sweep that failed; the cursor stays."""
    row = source_row(session, source)
    row.last_error = error
    row.failed_at = at


def pause(session: Session, source: str, *, paused: bool) -> None:
    """Whether the schedule leaves the source out from now on."""
    source_row(session, source).paused = paused


def ask(session: Session, source: str, at: datetime | None) -> None:
    """Somebody wants a look now; None: it was had."""
    source_row(session, source).asked_at = at


def sources(session: Session) -> list[SourceState]:
    """Every source met so far, by name."""
    rows = session.scalars(select(SourceRow).order_by(SourceRow.name))
    return [
        SourceState(
            name=row.name,
            cursor=row.cursor,
            last_success=row.last_success,
            last_error=row.last_error,
            failed_at=row.failed_at,
            paused=row.paused,
            asked_at=row.asked_at,
            troubles=row.troubles,
            remarks=row.remarks,
        )
        for row in rows
    ]


def backfill(session: Session, source: str, model: str | None, versions: int | None) -> int:
    """Let the newest `versions` of each model's history wait for an audit; how many do now."""
    found = _history(session, source, model, versions)
    for _, claim in found:
        claim.state = State.PENDING
        claim.priority = Priority.BACKFILL
    level(session, source, {version.model for version, _ in found})
    return len(found)


def older(
    session: Session, source: str, model: str | None, versions: int | None
) -> list[ModelVersion]:
    """The versions that `backfill` would let wait, newest first."""
    return [version.record for version, _ in _history(session, source, model, versions)]


def _history(
    session: Session, source: str, model: str | None, versions: int | None
) -> list[tuple[VersionRow, ClaimRow]]:
    """The newest `versions` of each model's history, None: all of it."""
    query = (
        select(VersionRow, ClaimRow)
        .join(ClaimRow)
        .where(VersionRow.source == source, ClaimRow.state == State.HISTORY)
        .order_by(*newest_first())
    )
    if model is not None:
        query = query.where(VersionRow.model == model)
    taken: dict[str, int] = defaultdict(int)
    found = []
    for version, claim in session.execute(query):
        taken[version.model] += 1
        if versions is None or taken[version.model] <= versions:
            found.append((version, claim))
    return found


def source_row(session: Session, name: str) -> SourceRow:
    """The row of a source, made when it is first needed."""
    row = session.get(SourceRow, name)
    if row is None:
        row = SourceRow(name=name)
        session.add(row)
        session.flush()  # what it begins with is filled in
    return row
