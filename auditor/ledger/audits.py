"""Audits as they were saved: the document, and the tables that are asked about it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import fmean
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from auditor.document import Document
from auditor.ledger import deciding
from auditor.ledger.models import (
    AuditRow,
    ClaimRow,
    DeliveryRow,
    DeliveryState,
    FindingRow,
    LayerRow,
    State,
    VersionRow,
)
from auditor.ledger.noting import add
from auditor.ledger.work import held_row, settle, version_row
from auditor.records import Decision, ModelVersion, Said, Verdict

Symptom = tuple[str, str | None]  # check and layer: the same in every version of a model


def save(  # noqa: PLR0913 - all that is known of an audit
    session: Session,
    version: ModelVersion,
    document: Document,
    *,
    sinks: Sequence[str],
    at: datetime,
    quarantine: str | None,
    owner: str | None,
) -> bool:
    """Write an audit and all that follows from it, unless it is there already.

    False, and nothing is written, where `owner` does not hold the work any more.
    """
    if owner is not None and held_row(session, version, owner) is None:
        return False
    row = version_row(session, version)
    if row is None:
        row, _ = add(session, version, State.PENDING)
        session.flush()
    claim = session.get_one(ClaimRow, row.id)
    if _is_new(session, row, document):
        said = deciding.decision(session, version, at.date())
        _write(session, row, deciding.shown(document, said), sinks, at)
    _finish(claim, document, quarantine)
    return True


def save_again(
    session: Session, number: int, document: Document, *, sinks: Sequence[str], at: datetime
) -> bool:
    """Write an audit that was judged again; False where another one came in between.

    The work on the version stays as it is: nothing was looked at.
    """
    row = session.get(VersionRow, number)
    version = None if row is None else row.record
    newest = None if version is None else latest(session, version)
    if row is None or version is None or newest is None:
        return False
    if newest["id"] != document["rejudged"]["id"]:
        return False
    said = deciding.decision(session, version, at.date())
    _write(session, row, deciding.shown(document, said), sinks, at)
    return True


def decide(session: Session, version: ModelVersion, said: Decision, sinks: Sequence[str]) -> None:
    """Add a decision, and show it with the version's newest audit."""
    deciding.decide(session, version, said)
    _show(session, version, sinks, said.at)


def hear(session: Session, said: Iterable[Said], sinks: Sequence[str], at: datetime) -> None:
    """Take in what tags say; where that is new, show it with the version's newest audit."""
    for one in said:
        if deciding.heard(session, one, at):
            _show(session, one.version, sinks, at)


def _show(session: Session, version: ModelVersion, sinks: Sequence[str], at: datetime) -> None:
    """Save the newest audit once more, with the decision that holds now; if it says another."""
    row, audit = version_row(session, version), latest(session, version)
    if row is None or audit is None:
        return
    said = deciding.decision(session, version, at.date())
    if deciding.shown(audit, said) != audit:
        _write(session, row, deciding.shown_anew(audit, said, at), sinks, at)


def latest(session: Session, version: ModelVersion) -> Document | None:
    """The document of a version's newest audit."""
    query = (
        select(AuditRow.document)
        .join(VersionRow)
        .where(VersionRow.identity == version.identity)
        .order_by(AuditRow.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def by_id(session: Session, document_id: str) -> Document | None:
    """The document with an id."""
    query = select(AuditRow.document).where(AuditRow.document_id == document_id)
    return session.scalar(query.order_by(AuditRow.id.desc()).limit(1))


def _is_new(session: Session, row: VersionRow, document: Document) -> bool:
    same = select(AuditRow.id).where(
        AuditRow.version_id == row.id, AuditRow.document_id == document["id"]
    )
    return session.scalar(same) is None


def _finish(claim: ClaimRow, document: Document, quarantine: str | None) -> None:
    """The version is done, unless this audit only says that it could not be looked at."""
    if quarantine is not None:
        claim.attempts += claim.state != State.QUARANTINED
        settle(claim, State.QUARANTINED, quarantine)
    elif claim.state != State.QUARANTINED or document["verdict"] != Verdict.INCOMPLETE:
        settle(claim, State.DONE, None)


def _write(
    session: Session, row: VersionRow, document: Document, sinks: Sequence[str], at: datetime
) -> None:
    row.concluded_at = row.concluded_at or at
    row.judged_as = None  # what the document says
    known = _first_seen(session, row)
    _supersede(session, row)
    audit = _audit(row, document, at)
    session.add(audit)
    session.flush()
    distances = _distances(document)
    session.add_all(_layer(audit.id, layer, distances) for layer in document["layers"])
    session.add_all(_finding(audit.id, found, known, at) for found in document["findings"])
    session.add_all(
        DeliveryRow(audit_id=audit.id, sink=sink, state=DeliveryState.PENDING, next_at=at)
        for sink in dict.fromkeys(sinks)
    )


def _first_seen(session: Session, row: VersionRow) -> Mapping[Symptom, datetime]:
    """Since when the model has each of its symptoms."""
    query = (
        select(FindingRow.check, FindingRow.layer, func.min(FindingRow.first_seen))
        .join(AuditRow, AuditRow.id == FindingRow.audit_id)
        .join(VersionRow, VersionRow.id == AuditRow.version_id)
        .where(VersionRow.source == row.source, VersionRow.model == row.model)
        .group_by(FindingRow.check, FindingRow.layer)
    )
    return {(check, layer): since for check, layer, since in session.execute(query)}


def _supersede(session: Session, row: VersionRow) -> None:
    """What was not delivered of the version's older audits is not delivered any more."""
    older = select(AuditRow.id).where(AuditRow.version_id == row.id)
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.audit_id.in_(older), DeliveryRow.state == DeliveryState.PENDING)
        .values(state=DeliveryState.SUPERSEDED)
        .execution_options(synchronize_session=False)
    )


def _audit(row: VersionRow, document: Document, at: datetime) -> AuditRow:
    weights = document["weights"]
    found = list(_distances(document).values())
    return AuditRow(
        version_id=row.id,
        document_id=document["id"],
        verdict=str(document["verdict"]),
        metric_set=document["analyzer"]["metric_set"],
        policy_hash=document["policy"]["hash"],
        weights_digest=weights["digest"] or None if weights["files"] else None,
        alpha_median=_summary(document, "alpha", "median"),
        log_spectral_norm_mean=_summary(document, "log_spectral_norm", "mean"),
        distance_mean=fmean(found) if found else None,
        findings_new=document["counts"]["findings"]["new"],
        saved_at=at,
        document=dict(document),
    )


def _summary(document: Document, metric: str, statistic: str) -> float | None:
    """None where the metric is undefined in every layer."""
    value: float | None = document["summary"].get(metric, {}).get(statistic)
    return value


def _distances(document: Document) -> Mapping[str, float]:
    """Relative distance of each layer to the baseline's, where it is defined."""
    layers = (document["comparison"] or {"layers": ()})["layers"]
    pairs = ((layer["name"], layer.get("relative")) for layer in layers)
    return {name: value for name, value in pairs if value is not None}


def _layer(audit_id: int, layer: Mapping[str, Any], distances: Mapping[str, float]) -> LayerRow:
    return LayerRow(
        audit_id=audit_id,
        index=layer["index"],
        name=layer["name"],
        kind=layer["kind"],
        status=layer["status"],
        digest=layer["digest"],
        alpha=layer.get("alpha"),
        alpha_lo=layer.get("alpha_lo"),
        alpha_hi=layer.get("alpha_hi"),
        log_spectral_norm=layer.get("log_spectral_norm"),
        stable_rank=layer.get("stable_rank"),
        num_traps=layer.get("num_traps"),
        distance=distances.get(layer["name"]),
    )


def _finding(
    audit_id: int, found: Mapping[str, Any], known: Mapping[Symptom, datetime], at: datetime
) -> FindingRow:
    return FindingRow(
        audit_id=audit_id,
        check=found["check"],
        severity=found["severity"],
        layer=found["layer"],
        origin=found["origin"],
        waiver=found["waiver"],
        first_seen=known.get((found["check"], found["layer"]), at),
    )
