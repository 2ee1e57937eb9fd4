"""An audit as one JSON document: the only thing a report is made from.

`document` writes it, `auditor.schema` describes it, the ledger stores it, sinks deliver it.
Undefined numbers are ``null``.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from statistics import fmean, median
from typing import Any

import numpy as np

from auditor import METRIC_SET, __version__
from auditor.records import (
    Audit,
    Comparison,
    Decision,
    Finding,
    Histogram,
    LayerChange,
    LayerRecord,
    ModelVersion,
    Origin,
    Profile,
    Settings,
    Skip,
    Trap,
    Trend,
)

SCHEMA = 1

Document = Mapping[str, Any]


def document(audit: Audit) -> Document:
    """The audit document, schema 1, ready for ``json.dumps(..., allow_nan=False)``."""
    return {
        "schema": SCHEMA,
        "id": audit_id(audit),
        "model": model(audit.version),
        "source": dict(audit.version.facts),
        "weights": {
            "digest": audit.reading.digest,
            "files": [_fields(file) for file in audit.reading.files],
            "bytes_read": audit.reading.bytes_read,
            "failures": [_fields(failure) for failure in audit.reading.failures],
            "globals": [_fields(name) for name in audit.reading.globals],
        },
        "verdict": str(audit.verdict),
        "reason": audit.reason,
        "decision": decision(audit.decision),
        "gate": [{**_fields(row), "level": str(row.level)} for row in audit.gate],
        "counts": counts(audit),
        **table(audit.layers, audit.skipped),
        "comparison": _comparison(audit.comparison),
        "profile": _profile(audit.profile),
        "trend": points(audit.trend),
        "findings": [_finding(finding) for finding in audit.findings],
        "policy": {"name": audit.policy, "hash": audit.policy_hash},
        "analyzer": {**analyzer(audit.settings), "checks": audit.checks},
        "rejudged": None,
        "timing": {"started_at": audit.started_at.isoformat(), "seconds": audit.seconds},
    }


def table(layers: Sequence[LayerRecord], skipped: Sequence[Skip]) -> dict[str, Any]:
    """What was measured, without any judgement: ``summary``, ``layers``, ``skipped``."""
    return {
        "summary": summary(layers),
        "layers": [_layer(layer) for layer in layers],
        "skipped": [_fields(skip) for skip in skipped],
    }


def audit_id(audit: Audit) -> str:
    """Name of this audit: the same weights judged the same way have the same one."""
    profile = audit.profile.digest if audit.profile else ""
    parts = (
        audit.version.identity,
        audit.reading.digest,
        str(METRIC_SET),
        repr(audit.settings),
        audit.comparison.baseline.identity if audit.comparison else profile,
        audit.policy_hash,
    )
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def analyzer(settings: Settings) -> dict[str, Any]:
    """What measured it."""
    numeric = {k: v for k, v in _fields(settings).items() if k not in {"convention", "seed"}}
    return {
        "version": __version__,
        "metric_set": METRIC_SET,
        "convention": settings.convention,
        "settings": numeric,
        "seed": settings.seed,
    }


def counts(audit: Audit) -> dict[str, Any]:
    """How much was looked at, and how many findings of which origin there are."""
    read, total = coverage(audit.layers, audit.skipped)
    origins = Counter(finding.origin for finding in audit.findings)
    unread = sum(not skip.read for skip in audit.skipped)
    return {
        "analysed": len(audit.layers),
        "skipped": len(audit.skipped) - unread,
        "failed": unread + len(audit.reading.failures),
        "parameters_read": read,
        "parameters_total": total,
        "findings": {str(origin): origins[origin] for origin in Origin},
    }


def coverage(layers: Iterable[LayerRecord], skipped: Iterable[Skip]) -> tuple[int, int]:
    """Parameters of matrices that were read and checked, and all there are."""
    analysed = sum(layer.parameters for layer in layers)
    matrices = [skip for skip in skipped if skip.is_matrix]
    read = analysed + sum(skip.parameters for skip in matrices if skip.read)
    return read, analysed + sum(skip.parameters for skip in matrices)


def share_read(layers: Iterable[LayerRecord], skipped: Iterable[Skip]) -> float:
    """Part of the parameters of matrices that was looked at; 0 where there is no matrix."""
    read, total = coverage(layers, skipped)
    return read / total if total else 0.0


def summary(layers: Sequence[LayerRecord]) -> dict[str, Any]:
    """Mean, median and percentiles of every metric over the layers where it is defined."""
    return averages([layer.metrics for layer in layers])


def averages(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Mean, median and percentiles of every column over the rows where it is defined."""
    names = dict.fromkeys(name for row in rows for name in row)
    found = {}
    for name in names:
        values = [row[name] for row in rows if name in row]
        defined = [value for value in values if math.isfinite(value)]
        if defined:
            low, high = np.percentile(defined, (5, 95))
            found[name] = {
                "mean": fmean(defined),
                "median": median(defined),
                "p5": float(low),
                "p95": float(high),
                "n": len(defined),
            }
    return found


def points(trend: Iterable[Trend]) -> list[dict[str, Any]]:
    """Earlier versions of the model, oldest first."""
    return [{**_fields(point), "created_at": point.created_at.isoformat()} for point in trend]


def model(version: ModelVersion) -> dict[str, Any]:
    """Which version it is, and what to call it."""
    return {
        "source": version.id.source,
        "name": version.id.model,
        "version": version.id.version,
        "uri": version.uri,
        "created_at": version.created_at.isoformat(),
    }


def decision(said: Decision | None) -> dict[str, Any] | None:
    """What a person says about the version."""
    if said is None:
        return None
    until = said.until.isoformat() if said.until else None
    return {**_fields(said), "at": said.at.isoformat(), "until": until}


def _layer(layer: LayerRecord) -> dict[str, Any]:
    measured = layer.measured
    return {
        **_identity(layer),
        "Q": measured.n / measured.m,
        "phase": measured.phase.name if measured.phase else None,
        "phase_reason": measured.phase.reason if measured.phase else None,
        "verified": layer.verified,
        **{name: number(value) for name, value in measured.metrics.items()},
        "traps": [_trap(trap) for trap in measured.traps],
        "spectrum": _histogram(measured.spectrum),
    }


def _identity(layer: LayerRecord) -> dict[str, Any]:
    """Which layer it is, and what became of it."""
    measured = layer.measured
    return {
        "name": layer.name,
        "index": layer.index,
        "block": layer.block,
        "kind": layer.kind,
        "dtype": layer.dtype,
        "shape": list(layer.shape),
        "parameters": layer.parameters,
        "digest": layer.digest,
        "N": measured.n,
        "M": measured.m,
        "num_evals": measured.num_evals,
        "status": measured.status,
    }


def _trap(trap: Trap) -> dict[str, Any]:
    entries = [list(entry) for entry in trap.entries]
    return {"lambda": trap.eigenvalue, "edge": trap.edge, "entries": entries}


def _histogram(found: Histogram | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "lo": found.lo,
        "hi": found.hi,
        "density": list(found.density),
        "twin": list(found.twin) or None,
    }


def _comparison(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {
        "baseline": model(comparison.baseline),
        "layers": [_change(change) for change in comparison.layers],
        "added": list(comparison.added),
        "removed": list(comparison.removed),
        "renamed": [list(pair) for pair in comparison.renamed],
        "note": comparison.note,
    }


def _change(change: LayerChange) -> dict[str, Any]:
    before = change.before
    return {
        "name": change.name,
        **{name: number(value) for name, value in change.distances.items()},
        "before": _identity(before),
        "baseline": {name: number(value) for name, value in before.metrics.items()},
        "spectrum": _histogram(before.measured.spectrum),
    }


def _profile(profile: Profile | None) -> dict[str, Any] | None:
    if profile is None:
        return None
    bands = {
        kind: {column: _fields(band) for column, band in columns.items()}
        for kind, columns in profile.bands.items()
    }
    return {**_fields(profile), "bands": bands}


def _finding(finding: Finding) -> dict[str, Any]:
    text = f"{finding.check}|{finding.layer}"
    return {
        "id": sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12],
        "check": finding.check,
        "severity": finding.severity.name.lower(),
        "level": str(finding.level),
        "layer": finding.layer,
        "message": finding.message,
        "rule": finding.rule,
        "limit": number(finding.limit),
        "value": number(finding.value),
        "interval": [number(end) for end in finding.interval] if finding.interval else None,
        "evidence": {name: _evidence(value) for name, value in finding.evidence.items()},
        "origin": str(finding.origin),
        "waiver": finding.waiver or None,
        "meaning": finding.meaning,
        "advice": finding.advice,
    }


def number(value: float | None) -> float | None:
    """A number JSON can hold: ``None`` where it is undefined or infinite."""
    return None if value is None or not math.isfinite(value) else value


def _evidence(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return number(value) if isinstance(value, float) else value


def _fields(record: object) -> dict[str, Any]:
    """The fields of a flat record, numbers made fit for JSON."""
    names: Iterable[str] = type(record).__dataclass_fields__  # type: ignore[attr-defined]
    return {name: _evidence(getattr(record, name)) for name in names}
