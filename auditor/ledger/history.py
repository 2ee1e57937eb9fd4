"""A version among the versions of its model: what came before, what may be a baseline."""

import math
from datetime import date
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.util import AliasedClass

from auditor.document import Document
from auditor.ledger.models import AuditRow, DecisionRow, VersionRow
from auditor.ledger.order import earlier, newest_first
from auditor.ledger.work import claim_row
from auditor.records import TAG, Decision, ModelVersion, Trend, Verdict

NO_BASELINE = (Verdict.BLOCK, Verdict.INCOMPLETE)
MOST_COPIES = 100  # versions with the same weights that are looked at
Decisions = type[DecisionRow] | AliasedClass[DecisionRow]


class Decided(NamedTuple):
    """A version, and what a person said about it."""

    version: ModelVersion
    decision: Decision


def may_be_baseline(session: Session, version: ModelVersion, as_of: date) -> bool:
    """Whether a version can be compared with."""
    query = _sound(as_of).where(VersionRow.identity == version.identity)
    return session.scalar(query) is not None


def previous(
    session: Session, version: ModelVersion, as_of: date, other_than: str
) -> ModelVersion | None:
    """The newest earlier version of the model that may be a baseline, with other weights."""
    query = _sound(as_of).where(earlier(VersionRow, version))
    if other_than:
        query = query.where(AuditRow.weights_digest.is_distinct_from(other_than))
    row = session.scalar(query.order_by(*newest_first()).limit(1))
    return None if row is None else row.record


def with_weights(session: Session, digest: str) -> list[tuple[ModelVersion, str]]:
    """Audited versions of any model whose weights' digest begins so, and that digest.

    The newest first, so many as matter.
    """
    query = (
        select(VersionRow, AuditRow.weights_digest)
        .join(AuditRow)
        .where(AuditRow.weights_digest >= digest, AuditRow.weights_digest < digest + "g")
        .where(_is_newest())
        .order_by(*newest_first())
        .limit(MOST_COPIES)
    )
    return [(row.record, weights or "") for row, weights in session.execute(query)]


def same_weights(session: Session, version: ModelVersion, digest: str) -> Document | None:
    """The newest audit of an earlier version of the model with these weights.

    None for an empty digest: weights nobody could identify are the same as none.
    """
    if not digest:
        return None
    query = (
        select(AuditRow.document)
        .join(VersionRow)
        .where(earlier(VersionRow, version), AuditRow.weights_digest == digest)
        .order_by(*newest_first(), AuditRow.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def trend(session: Session, version: ModelVersion, limit: int) -> list[Trend]:
    """The newest `limit` earlier audited versions, oldest first."""
    query = (
        select(VersionRow, AuditRow)
        .join(AuditRow)
        .where(earlier(VersionRow, version), _is_newest())
        .order_by(*newest_first())
        .limit(limit)
    )
    points = [_point(row, audit) for row, audit in session.execute(query)]
    return points[::-1]


def decide(session: Session, version: ModelVersion, decision: Decision) -> None:
    """Add a decision; earlier ones stay on record."""
    session.add(
        DecisionRow(
            version_id=claim_row(session, version).version_id,
            accepted=decision.accept,
            by=decision.by,
            reason=decision.reason,
            at=decision.at,
            until=decision.until,
            via=decision.via,
        )
    )


def decision(session: Session, version: ModelVersion, as_of: date) -> Decision | None:
    """The newest decision on a version that holds on a day."""
    query = (
        select(DecisionRow)
        .join(VersionRow)
        .where(VersionRow.identity == version.identity, _counts(DecisionRow, as_of))
        .order_by(DecisionRow.id.desc())
        .limit(1)
    )
    row = session.scalar(query)
    return None if row is None else _decision(row)


def decisions(session: Session, source: str, model: str | None) -> list[Decided]:
    """Every decision on versions of a model, or of a source, in the order they were made."""
    query = (
        select(VersionRow, DecisionRow)
        .join(DecisionRow, DecisionRow.version_id == VersionRow.id)
        .where(VersionRow.source == source)
        .order_by(DecisionRow.id)
    )
    if model is not None:
        query = query.where(VersionRow.model == model)
    return [Decided(row.record, _decision(one)) for row, one in session.execute(query)]


def _decision(row: DecisionRow) -> Decision:
    return Decision(row.accepted, row.by, row.reason, row.at, row.until, row.via)


def _counts(rows: Decisions, as_of: date) -> ColumnElement[bool]:
    """Whether a decision holds on a day, and no later tag says otherwise.

    A tag says one thing at a time: what it says now takes the place of what it said before.
    """
    later = aliased(DecisionRow)
    replaced = exists(later.id).where(
        later.version_id == rows.version_id, later.via == TAG, later.id > rows.id
    )
    return and_(
        or_(rows.until.is_(None), rows.until >= as_of),
        or_(rows.via != TAG, ~replaced),
    )


def _sound(as_of: date) -> Select[VersionRow]:
    """Versions that may be a baseline, by their newest audit and the decision that counts."""
    made = aliased(DecisionRow)
    accepted = (
        select(made.accepted)
        .where(made.version_id == VersionRow.id, _counts(made, as_of))
        .order_by(made.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    undisputed = and_(accepted.is_(None), AuditRow.verdict.not_in(NO_BASELINE))
    return select(VersionRow).join(AuditRow).where(_is_newest(), or_(accepted, undisputed))


def _is_newest() -> ColumnElement[bool]:
    """Whether an audit is the newest of its version."""
    other = aliased(AuditRow)
    newest = select(func.max(other.id)).where(other.version_id == VersionRow.id)
    return AuditRow.id == newest.scalar_subquery()


def _point(row: VersionRow, audit: AuditRow) -> Trend:
    return Trend(
        version=row.version,
        created_at=row.created_at,
        verdict=audit.verdict,
        alpha_median=_number(audit.alpha_median),
        log_spectral_norm_mean=_number(audit.log_spectral_norm_mean),
        distance=_number(audit.distance_mean),
        findings_new=audit.findings_new,
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value
