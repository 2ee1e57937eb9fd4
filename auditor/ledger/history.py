"""A version among the versions of its model: what came before, what may be a baseline."""

import math
from datetime import date

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from auditor.document import Document
from auditor.ledger.deciding import counts
from auditor.ledger.models import AuditRow, DecisionRow, VersionRow
from auditor.ledger.order import earlier, newest_first
from auditor.records import ModelVersion, Trend, Verdict

NO_BASELINE = (Verdict.BLOCK, Verdict.INCOMPLETE)
MOST_COPIES = 100  # versions with the same weights that are looked at


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


def passed(session: Session, as_of: date, source: str | None) -> list[tuple[ModelVersion, str]]:
    """Versions that passed or were accepted, newest first, each with the id of its newest audit."""
    query = _sound(as_of).add_columns(AuditRow.document_id)
    query = query.where(or_(AuditRow.verdict == Verdict.PASS, _accepted(as_of)))
    if source is not None:
        query = query.where(VersionRow.source == source)
    return [(row.record, audit) for row, audit in session.execute(query.order_by(*newest_first()))]


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


def _sound(as_of: date) -> Select[VersionRow]:
    """Versions that may be a baseline, by their newest audit and the decision that counts.

    One that nobody decided on may not where the last word on its weights, said of another
    version of the model, rejects them: registered again they are no better.
    """
    accepted, of_weights = _accepted(as_of), _accepted_weights(as_of)
    is_fit = and_(AuditRow.verdict.not_in(NO_BASELINE), func.coalesce(of_weights, true()))
    undisputed = and_(accepted.is_(None), is_fit)
    return select(VersionRow).join(AuditRow).where(_is_newest(), or_(accepted, undisputed))


def _accepted(as_of: date) -> ColumnElement[bool]:
    """What the decision that counts says of a version; null where nobody decided."""
    made = aliased(DecisionRow)
    newest = select(made.accepted).where(made.version_id == VersionRow.id, counts(made, as_of))
    return newest.order_by(made.id.desc()).limit(1).scalar_subquery()


def _accepted_weights(as_of: date) -> ColumnElement[bool]:
    """What the last decision on the weights of an audit says, in any version of the model."""
    made, of, same = aliased(DecisionRow), aliased(VersionRow), aliased(AuditRow)
    newest = (
        select(made.accepted)
        .join(of, of.id == made.version_id)
        .join(same, same.version_id == of.id)
        .where(of.source == VersionRow.source, of.model == VersionRow.model)
        .where(same.weights_digest == AuditRow.weights_digest, counts(made, as_of))
    )
    return newest.order_by(made.id.desc()).limit(1).scalar_subquery()


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
