"""How it all stands, counted: what a person who keeps it running wants to see.

Every number is asked of the database as a number; no document is opened but those of the
few audits that are listed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from auditor import stored
from auditor.ledger.models import (
    OPEN,
    AuditRow,
    ClaimRow,
    DeliveryRow,
    DeliveryState,
    NoticeRow,
    State,
    VersionRow,
)
from auditor.ledger.order import is_replaced, oldest_first
from auditor.ledger.standing import Concluded, InWork, Outbox, Overview, Troubled
from auditor.records import Priority, Verdict, VersionId

SHOWN = 50  # rows of a list; there may be ten thousand, which nobody reads
CREDIBLE = timedelta(days=7)  # a date so much older than the first sight is not a registration's
SAMPLE = 500  # latencies asked for: 25 of so many lie above the p95
WORST_FIRST = (Verdict.BLOCK, Verdict.INCOMPLETE, Verdict.REVIEW, Verdict.PASS)


def overview(session: Session, since: datetime) -> Overview:
    """Everything at once, latencies of what was audited `since` then."""
    verdicts, models, worst = _judged(session)
    return Overview(
        versions=_versions(session),
        waiting=_waiting(session),
        oldest=_oldest(session),
        running=_running(session),
        troubled=_troubled(session),
        failing=session.scalar(select(func.count()).select_from(ClaimRow).where(_failing())) or 0,
        sinks=outboxes(session),
        targets=_targets(session),
        verdicts=verdicts,
        models=models,
        worst=worst,
        latest=_latest(session),
        latencies=_latencies(session, since),
    )


def _versions(session: Session) -> dict[str, dict[str, int]]:
    query = (
        select(VersionRow.source, ClaimRow.state, func.count())
        .join(ClaimRow)
        .group_by(VersionRow.source, ClaimRow.state)
    )
    found: dict[str, dict[str, int]] = {}
    for source, state, count in session.execute(query):
        found.setdefault(source, {})[state] = count
    return found


def _waiting(session: Session) -> dict[Priority, int]:
    query = (
        select(ClaimRow.priority, func.count())
        .where(ClaimRow.state == State.PENDING)
        .group_by(ClaimRow.priority)
    )
    found = dict.fromkeys(Priority, 0)
    for priority, count in session.execute(query):
        found[Priority(priority)] = count
    return found


def _oldest(session: Session) -> datetime | None:
    """Since when the oldest one waits that nobody has audited yet, backfill left out.

    What is audited again because a person asked was noted long ago, and does not count.
    """
    counts = or_(
        ClaimRow.priority.in_((Priority.REGISTRATION, Priority.NIGHTLY)),
        and_(ClaimRow.priority == Priority.ASKED, VersionRow.fresh),
    )
    audited = select(AuditRow.id).where(AuditRow.version_id == VersionRow.id).exists()
    query = (
        select(func.min(VersionRow.noted_at))
        .join(ClaimRow)
        .where(ClaimRow.state == State.PENDING, counts, ~audited)
    )
    return session.scalar(query)


def _running(session: Session) -> list[InWork]:
    query = (
        select(VersionRow, ClaimRow)
        .join(ClaimRow)
        .where(ClaimRow.state == State.RUNNING)
        .order_by(ClaimRow.since, VersionRow.id)
    )
    return [
        InWork(_id(version), row.owner or "", row.since, row.lease_until)
        for version, row in session.execute(query.limit(SHOWN))
    ]


def _failing() -> ColumnElement[bool]:
    return and_(ClaimRow.state.in_(OPEN), ClaimRow.reason.is_not(None))


def _troubled(session: Session) -> list[Troubled]:
    """Quarantined, then refused, then those that are tried again; the oldest first."""
    found: list[Troubled] = []
    quarantined, refused = (ClaimRow.state == state for state in (State.QUARANTINED, State.REFUSED))
    for which in (quarantined, refused, _failing()):
        query = select(VersionRow, ClaimRow).join(ClaimRow).where(which)
        rows = session.execute(query.order_by(*oldest_first()).limit(SHOWN - len(found)))
        found += [
            Troubled(
                version=_id(version),
                uri=version.uri,
                state=row.state,
                attempts=row.attempts,
                reason=row.reason or "",
                next_at=row.next_at,
            )
            for version, row in rows
        ]
    return found


def outboxes(session: Session) -> list[Outbox]:
    """What waits for each sink."""
    query = (
        select(
            DeliveryRow.sink,
            func.count(),
            func.count().filter(DeliveryRow.attempts > 0),
            func.min(AuditRow.saved_at),
            func.max(DeliveryRow.reason),
        )
        .join(AuditRow)
        .where(DeliveryRow.state == DeliveryState.PENDING)
        .group_by(DeliveryRow.sink)
        .order_by(DeliveryRow.sink)
    )
    return [Outbox(*row) for row in session.execute(query)]


def _targets(session: Session) -> list[Outbox]:
    query = (
        select(
            NoticeRow.target,
            func.count(),
            func.count().filter(NoticeRow.attempts > 0),
            func.min(NoticeRow.created_at),
            func.max(NoticeRow.reason),
        )
        .where(NoticeRow.state == DeliveryState.PENDING)
        .group_by(NoticeRow.target)
        .order_by(NoticeRow.target)
    )
    return [Outbox(*row) for row in session.execute(query)]


def _judged(session: Session) -> tuple[dict[str, int], dict[str, int], list[Concluded]]:
    """Verdicts of versions, of models, and the models whose verdict is bad, the worst first.

    Each version counts by its newest audit, each model by its newest audited version. One
    pass over the newest audits: the rest is asked of the few rows that it leaves.
    """
    newest = _newest().subquery()
    last = newest.c.later.is_(None)
    bad = case((and_(last, newest.c.verdict != Verdict.PASS), newest.c.id))
    query = select(newest.c.verdict, last, bad, func.count()).group_by(newest.c.verdict, last, bad)
    versions, models = ({str(verdict): 0 for verdict in Verdict} for _ in range(2))
    found: list[tuple[int, int]] = []
    for verdict, is_last, audit, count in session.execute(query):
        versions[verdict] += count
        models[verdict] += count if is_last else 0
        if audit is not None:
            found.append((WORST_FIRST.index(verdict), -audit))
    chosen = [-audit for _, audit in sorted(found)[:SHOWN]]
    rows = {row.id: row for row in _audits(session, AuditRow.id.in_(chosen))}
    return versions, models, [_concluded(rows[audit]) for audit in chosen]


def _newest() -> Select[Any]:
    """The newest audit of each version that is not gone, and which audited version is next."""
    following = func.lead(VersionRow.id).over(
        partition_by=(VersionRow.source, VersionRow.model), order_by=oldest_first()
    )
    return (
        select(AuditRow.id, AuditRow.verdict, following.label("later"))
        .join(VersionRow)
        .join(ClaimRow, ClaimRow.version_id == VersionRow.id)
        .where(ClaimRow.state != State.GONE, ~is_replaced())
    )


def _latest(session: Session) -> list[Concluded]:
    newest = select(AuditRow.id).where(~is_replaced()).order_by(AuditRow.id.desc()).limit(SHOWN)
    rows = _audits(session, AuditRow.id.in_(newest.subquery().select()))
    return [_concluded(row) for row in sorted(rows, key=lambda row: -row.id)]


def _audits(session: Session, which: ColumnElement[bool]) -> Sequence[Any]:
    query = (
        select(
            AuditRow.id,
            VersionRow.source,
            VersionRow.model,
            VersionRow.version,
            VersionRow.uri,
            AuditRow.document_id,
            AuditRow.verdict,
            AuditRow.document["reason"].label("reason"),
            AuditRow.document["decision"].label("decision"),
            AuditRow.findings_new,
            AuditRow.saved_at,
        )
        .join(VersionRow)
        .where(which)
    )
    return session.execute(query).all()


def _concluded(row: Any) -> Concluded:  # noqa: ANN401 - as `_audits` has it
    return Concluded(
        version=VersionId(row.source, row.model, row.version),
        uri=row.uri,
        audit_id=row.document_id,
        verdict=row.verdict,
        reason=row.reason,
        findings_new=row.findings_new,
        saved_at=row.saved_at,
        decision=stored.decision({"decision": row.decision}),
    )


def _latencies(session: Session, since: datetime) -> list[float]:
    """Seconds from registration to the first audit, of the newest `SAMPLE` audited `since`.

    Of versions made while their model was watched already. From when the version was made,
    as its source says; where that lies more than `CREDIBLE` before it was first seen, from
    then: the date of a commit on the Hub is its author's, and says nothing of when it was
    pushed.
    """
    query = (
        select(VersionRow)
        .where(VersionRow.concluded_at >= since, VersionRow.fresh)
        .order_by(VersionRow.concluded_at.desc())
        .limit(SAMPLE)
    )
    return sorted(
        max(0.0, (row.concluded_at - _registered(row.created_at, row.noted_at)).total_seconds())
        for row in session.scalars(query)
        if row.concluded_at is not None
    )


def _registered(made: datetime, noted: datetime | None) -> datetime:
    return noted if noted is not None and noted - made > CREDIBLE else made


def _id(row: VersionRow) -> VersionId:
    return VersionId(row.source, row.model, row.version)
