"""An audit document back into records: what later audits need to know of an earlier one."""

import math
from collections.abc import Mapping
from typing import Any

from auditor.document import Document
from auditor.records import (
    Finding,
    Histogram,
    LayerRecord,
    Level,
    Measurement,
    Origin,
    Phase,
    Severity,
    Trap,
)

NOT_METRICS = {
    *("name", "index", "block", "kind", "dtype", "shape", "digest", "N", "M", "Q", "num_evals"),
    *("status", "phase", "phase_reason", "verified", "traps", "spectrum"),
}


def layers(document: Document) -> tuple[LayerRecord, ...]:
    """The layers of an audit with everything measured on them."""
    return tuple(_layer(row) for row in document["layers"])


def findings(document: Document) -> tuple[Finding, ...]:
    """The findings of an audit, as far as a later audit compares with them."""
    tensors = (*document["skipped"], *document["layers"])
    shapes = {row["name"]: tuple(row["shape"]) for row in tensors}
    return tuple(
        Finding(
            severity=Severity[row["severity"].upper()],
            message=row["message"],
            rule=row["rule"],
            layer=row["layer"],
            limit=row["limit"],
            value=row["value"],
            check=row["check"],
            level=Level(row["level"]),
            origin=Origin(row["origin"]),
            evidence=row["evidence"],
            waiver=row["waiver"] or "",
            meaning=row["meaning"],
            advice=row["advice"],
            shape=shapes.get(row["layer"]),
        )
        for row in document["findings"]
    )


def _layer(row: Mapping[str, Any]) -> LayerRecord:
    metrics = {
        name: math.nan if value is None else value
        for name, value in row.items()
        if name not in NOT_METRICS
    }
    return LayerRecord(
        name=row["name"],
        index=row["index"],
        block=row["block"],
        kind=row["kind"],
        dtype=row["dtype"],
        shape=tuple(row["shape"]),
        digest=row["digest"],
        measured=Measurement(
            status=row["status"],
            n=row["N"],
            m=row["M"],
            num_evals=row["num_evals"],
            metrics=metrics,
            traps=tuple(_trap(trap) for trap in row["traps"]),
            spectrum=_histogram(row["spectrum"]),
            phase=Phase(row["phase"], row["phase_reason"]) if row["phase"] else None,
        ),
        verified=row["verified"],
    )


def _trap(row: Mapping[str, Any]) -> Trap:
    entries = tuple((entry[0], entry[1], entry[2]) for entry in row["entries"])
    return Trap(eigenvalue=row["lambda"], edge=row["edge"], entries=entries)


def _histogram(row: Mapping[str, Any] | None) -> Histogram | None:
    if row is None:
        return None
    return Histogram(row["lo"], row["hi"], tuple(row["density"]), tuple(row["twin"] or ()))
