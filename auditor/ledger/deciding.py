"""What people decided on versions: said, taken back, and shown with the newest audit."""

from datetime import date, datetime
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.util import AliasedClass

from auditor import document
from auditor.document import Document
from auditor.ledger.models import ClaimRow, DecisionRow, State, VersionRow
from auditor.ledger.work import claim_row, version_row
from auditor.records import TAG, Decision, ModelVersion, Said

Decisions = type[DecisionRow] | AliasedClass[DecisionRow]
UNTAGGED = "the tag was removed"


class Decided(NamedTuple):
    """A version, and what a person said about it."""

    version: ModelVersion
    decision: Decision


def decide(session: Session, version: ModelVersion, said: Decision) -> None:
    """Add a decision; earlier ones stay on record."""
    _add(session, claim_row(session, version).version_id, said)


def heard(session: Session, said: Said, at: datetime) -> bool:
    """Take in what a tag says now; False where it said so before, or of an unknown version."""
    row = version_row(session, said.version)
    if row is None:
        return False
    newest = select(DecisionRow).where(DecisionRow.version_id == row.id, DecisionRow.via == TAG)
    last = session.scalar(newest.order_by(DecisionRow.id.desc()).limit(1))
    found = _news(None if last is None else _decision(last), said, at)
    if found is not None:
        _add(session, row.id, found)
    return found is not None


def _news(before: Decision | None, said: Said, at: datetime) -> Decision | None:
    """What a tag decides, where it said something else before."""
    if said.statement is None:
        if before is None or before.is_withdrawal:
            return None
        return Decision.withdrawn(before.by, UNTAGGED, at, TAG)
    if before is not None and before.statement == said.statement:
        return None
    return Decision.of(said.statement, at, TAG)


def decision(session: Session, version: ModelVersion, as_of: date) -> Decision | None:
    """The newest decision on a version that holds on a day."""
    query = (
        select(DecisionRow)
        .join(VersionRow)
        .where(VersionRow.identity == version.identity, counts(DecisionRow, as_of))
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


def tagged(session: Session, source: str) -> list[ModelVersion]:
    """Versions of a source, not gone, about which a tag said something it did not take back."""
    query = (
        select(VersionRow, DecisionRow)
        .join(DecisionRow, DecisionRow.version_id == VersionRow.id)
        .join(ClaimRow, ClaimRow.version_id == VersionRow.id)
        .where(VersionRow.source == source, ClaimRow.state != State.GONE)
        .where(DecisionRow.via == TAG, ~_retagged(DecisionRow))
    )
    pairs = session.execute(query)
    return [row.record for row, last in pairs if not _decision(last).is_withdrawal]


def counts(rows: Decisions, as_of: date) -> ColumnElement[bool]:
    """Whether a decision holds on a day, and no later tag says otherwise.

    A tag says one thing at a time: what it says now takes the place of what it said before.
    """
    return and_(
        or_(rows.until.is_(None), rows.until >= as_of),
        or_(rows.via != TAG, ~_retagged(rows)),
    )


def shown(audit: Document, said: Decision | None) -> Document:
    """An audit with the decision that holds when it is saved."""
    return {**audit, "decision": document.decision(said)}


def shown_anew(audit: Document, said: Decision | None, at: datetime) -> Document:
    """The same audit, of another name, with what a person said since: nothing is measured."""
    parts = (audit["id"], repr(said), at.isoformat())
    name = sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    timing = {"started_at": at.isoformat(), "seconds": 0.0}
    return {**shown(audit, said), "id": name, "timing": timing}


def _retagged(rows: Decisions) -> ColumnElement[bool]:
    """Whether the version's tag said something else later."""
    later = aliased(DecisionRow)
    return exists(later.id).where(
        later.version_id == rows.version_id, later.via == TAG, later.id > rows.id
    )


def _add(session: Session, version_id: int, said: Decision) -> None:
    session.add(
        DecisionRow(
            version_id=version_id,
            accepted=said.accept,
            by=said.by,
            reason=said.reason,
            at=said.at,
            until=said.until,
            via=said.via,
        )
    )
    session.flush()


def _decision(row: DecisionRow) -> Decision:
    return Decision(row.accepted, row.by, row.reason, row.at, row.until, row.via)
