"""Who audits what next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, and_, case, exists, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from auditor.ledger.models import OPEN, ClaimRow, State, VersionRow
from auditor.ledger.order import position, position_of
from auditor.records import ModelVersion


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to audit a version until the lease runs out."""

    version: ModelVersion
    attempts: int  # that failed before this one
    source: str
    lost: int = 0  # earlier leases that ran out because their owner died
    waits_since: datetime | None = None  # for a place that is away; None: it does not

    def waited(self, at: datetime) -> timedelta:
        """How long it has waited for its place so far."""
        return max(at - (self.waits_since or at), timedelta(0))


def claim(
    session: Session,
    at: datetime,
    lease: timedelta,
    owner: str,
    sources: Sequence[str] | None,
) -> Claim | None:
    """Take the most urgent version of these sources that may be audited now; None: of all."""
    while (found := _next(session, at, owner, sources)) is not None:
        version, before = found
        if _take(session, version.id, at, at + lease, owner):
            return Claim(
                version=version.record,
                attempts=before.attempts,
                source=version.source,
                lost=before.lost + (before.state == State.RUNNING),
                waits_since=before.waits_since,
            )
        session.expire_all()  # somebody else was quicker: look again
    return None


def _next(
    session: Session, at: datetime, owner: str, sources: Sequence[str] | None
) -> tuple[VersionRow, ClaimRow] | None:
    """The first of what waits, or of what is lost; each is read in the order of an index."""
    found: list[Any] = []
    for which in (_waits(at), _is_lost(at, owner)):
        query = select(VersionRow, ClaimRow).join(ClaimRow).where(which, ~_is_held_up())
        if sources is not None:
            query = query.where(VersionRow.source.in_(sources))
        order = (ClaimRow.priority, ClaimRow.made_at, VersionRow.natural, VersionRow.identity)
        found += session.execute(query.order_by(*order).limit(1)).all()
    return min(found, key=_turn, default=None)


def _turn(found: tuple[VersionRow, ClaimRow]) -> tuple[object, ...]:
    version, work = found
    return work.priority, position_of(version.record)


def _waits(at: datetime) -> ColumnElement[bool]:
    due = or_(ClaimRow.next_at.is_(None), ClaimRow.next_at <= at)
    return and_(ClaimRow.state == State.PENDING, due)


def _is_lost(at: datetime, owner: str) -> ColumnElement[bool]:
    """Whether another one holds it who did not renew the lease.

    One's own lease runs out when a clock jumps; one is at work on the version all the same.
    """
    return and_(
        ClaimRow.state == State.RUNNING, ClaimRow.lease_until <= at, ClaimRow.owner != owner
    )


def _is_held_up() -> ColumnElement[bool]:
    """Whether an earlier version of the same model still waits or runs."""
    older, work = aliased(VersionRow), aliased(ClaimRow)
    return exists().where(
        work.version_id == older.id,
        work.state.in_(OPEN),
        older.source == VersionRow.source,
        older.model == VersionRow.model,
        tuple_(*position(older)) < tuple_(*position(VersionRow)),
    )


def _take(session: Session, version_id: int, at: datetime, until: datetime, owner: str) -> bool:
    """Change the row if it is still free: the one step that decides who has it."""
    lost = ClaimRow.lost + case((ClaimRow.state == State.RUNNING, 1), else_=0)
    taken = {"owner": owner, "lease_until": until, "since": at, "next_at": None, "lost": lost}
    statement = (
        update(ClaimRow)
        .where(ClaimRow.version_id == version_id, or_(_waits(at), _is_lost(at, owner)))
        .values(state=State.RUNNING, **taken)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", session.execute(statement)).rowcount == 1
