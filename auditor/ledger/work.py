"""Who audits what next, and what became of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, CursorResult, and_, case, exists, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from auditor.errors import UsageError
from auditor.ledger.models import OPEN, ClaimRow, State, VersionRow
from auditor.ledger.order import earlier, oldest_first, position
from auditor.records import ModelVersion, Priority

SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=15)
MOST_DOUBLINGS = 20  # a pause stops growing long before a date overflows


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


class Problem(NamedTuple):
    """A version that did not come through, or not yet."""

    version: ModelVersion
    state: str
    attempts: int
    reason: str


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


def renew(
    session: Session, version: ModelVersion, owner: str, at: datetime, lease: timedelta
) -> bool:
    """Keep a claim for another `lease` from now on; whether it is still the owner's."""
    row = claim_row(session, version)
    held = is_held(row, owner)
    if held:
        row.lease_until = at + lease
    return held


def release(session: Session, version: ModelVersion, owner: str) -> None:
    """Give a claim back."""
    row = claim_row(session, version)
    if is_held(row, owner):
        _let_go(row)


def is_held(row: ClaimRow, owner: str) -> bool:
    """Whether the work is this owner's, and was not given to another one since."""
    return row.state == State.RUNNING and row.owner == owner


def ask(session: Session, version: ModelVersion, priority: Priority) -> bool:
    """Let a version wait for an audit, before others; False where it is in work already."""
    row = claim_row(session, version)
    if row.state == State.RUNNING:
        return False
    if row.state not in OPEN:
        row.attempts = row.lost = 0
    settle(row, State.PENDING, None)
    hurry(session, row, priority)
    return True


def hurry(session: Session, row: ClaimRow, priority: Priority) -> None:
    """Put a version, and those of its model that it waits for, no later than `priority`."""
    row.priority = min(row.priority, priority)
    version = session.get_one(VersionRow, row.version_id).record
    before = select(VersionRow.id).where(earlier(VersionRow, version))
    session.execute(
        update(ClaimRow)
        .where(ClaimRow.version_id.in_(before), ClaimRow.state.in_(OPEN))
        .where(ClaimRow.priority > row.priority)
        .values(priority=row.priority)
        .execution_options(synchronize_session=False)
    )


def retry(session: Session, version: ModelVersion | None, source: str | None) -> int:
    """Let quarantined versions wait again with their attempts forgotten; how many."""
    query = select(ClaimRow).join(VersionRow).where(ClaimRow.state == State.QUARANTINED)
    if version is not None:
        query = query.where(VersionRow.identity == version.identity)
    if source is not None:
        query = query.where(VersionRow.source == source)
    rows = session.scalars(query).all()
    for row in rows:
        row.attempts = row.lost = 0
        settle(row, State.PENDING, None)
    return len(rows)


def owners(session: Session) -> list[str]:
    """Who holds claims now, expired ones included."""
    query = select(ClaimRow.owner).where(ClaimRow.state == State.RUNNING).distinct()
    return sorted(owner for owner in session.scalars(query) if owner is not None)


def release_owner(session: Session, owner: str) -> int:
    """Give back all claims of an owner known to be dead; how many."""
    held = select(ClaimRow).where(ClaimRow.state == State.RUNNING, ClaimRow.owner == owner)
    rows = session.scalars(held).all()
    for row in rows:
        row.lost += 1
        _let_go(row)
    return len(rows)


def failed(  # noqa: PLR0913 - all that is known of a failure
    session: Session,
    version: ModelVersion,
    owner: str,
    reason: str,
    at: datetime,
    *,
    max_attempts: int,
    pause: timedelta,
) -> bool:
    """Record an attempt that failed; whether the version is quarantined now."""
    row = claim_row(session, version)
    if not is_held(row, owner):  # settled in the meantime, which a late failure does not undo
        return row.state == State.QUARANTINED
    row.attempts += 1
    quarantined = row.attempts >= max_attempts
    settle(row, State.QUARANTINED if quarantined else State.PENDING, reason)
    if not quarantined:
        row.next_at = at + pause * doublings(row.attempts - 1)
    return quarantined


def postpone(
    session: Session, version: ModelVersion, owner: str, reason: str, at: datetime
) -> None:
    """Let a version wait for what is not its fault."""
    row = claim_row(session, version)
    if not is_held(row, owner):
        return
    began = row.waits_since or at
    waited = max(at - began, timedelta(0))
    settle(row, State.PENDING, reason)
    row.waits_since = began
    row.next_at = at + min(max(waited / 4, SHORTEST_WAIT), LONGEST_WAIT)


def end(session: Session, version: ModelVersion, state: State, reason: str) -> None:
    """Put a version where nobody tries it again by itself."""
    settle(claim_row(session, version), state, reason)


def settle(row: ClaimRow, state: State, reason: str | None) -> None:
    """Nobody holds the version any more; it is in `state`."""
    row.state = state
    row.reason = reason
    row.owner = row.lease_until = row.next_at = row.since = row.waits_since = None


def _let_go(row: ClaimRow) -> None:
    """Nobody holds the version any more, and nothing was learnt of it."""
    waits_since = row.waits_since
    settle(row, State.PENDING, row.reason)
    row.waits_since = waits_since


def doublings(times: int) -> int:
    """How much longer a pause is after being doubled so often."""
    return 1 << min(times, MOST_DOUBLINGS)


def states(session: Session) -> dict[str, int]:
    """How many versions are in which state; a state nobody is in has 0."""
    found = Counter(session.scalars(select(ClaimRow.state)))
    return {str(state): found[state] for state in State}


def problems(session: Session) -> list[Problem]:
    """Versions that failed, are gone or were refused, oldest first."""
    troubled = (State.QUARANTINED, State.GONE, State.REFUSED)
    failing = and_(ClaimRow.state.in_(OPEN), ClaimRow.reason.is_not(None))
    query = (
        select(VersionRow, ClaimRow)
        .join(ClaimRow)
        .where(or_(ClaimRow.state.in_(troubled), failing))
        .order_by(*oldest_first())
    )
    return [
        Problem(version.record, row.state, row.attempts, row.reason or "")
        for version, row in session.execute(query)
    ]


def version_row(session: Session, version: ModelVersion) -> VersionRow | None:
    """The row of a version, None where it was never met."""
    return session.scalar(select(VersionRow).where(VersionRow.identity == version.identity))


def claim_row(session: Session, version: ModelVersion) -> ClaimRow:
    """The work on a version.

    Raises
    ------
    UsageError
        If the ledger has never met the version.
    """
    query = select(ClaimRow).join(VersionRow).where(VersionRow.identity == version.identity)
    row = session.scalar(query)
    if row is None:
        raise UsageError(f"the ledger does not know {version.id}; audit it first")
    return row


def _next(
    session: Session, at: datetime, owner: str, sources: Sequence[str] | None
) -> tuple[VersionRow, ClaimRow] | None:
    query = select(VersionRow, ClaimRow).join(ClaimRow).where(_is_free(at, owner), ~_is_held_up())
    if sources is not None:
        query = query.where(VersionRow.source.in_(sources))
    order = (ClaimRow.priority.asc(), *oldest_first())
    return session.execute(query.order_by(*order).limit(1)).first()


def _is_free(at: datetime, owner: str) -> ColumnElement[bool]:
    """Waiting and due, or held by another one who did not renew the lease.

    One's own lease runs out when a clock jumps; one is at work on the version all the same.
    """
    due = or_(ClaimRow.next_at.is_(None), ClaimRow.next_at <= at)
    return or_(
        and_(ClaimRow.state == State.PENDING, due),
        and_(
            ClaimRow.state == State.RUNNING,
            ClaimRow.lease_until <= at,
            ClaimRow.owner != owner,
        ),
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
        .where(ClaimRow.version_id == version_id, _is_free(at, owner))
        .values(state=State.RUNNING, **taken)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", session.execute(statement)).rowcount == 1
