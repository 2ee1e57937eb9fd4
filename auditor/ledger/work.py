"""What becomes of the work on a version."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, contains_eager

from auditor.errors import UsageError
from auditor.ledger.models import OPEN, ClaimRow, State, VersionRow
from auditor.ledger.order import oldest_first
from auditor.ledger.urgency import level
from auditor.records import ModelVersion, Priority

SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=15)
MOST_DOUBLINGS = 20  # a pause stops growing long before a date overflows


class Problem(NamedTuple):
    """A version that did not come through, or not yet."""

    version: ModelVersion
    state: str
    attempts: int
    reason: str


def renew(
    session: Session, version: ModelVersion, owner: str, at: datetime, lease: timedelta
) -> bool:
    """Keep a claim for another `lease` from now on; whether it is still the owner's."""
    row = held_row(session, version, owner)
    if row is not None:
        row.lease_until = at + lease
    return row is not None


def release(session: Session, version: ModelVersion, owner: str) -> None:
    """Give a claim back."""
    row = held_row(session, version, owner)
    if row is not None:
        _let_go(row)


def ask(session: Session, version: ModelVersion, priority: Priority) -> bool:
    """Let a version wait for an audit, before others; False where it is in work already."""
    row = claim_row(session, version)
    if row.state == State.RUNNING:
        return False
    if row.state not in OPEN:
        row.attempts = row.lost = 0
    settle(row, State.PENDING, None)
    row.priority = min(row.priority, priority)
    level(session, version.id.source, [version.id.model])
    return True


def retry(session: Session, version: ModelVersion | None, source: str | None) -> int:
    """Let quarantined and refused versions wait again, attempts forgotten; how many."""
    query = (
        select(ClaimRow)
        .join(ClaimRow.version)
        .options(contains_eager(ClaimRow.version))
        .where(ClaimRow.state.in_((State.QUARANTINED, State.REFUSED)))
    )
    if version is not None:
        query = query.where(VersionRow.identity == version.identity)
    if source is not None:
        query = query.where(VersionRow.source == source)
    rows = session.scalars(query).all()
    models: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        row.attempts = row.lost = 0
        settle(row, State.PENDING, None)
        models[row.version.source].add(row.version.model)
    for name, found in models.items():
        level(session, name, found)
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
    row = held_row(session, version, owner)
    if row is None:  # settled in the meantime, which a late failure does not undo
        return _is_quarantined(session, version)
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
    row = held_row(session, version, owner)
    if row is None:
        return
    began = row.waits_since or at
    waited = max(at - began, timedelta(0))
    settle(row, State.PENDING, reason)
    row.waits_since = began
    row.next_at = at + min(max(waited / 4, SHORTEST_WAIT), LONGEST_WAIT)


def end(
    session: Session, version: ModelVersion, state: State, reason: str, owner: str | None
) -> None:
    """Put a version where nobody tries it again by itself; where `owner` is given, if held."""
    if owner is None:
        settle(claim_row(session, version), state, reason)
    elif (row := held_row(session, version, owner)) is not None:
        settle(row, state, reason)


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
    query = select(ClaimRow.state, func.count()).group_by(ClaimRow.state)
    found = {row.state: row[1] for row in session.execute(query)}
    return {str(state): found.get(state, 0) for state in State}


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


def held_row(session: Session, version: ModelVersion, owner: str) -> ClaimRow | None:
    """The work on a version where it is the owner's.

    None where it was settled or given to another one since, or goes by another name now.
    """
    query = select(ClaimRow).join(VersionRow).where(VersionRow.identity == version.identity)
    held = query.where(ClaimRow.state == State.RUNNING, ClaimRow.owner == owner)
    return session.scalar(held)


def _is_quarantined(session: Session, version: ModelVersion) -> bool:
    query = select(ClaimRow.state).join(VersionRow).where(VersionRow.identity == version.identity)
    return session.scalar(query) == State.QUARANTINED


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
