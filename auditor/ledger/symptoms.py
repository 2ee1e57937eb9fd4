"""What the models have now: findings of the newest audit of their newest version."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auditor.ledger.models import AuditRow, ClaimRow, FindingRow, State, VersionRow
from auditor.ledger.order import newest_first
from auditor.records import Origin, VersionId


def symptoms(session: Session, checks: Collection[str]) -> dict[str, set[tuple[str, str | None]]]:
    """Of each audited model, as ``source:name``, the check and layer of what was found."""
    place = func.row_number().over(
        partition_by=(VersionRow.source, VersionRow.model),
        order_by=(*newest_first(), AuditRow.id.desc()),
    )
    ranked = (
        select(AuditRow.id, VersionRow.source, VersionRow.model, place.label("place"))
        .join(VersionRow, AuditRow.version_id == VersionRow.id)
        .join(ClaimRow, ClaimRow.version_id == VersionRow.id)
        .where(ClaimRow.state != State.GONE)
        .subquery()
    )
    found = (
        select(FindingRow.audit_id, FindingRow.check, FindingRow.layer)
        .where(FindingRow.check.in_(checks), FindingRow.origin != Origin.FIXED)
        .subquery()
    )
    query = (
        select(ranked.c.source, ranked.c.model, found.c.check, found.c.layer)
        .outerjoin(found, found.c.audit_id == ranked.c.id)
        .where(ranked.c.place == 1)
    )
    models: dict[str, set[tuple[str, str | None]]] = {}
    for source, model, check, layer in session.execute(query):
        here = models.setdefault(VersionId(source, model, "").series, set())
        if check is not None:
            here.add((check, layer))
    return models
