"""What a service asks of the queue besides work: who holds what, and when there is more."""

from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from auditor.ledger.deliveries import Delivery
from auditor.ledger.models import (
    AuditRow,
    ClaimRow,
    DeliveryRow,
    DeliveryState,
    NoticeRow,
    SourceRow,
    State,
    VersionRow,
)
from auditor.records import ModelVersion

LATEST = 20  # audits that tell how long the next ones take


def next_due(session: Session, at: datetime) -> datetime | None:
    """When the first pause of a waiting version, or lease of one in work, ends after `at`."""
    pause = select(func.min(ClaimRow.next_at)).where(
        ClaimRow.state == State.PENDING, ClaimRow.next_at > at
    )
    lease = select(func.min(ClaimRow.lease_until)).where(
        ClaimRow.state == State.RUNNING, ClaimRow.lease_until > at
    )
    moments = [session.scalar(query) for query in (pause, lease)]
    return min((moment for moment in moments if moment is not None), default=None)


def held(session: Session, owner: str) -> list[ModelVersion]:
    """The versions an owner has claimed."""
    query = select(VersionRow).join(ClaimRow)
    found = query.where(ClaimRow.state == State.RUNNING, ClaimRow.owner == owner)
    return [row.record for row in session.scalars(found)]


def looked(session: Session, source: str, since: datetime) -> None:
    """A look asked for until `since` was had."""
    session.execute(
        update(SourceRow)
        .where(SourceRow.name == source, SourceRow.asked_at <= since)
        .values(asked_at=None)
        .execution_options(synchronize_session=False)
    )


def take_next(session: Session, sink: str, at: datetime, lease: timedelta) -> Delivery | None:
    """The oldest delivery to a sink that is due; for `lease` it is due to nobody else."""
    query = (
        select(DeliveryRow, AuditRow.document_id)
        .join(AuditRow)
        .where(DeliveryRow.state == DeliveryState.PENDING, DeliveryRow.sink == sink)
        .where(DeliveryRow.next_at <= at)
        .order_by(DeliveryRow.id)
        .limit(1)
    )
    found = session.execute(query).first()
    if found is None:
        return None
    row, document_id = found
    row.next_at = at + lease
    return Delivery(row.id, document_id, row.sink, row.attempts)


def pace(session: Session) -> float | None:
    """Seconds that a byte of weights took in the latest audits that measured anything."""
    query = select(AuditRow.document).order_by(AuditRow.id.desc()).limit(LATEST)
    seconds, size = 0.0, 0
    for document in session.scalars(query):
        spent = document["timing"]["seconds"]
        if spent > 0:
            seconds += spent
            size += sum(file["size"] for file in document["weights"]["files"])
    return seconds / size if size else None


def hand_over(session: Session, at: datetime) -> None:
    """What went out and was neither delivered nor failed is due: who had it is gone."""
    for table in (DeliveryRow, NoticeRow):
        session.execute(
            update(table)
            .where(table.state == DeliveryState.PENDING, table.attempts == 0)
            .where(table.next_at > at)
            .values(next_at=at)
            .execution_options(synchronize_session=False)
        )


def end_pauses(session: Session, at: datetime) -> None:
    """Nothing that waits has to wait longer: the clock it was to wait by was wrong."""
    session.execute(
        update(ClaimRow)
        .where(ClaimRow.state == State.PENDING, ClaimRow.next_at > at)
        .values(next_at=at)
        .execution_options(synchronize_session=False)
    )
    for table in (DeliveryRow, NoticeRow):
        session.execute(
            update(table)
            .where(table.state == DeliveryState.PENDING, table.next_at > at)
            .values(next_at=at)
            .execution_options(synchronize_session=False)
        )
