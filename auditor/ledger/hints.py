"""Hints: somebody says that a model may have changed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from auditor.ledger.models import HintRow


@dataclass(frozen=True, slots=True)
class Hint:
    """Look at this model of this source."""

    id: str
    source: str
    model: str
    received_at: datetime


def add(session: Session, hint: Hint) -> bool:
    """Write a hint down; False where the same one came before."""
    if session.get(HintRow, hint.id) is not None:
        return False
    row = HintRow(id=hint.id, source=hint.source, model=hint.model, received_at=hint.received_at)
    session.add(row)
    return True


def waiting(session: Session) -> list[Hint]:
    """Hints nobody has followed yet, oldest first."""
    query = select(HintRow).where(HintRow.done_at.is_(None))
    rows = session.scalars(query.order_by(HintRow.received_at, HintRow.id))
    return [Hint(row.id, row.source, row.model, row.received_at) for row in rows]


def followed(session: Session, source: str, model: str, since: datetime, at: datetime) -> None:
    """A model was looked at: what was received until the look began is done."""
    session.execute(
        update(HintRow)
        .where(HintRow.source == source, HintRow.model == model)
        .where(HintRow.done_at.is_(None), HintRow.received_at <= since)
        .values(done_at=at)
        .execution_options(synchronize_session=False)
    )
