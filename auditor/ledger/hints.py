"""Hints: somebody says that a model may have changed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from auditor.ledger.models import HintRow
from auditor.ledger.watching import source_row

MOST = 1000  # of a source that wait: to look at each of more models costs more than at all
REMEMBERED = timedelta(days=1)  # a sender tries again for minutes, the same hint later is harmless


@dataclass(frozen=True, slots=True)
class Hint:
    """Look at this model of this source."""

    id: str
    source: str
    model: str
    received_at: datetime


def add(session: Session, hint: Hint) -> bool:
    """Write a hint down; False where the same one came before.

    Where too many wait, whoever sends them, a look at the whole source is asked for instead.
    """
    if session.get(HintRow, hint.id) is not None:
        return False
    waits = (HintRow.source == hint.source, HintRow.done_at.is_(None))
    if (session.scalar(select(func.count()).select_from(HintRow).where(*waits)) or 0) >= MOST:
        source_row(session, hint.source).asked_at = hint.received_at
        return True
    row = HintRow(id=hint.id, source=hint.source, model=hint.model, received_at=hint.received_at)
    session.add(row)
    return True


def waiting(session: Session) -> list[Hint]:
    """Hints nobody has followed yet, oldest first."""
    query = select(HintRow).where(HintRow.done_at.is_(None))
    rows = session.scalars(query.order_by(HintRow.received_at, HintRow.id))
    return [Hint(row.id, row.source, row.model, row.received_at) for row in rows]


def followed(session: Session, source: str, model: str, since: datetime, at: datetime) -> None:
    """A model was looked at: what was received until the look began is done.

    What was done long ago is forgotten, so that no sender makes the ledger grow without end.
    """
    session.execute(
        update(HintRow)
        .where(HintRow.source == source, HintRow.model == model)
        .where(HintRow.done_at.is_(None), HintRow.received_at <= since)
        .values(done_at=at)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(HintRow)
        .where(HintRow.done_at < at - REMEMBERED)
        .execution_options(synchronize_session=False)
    )
