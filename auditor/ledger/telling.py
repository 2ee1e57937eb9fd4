"""What messages to people are made of: verdicts that changed, what is wrong, who knows what."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session, aliased

from auditor.ledger.chunks import CHUNK
from auditor.ledger.models import (
    OPEN,
    AuditRow,
    ClaimRow,
    DeliveryRow,
    DeliveryState,
    NoticeRow,
    State,
    TargetRow,
    VersionRow,
)
from auditor.ledger.notices import Notice, add
from auditor.ledger.order import earlier, newest_first
from auditor.records import Priority, VersionId


@dataclass(frozen=True, slots=True)
class Audited:
    """An audit, and how its version came to it."""

    id: int  # larger than that of every audit before it
    row: int  # of its version
    version: VersionId
    audit_id: str
    verdict: str
    reason: str
    findings_new: int
    saved_at: datetime
    state: str  # of its version
    fresh: bool  # made while its model was watched already
    backfilled: bool


@dataclass(frozen=True, slots=True)
class Before:
    """What was known when an audit was saved."""

    verdict: str | None  # of the same version's audit before it
    previous: str | None  # the newest earlier version with an audit, None: no such one
    previous_verdict: str | None
    newest: bool  # no later version of the model is known


@dataclass(frozen=True, slots=True)
class Stuck:
    """What waits to be delivered to a sink, and cannot be."""

    sink: str
    waiting: int
    reason: str


def newest_audit(session: Session) -> int:
    """The last audit there is; 0 where there is none."""
    return session.scalar(select(func.max(AuditRow.id))) or 0


def audited(session: Session, after: int, among: Collection[int]) -> list[Audited]:
    """Audits later than `after`, and those `among`, in order."""
    held = sorted(among)
    parts = (held[start : start + CHUNK] for start in range(0, len(held), CHUNK))
    wanted = [AuditRow.id > after, *(AuditRow.id.in_(part) for part in parts)]
    found = {audit.id: audit for one in wanted for audit in _audited(session, one)}
    return [found[number] for number in sorted(found)]


def _audited(session: Session, which: ColumnElement[bool]) -> list[Audited]:
    query = (
        select(
            AuditRow.id,
            AuditRow.document_id,
            AuditRow.verdict,
            AuditRow.document["reason"].as_string().label("reason"),
            AuditRow.findings_new,
            AuditRow.saved_at,
            VersionRow,
            ClaimRow.state,
            ClaimRow.priority,
        )
        .join(VersionRow, VersionRow.id == AuditRow.version_id)
        .join(ClaimRow, ClaimRow.version_id == VersionRow.id)
        .where(which)
    )
    return [
        Audited(
            id=row.id,
            row=row.VersionRow.id,
            version=row.VersionRow.record.id,
            audit_id=row.document_id,
            verdict=row.verdict,
            reason=row.reason or "",
            findings_new=row.findings_new,
            saved_at=row.saved_at,
            state=row.state,
            fresh=row.VersionRow.fresh,
            backfilled=row.priority == Priority.BACKFILL,
        )
        for row in session.execute(query)
    ]


def before(session: Session, audit: Audited) -> Before:
    """What was known when an audit was saved; later audits change nothing in it."""
    row = session.get_one(VersionRow, audit.row)
    same = select(AuditRow.verdict).where(AuditRow.version_id == audit.row, AuditRow.id < audit.id)
    previous = session.execute(
        select(VersionRow.version, AuditRow.verdict)
        .join(AuditRow, AuditRow.version_id == VersionRow.id)
        .where(earlier(VersionRow, row.record), AuditRow.id < audit.id)
        .order_by(*newest_first(), AuditRow.id.desc())
        .limit(1)
    ).first()
    return Before(
        verdict=session.scalar(same.order_by(AuditRow.id.desc()).limit(1)),
        previous=None if previous is None else previous[0],
        previous_verdict=None if previous is None else previous[1],
        newest=_newest_of(session, row.source, row.model) == audit.row,
    )


def first_looks(session: Session) -> set[str]:
    """Sources of which versions still wait that were there when they were first looked at."""
    query = (
        select(VersionRow.source)
        .join(ClaimRow)
        .where(
            ClaimRow.state.in_(OPEN),
            ClaimRow.priority < Priority.BACKFILL,
            VersionRow.fresh.is_(False),
            VersionRow.noted_at.is_not(None),
        )
        .distinct()
    )
    return set(session.scalars(query))


def refused(session: Session) -> Mapping[int, tuple[VersionId, str]]:
    """Models whose newest version may not be fetched: that version's row, name and why."""
    query = (
        select(VersionRow, ClaimRow.reason)
        .join(ClaimRow)
        .where(ClaimRow.state == State.REFUSED)
        .order_by(*newest_first())
    )
    found: dict[int, tuple[VersionId, str]] = {}
    for row, reason in session.execute(query):
        if _newest_of(session, row.source, row.model) == row.id:
            found[row.id] = (VersionId(row.source, row.model, row.version), reason or "")
    return found


def gone_models(session: Session) -> Mapping[tuple[str, str], str]:
    """Models of which every version is gone: by source and name, and why."""
    there = func.count().filter(ClaimRow.state != State.GONE)
    query = (
        select(VersionRow.source, VersionRow.model, func.max(ClaimRow.reason))
        .join(ClaimRow)
        .where(VersionRow.noted_at.is_not(None))
        .group_by(VersionRow.source, VersionRow.model)
        .having(there == 0)
    )
    return {(source, model): why or "" for source, model, why in session.execute(query)}


def stuck(session: Session, since: datetime) -> list[Stuck]:
    """Sinks that failed to take an audit saved before `since`, by name."""
    query = (
        select(DeliveryRow.sink, func.count(), func.max(DeliveryRow.reason))
        .join(AuditRow)
        .where(
            DeliveryRow.state == DeliveryState.PENDING,
            DeliveryRow.attempts > 0,
            AuditRow.saved_at < since,
        )
        .group_by(DeliveryRow.sink)
        .order_by(DeliveryRow.sink)
    )
    return [Stuck(sink, count, reason or "") for sink, count, reason in session.execute(query)]


def memory(session: Session, target: str) -> str | None:
    """What a target knows already; None where it was never told anything."""
    row = session.get(TargetRow, target)
    return None if row is None else row.memory


def tell(
    session: Session,
    target: str,
    known: tuple[str | None, str],
    notices: Sequence[Notice],
    at: datetime,
) -> bool:
    """Queue messages and remember that; False, and nothing is written, where another did."""
    before_it, after_it = known
    row = session.get(TargetRow, target, with_for_update=True)
    if (None if row is None else row.memory) != before_it:
        return False
    if row is None:
        session.add(TargetRow(name=target, memory=after_it))
    else:
        row.memory = after_it
    add(session, notices, at)
    return True


def only(session: Session, targets: Collection[str]) -> None:
    """Forget what other targets know; what waits for them goes nowhere."""
    session.execute(delete(TargetRow).where(TargetRow.name.not_in(targets)))
    session.execute(
        update(NoticeRow)
        .where(NoticeRow.state == DeliveryState.PENDING, NoticeRow.target.not_in(targets))
        .values(state=DeliveryState.ABANDONED, reason="no such target is configured any more")
        .execution_options(synchronize_session=False)
    )


def others(session: Session, targets: Collection[str]) -> bool:
    """Whether a target is known, or something waits for one, that is none of these."""
    known = select(TargetRow.name).where(TargetRow.name.not_in(targets))
    waits = select(NoticeRow.id).where(
        NoticeRow.state == DeliveryState.PENDING, NoticeRow.target.not_in(targets)
    )
    return any(session.scalar(query.limit(1)) is not None for query in (known, waits))


def abandon(session: Session, notice_id: int, reason: str) -> None:
    """Give a message up: it is not tried again."""
    row = session.get_one(NoticeRow, notice_id)
    row.state, row.reason = DeliveryState.ABANDONED, reason


def _newest_of(session: Session, source: str, model: str) -> int | None:
    other = aliased(VersionRow)
    newest = (
        select(other.id)
        .where(other.source == source, other.model == model)
        .order_by(other.created_at.desc(), other.natural.desc(), other.identity.desc())
    )
    return session.scalar(newest.limit(1))
