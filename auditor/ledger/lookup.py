"""Where versions stand, for those who ask about some of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from auditor import stored
from auditor.ledger.models import OPEN, AuditRow, ClaimRow, State, VersionRow
from auditor.ledger.order import newest_first, oldest_first
from auditor.records import Decision, ModelVersion, Priority


@dataclass(frozen=True, slots=True)
class Verdict:
    """The newest audit of a version, without its document."""

    audit_id: str
    verdict: str
    reason: str  # one sentence
    saved_at: datetime
    decision: Decision | None = None  # that held when it was saved


@dataclass(frozen=True, slots=True)
class Stand:
    """A version, the work on it, and what it came to."""

    number: int  # the ledger's own, which stays when a version is renamed
    version: ModelVersion
    state: str  # a `State`
    priority: Priority
    attempts: int  # that failed
    since: datetime | None  # when somebody took it, where it is in work
    next_at: datetime | None  # not tried before
    reason: str | None  # why it is where it is
    verdict: Verdict | None  # None: never audited


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which versions; None: any."""

    source: str | None = None
    model: str | None = None
    state: str | None = None
    verdict: str | None = None  # of the newest audit


def listed(session: Session, wanted: Wanted, limit: int, before: int | None) -> list[Stand]:
    """Those that fit, the last one noted first; only those with a number below `before`."""
    asked = (
        (VersionRow.source, wanted.source),
        (VersionRow.model, wanted.model),
        (ClaimRow.state, wanted.state),
        (AuditRow.verdict, wanted.verdict),
    )
    query = _all().where(*(column == value for column, value in asked if value is not None))
    if before is not None:
        query = query.where(VersionRow.id < before)
    return _stands(session, query.order_by(VersionRow.id.desc()).limit(limit))


def audited(session: Session, source: str, model: str, limit: int | None) -> list[Stand]:
    """The newest audited versions of a model, oldest first; None: all of them."""
    query = _all().where(VersionRow.source == source, VersionRow.model == model)
    query = query.where(AuditRow.id.is_not(None)).order_by(*newest_first())
    return _stands(session, query.limit(limit))[::-1]


def models(session: Session, name: str | None, limit: int) -> list[tuple[str, str]]:
    """Source and name of every model with an audit, or of those with that name."""
    query = select(VersionRow.source, VersionRow.model).join(AuditRow).distinct()
    if name is not None:
        query = query.where(VersionRow.model == name)
    query = query.order_by(VersionRow.model, VersionRow.source).limit(limit)
    return [(source, model) for source, model in session.execute(query)]


def queue(session: Session, limit: int) -> list[Stand]:
    """What is in work or waits, the most urgent first."""
    query = _all().where(ClaimRow.state.in_(OPEN))
    order = (ClaimRow.state == State.PENDING, ClaimRow.priority, *oldest_first())
    return _stands(session, query.order_by(*order).limit(limit))


def problems(session: Session, limit: int) -> list[Stand]:
    """What did not come through, or not yet; the last one noted first."""
    query = _all().where(_is_problem()).order_by(VersionRow.id.desc())
    return _stands(session, query.limit(limit))


def numbered(session: Session, number: int) -> Stand | None:
    """The version with a number; None where there is none."""
    return next(iter(_stands(session, _all().where(VersionRow.id == number))), None)


def stand(session: Session, version: ModelVersion) -> Stand | None:
    """Where a version stands; None where the ledger has not met it."""
    query = _all().where(VersionRow.identity == version.identity)
    return next(iter(_stands(session, query)), None)


def _is_problem() -> ColumnElement[bool]:
    ended = ClaimRow.state.in_((State.QUARANTINED, State.GONE, State.REFUSED))
    return or_(ended, and_(ClaimRow.state.in_(OPEN), ClaimRow.reason.is_not(None)))


def _all() -> Select[Any]:
    newest = select(func.max(AuditRow.id)).where(AuditRow.version_id == VersionRow.id)
    reason = AuditRow.document["reason"].as_string().label("why")
    said = AuditRow.document["decision"].label("said")
    return (
        select(VersionRow, ClaimRow, AuditRow, reason, said)
        .join(ClaimRow, ClaimRow.version_id == VersionRow.id)
        .outerjoin(AuditRow, AuditRow.id == newest.correlate(VersionRow).scalar_subquery())
    )


def _stands(session: Session, query: Select[Any]) -> list[Stand]:
    return [
        Stand(
            number=version.id,
            version=version.record,
            state=claim.state,
            priority=Priority(claim.priority),
            attempts=claim.attempts,
            since=claim.since,
            next_at=claim.next_at,
            reason=claim.reason,
            verdict=None
            if audit is None
            else Verdict(
                audit.document_id,
                audit.verdict,
                why or "",
                audit.saved_at,
                stored.decision({"decision": said}),
            ),
        )
        for version, claim, audit, why, said in session.execute(query)
    ]
