"""A version is as urgent as the most urgent one that has to wait for it."""

from collections.abc import Collection

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from auditor.ledger.chunks import chunks
from auditor.ledger.models import OPEN, ClaimRow, VersionRow
from auditor.ledger.order import position


def level(session: Session, source: str, models: Collection[str]) -> None:
    """Give what waits of these models the priority of what waits behind it, if that is higher.

    The versions of a model are audited in order. Without this one that was asked for would
    wait for an earlier one, and that for the nightly scan of everything else.
    """
    session.flush()
    later, behind = aliased(VersionRow), aliased(ClaimRow)
    highest = (
        select(func.min(behind.priority))
        .join(later, later.id == behind.version_id)
        .where(
            behind.state.in_(OPEN),
            later.source == VersionRow.source,
            later.model == VersionRow.model,
            tuple_(*position(later)) >= tuple_(*position(VersionRow)),
        )
        .scalar_subquery()
    )
    for some in chunks(models):
        needed = (
            select(VersionRow.id, highest.label("priority"))
            .join(ClaimRow)
            .where(VersionRow.source == source, VersionRow.model.in_(some))
            .where(ClaimRow.state.in_(OPEN))
            .subquery()
        )
        session.execute(
            update(ClaimRow)
            .where(ClaimRow.version_id == needed.c.id, ClaimRow.priority > needed.c.priority)
            .values(priority=needed.c.priority)
            .execution_options(synchronize_session=False)
        )
    session.expire_all()
