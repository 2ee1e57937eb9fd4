"""What has to be judged again, and what that rests on."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from auditor.document import Document
from auditor.ledger import audits, deciding
from auditor.ledger.chunks import CHUNK
from auditor.ledger.models import AuditRow, ClaimRow, DecisionRow, FindingRow, State, VersionRow
from auditor.ledger.order import earlier, newest_first, oldest_first
from auditor.records import ModelVersion, Origin, VersionId

ENDED = (State.QUARANTINED, State.GONE)  # nothing is known of them that could be judged


@dataclass(frozen=True, slots=True)
class Judged:
    """A version, and under which policy it was judged last."""

    number: int  # the ledger's own
    series: str  # of its model, ``source:name``
    under: str  # hash of the policy
    is_newest: bool  # of its model, among those that have an audit
    is_waived: bool  # a waiver covers a finding of its newest audit


def judged(session: Session) -> Iterator[Judged]:
    """Every version that has an audit, the oldest first, without opening one."""
    newest = select(func.max(AuditRow.id)).group_by(AuditRow.version_id)
    place = func.row_number().over(
        partition_by=(VersionRow.source, VersionRow.model), order_by=newest_first()
    )
    waived = exists(FindingRow.id).where(
        FindingRow.audit_id == AuditRow.id, FindingRow.origin == Origin.WAIVED
    )
    query = (
        select(
            VersionRow.id,
            VersionRow.source,
            VersionRow.model,
            func.coalesce(VersionRow.judged_as, AuditRow.policy_hash),
            place,
            waived,
        )
        .join(AuditRow, AuditRow.version_id == VersionRow.id)
        .join(ClaimRow, ClaimRow.version_id == VersionRow.id)
        .where(AuditRow.id.in_(newest), ClaimRow.state.not_in(ENDED))
        .order_by(*oldest_first())
    )
    for number, source, model, under, rank, is_waived in session.execute(query):
        series = VersionId(source, model, "").series
        yield Judged(number, series, under, rank == 1, is_waived)


def audited(session: Session, number: int) -> tuple[ModelVersion, Document] | None:
    """A version by its number, and its newest audit; None where there is none."""
    row = session.get(VersionRow, number)
    document = None if row is None else audits.latest(session, row.record)
    return None if row is None or document is None else (row.record, document)


def judged_as(session: Session, numbers: Collection[int], under: str) -> None:
    """Note that versions were judged under a policy, and nothing came of it."""
    them = sorted(numbers)
    for start in range(0, len(them), CHUNK):
        part = VersionRow.id.in_(them[start : start + CHUNK])
        change = update(VersionRow).where(part).values(judged_as=under)
        session.execute(change.execution_options(synchronize_session=False))


def baseline(session: Session, compared: Document, as_of: date) -> tuple[Document | None, bool]:
    """The newest audit of the baseline that an audit names, and whether a person accepts it."""
    if compared["comparison"] is None:
        return None, False
    named = compared["comparison"]["baseline"]
    rows = session.scalars(
        select(VersionRow).where(
            VersionRow.source == named["source"],
            VersionRow.model == named["name"],
            VersionRow.version == named["version"],
        )
    )
    of = (row.record for row in rows)
    found = next((one for one in of if one.created_at.isoformat() == named["created_at"]), None)
    if found is None:
        return None, False
    said = deciding.decision(session, found, as_of)
    return audits.latest(session, found), said is not None and said.accept


def is_accepted(session: Session, version: ModelVersion, digest: str, as_of: date) -> bool:
    """Whether the last word on earlier versions of the model with these weights accepts them."""
    if not digest:
        return False
    same = exists(AuditRow.id).where(
        AuditRow.version_id == VersionRow.id, AuditRow.weights_digest == digest
    )
    query = (
        select(DecisionRow.accepted)
        .join(VersionRow, DecisionRow.version_id == VersionRow.id)
        .where(earlier(VersionRow, version), same, deciding.counts(DecisionRow, as_of))
        .order_by(DecisionRow.id.desc())
        .limit(1)
    )
    return bool(session.scalar(query))
