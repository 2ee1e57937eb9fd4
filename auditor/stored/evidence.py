"""What an earlier audit read, measured and compared: all that a judgement needs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from auditor.checks.base import Case
from auditor.document import Document
from auditor.records import (
    Band,
    Comparison,
    FileFailure,
    FileRecord,
    LayerRecord,
    PickleGlobal,
    Profile,
    Reading,
    Skip,
    Trend,
)
from auditor.stored.conclusions import version
from auditor.stored.layers import change, layer, number


def case(document: Document) -> Case:
    """What an audit was concluded from: judged again as it was, it gives the same conclusions."""
    return Case(
        layers=layers(document),
        skipped=skipped(document),
        reading=reading(document),
        comparison=comparison(document),
        history=trend(document),
        profile=profile(document),
    )


def layers(document: Document) -> tuple[LayerRecord, ...]:
    """The layers of an audit with everything measured on them."""
    return tuple(layer(row) for row in document["layers"])


def skipped(document: Document) -> tuple[Skip, ...]:
    """The tensors that are no layer."""
    return tuple(Skip(**{**row, "shape": tuple(row["shape"])}) for row in document["skipped"])


def reading(document: Document) -> Reading:
    """What was read of its files."""
    weights = document["weights"]
    return Reading(
        files=tuple(FileRecord(**row) for row in weights["files"]),
        bytes_read=weights["bytes_read"],
        failures=tuple(FileFailure(**row) for row in weights["failures"]),
        globals=tuple(PickleGlobal(**row) for row in weights["globals"]),
    )


def comparison(document: Document) -> Comparison | None:
    """The version against its baseline; None without one."""
    row = document["comparison"]
    if row is None:
        return None
    return Comparison(
        baseline=version(row["baseline"]),
        layers=tuple(change(one) for one in row["layers"]),
        added=tuple(row["added"]),
        removed=tuple(row["removed"]),
        renamed=tuple((before, after) for before, after in row["renamed"]),
        note=row["note"],
    )


def trend(document: Document) -> tuple[Trend, ...]:
    """Earlier versions of the model, oldest first."""
    return tuple(
        Trend(
            version=row["version"],
            created_at=datetime.fromisoformat(row["created_at"]),
            verdict=row["verdict"],
            alpha_median=number(row["alpha_median"]),
            log_spectral_norm_mean=number(row["log_spectral_norm_mean"]),
            distance=number(row["distance"]),
            findings_new=row["findings_new"],
        )
        for row in document["trend"]
    )


def profile(document: Document) -> Profile | None:
    """What stood in for a baseline."""
    row = document["profile"]
    if row is None:
        return None
    bands = {
        kind: {column: _band(band) for column, band in columns.items()}
        for kind, columns in row["bands"].items()
    }
    return Profile(row["name"], row["digest"], row["audits"], bands)


def _band(row: Mapping[str, Any]) -> Band:
    return Band(row["n"], *(number(row[name]) for name in ("p5", "median", "p95")))
