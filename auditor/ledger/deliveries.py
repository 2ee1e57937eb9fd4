"""The outbox: what still has to reach a sink."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from auditor.ledger.models import AuditRow, DeliveryRow, DeliveryState
from auditor.ledger.work import doublings

LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An audit that a sink has not got yet."""

    id: int
    audit_id: str  # the document's id
    sink: str
    attempts: int  # that failed


def due(session: Session, at: datetime) -> list[Delivery]:
    """What may be delivered now, oldest first."""
    return [_delivery(row, document_id) for row, document_id in session.execute(_due(at))]


def delivered(session: Session, delivery_id: int, at: datetime) -> None:
    """The sink has it."""
    row = session.get_one(DeliveryRow, delivery_id)
    row.state = DeliveryState.DELIVERED
    row.delivered_at = at
    row.reason = None


def undelivered(
    session: Session, delivery_id: int, reason: str, at: datetime, pause: timedelta
) -> None:
    """The sink failed; it is tried again after a pause that doubles each time."""
    row = session.get_one(DeliveryRow, delivery_id)
    row.next_at = at + min(pause * doublings(row.attempts), LONGEST_PAUSE)
    row.attempts += 1
    row.reason = reason


def _due(at: datetime) -> Select[DeliveryRow, str]:
    return (
        select(DeliveryRow, AuditRow.document_id)
        .join(AuditRow)
        .where(DeliveryRow.state == DeliveryState.PENDING, DeliveryRow.next_at <= at)
        .order_by(DeliveryRow.id)
    )


def _delivery(row: DeliveryRow, document_id: str) -> Delivery:
    return Delivery(row.id, document_id, row.sink, row.attempts)
