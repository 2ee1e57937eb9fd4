"""What is kept for some time only: replaced audits, and messages that have arrived."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from auditor.ledger.models import (
    AuditRow,
    DecisionRow,
    DeliveryRow,
    DeliveryState,
    FindingRow,
    HintRow,
    LayerRow,
    NoticeRow,
    VersionRow,
)
from auditor.ledger.order import is_replaced

BATCH = 100  # audits in one transaction: others write in between


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows were removed, and no longer count for anything."""

    audits: int = 0
    deliveries: int = 0
    hints: int = 0
    notices: int = 0


def audits_before(session: Session, before: datetime, after: int) -> list[int]:
    """Numbers of the next `BATCH` audits saved before then, above `after`."""
    query = select(AuditRow.id).where(AuditRow.id > after, AuditRow.saved_at < before)
    return list(session.scalars(query.order_by(AuditRow.id).limit(BATCH)))


def forget_audits(session: Session, among: Sequence[int]) -> int:
    """Remove those of these audits that nothing needs any more; how many."""
    unneeded = (is_replaced(), ~_is_decided(), ~_is_awaited(), ~_bears_a_date())
    query = (
        select(AuditRow.id)
        .join(VersionRow, VersionRow.id == AuditRow.version_id)
        .where(AuditRow.id.in_(among), *unneeded)
    )
    found = list(session.scalars(query))
    for column in (LayerRow.audit_id, FindingRow.audit_id, DeliveryRow.audit_id, AuditRow.id):
        _delete(session, column, column.in_(found))
    return len(found)


def forget_messages(session: Session, before: datetime) -> Forgotten:
    """Remove what has arrived, was replaced or was given up before then."""
    delivered = (
        (DeliveryRow.state == DeliveryState.DELIVERED) & (DeliveryRow.delivered_at < before)
    ) | ((DeliveryRow.state == DeliveryState.SUPERSEDED) & (DeliveryRow.next_at < before))
    ended = (DeliveryState.DELIVERED, DeliveryState.ABANDONED)
    sent = NoticeRow.state.in_(ended) & (NoticeRow.created_at < before)
    return Forgotten(
        deliveries=_delete(session, DeliveryRow.id, delivered),
        hints=_delete(session, HintRow.id, HintRow.done_at < before),
        notices=_delete(session, NoticeRow.id, sent),
    )


def _is_decided() -> ColumnElement[bool]:
    """Whether it is what a person saw who decided, or shows the decision.

    The first is the newest one of its version before the decision, the second was saved with it.
    """
    newer = aliased(AuditRow)
    replaced = (
        exists()
        .where(newer.version_id == AuditRow.version_id, newer.id > AuditRow.id)
        .where(newer.saved_at < DecisionRow.at)
        .correlate_except(newer)
    )
    return exists().where(
        DecisionRow.version_id == AuditRow.version_id,
        DecisionRow.at >= AuditRow.saved_at,
        ~replaced,
    )


def _is_awaited() -> ColumnElement[bool]:
    return exists().where(
        DeliveryRow.audit_id == AuditRow.id, DeliveryRow.state == DeliveryState.PENDING
    )


def _bears_a_date() -> ColumnElement[bool]:
    """Whether no later audit of the model says since when it has one of these findings."""
    bearer, later, of = aliased(FindingRow), aliased(AuditRow), aliased(VersionRow)
    repeated = (
        exists()
        .where(of.source == VersionRow.source, of.model == VersionRow.model)
        .where(later.version_id == of.id, later.id > AuditRow.id)
        .where(bearer.audit_id == later.id, bearer.check == FindingRow.check)
        .where(bearer.layer.is_not_distinct_from(FindingRow.layer))
        .correlate_except(bearer, later, of)
    )
    return exists().where(FindingRow.audit_id == AuditRow.id, ~repeated)


def _delete(
    session: Session, column: InstrumentedAttribute[Any], which: ColumnElement[bool]
) -> int:
    """Delete the rows of the column's table; how many."""
    statement = delete(column.class_).where(which)
    result = session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount
