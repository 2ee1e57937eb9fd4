"""A layer of an earlier audit with everything measured on it, and against its baseline."""

import math
from collections.abc import Mapping
from typing import Any

from auditor.records import (
    Histogram,
    LayerChange,
    LayerRecord,
    Measurement,
    Phase,
    Trap,
)

Row = Mapping[str, Any]
IDENTITY = (
    *("name", "index", "block", "kind", "dtype", "shape", "parameters", "digest"),
    *("N", "M", "num_evals", "status"),
)
NOT_METRICS = {*IDENTITY, "Q", "phase", "phase_reason", "verified", "traps", "spectrum"}
NOT_DISTANCES = {"name", "before", "baseline", "spectrum"}


def layer(row: Row) -> LayerRecord:
    """A layer of the version."""
    phase = Phase(row["phase"], row["phase_reason"]) if row["phase"] else None
    traps = tuple(_trap(trap) for trap in row["traps"])
    measured = _measurement(row, numbers(row, NOT_METRICS), row["spectrum"], traps, phase)
    return _record(row, measured, verified=row["verified"])


def change(row: Row) -> LayerChange:
    """A layer against the baseline's."""
    before = row["before"]
    measured = _measurement(before, numbers(row["baseline"], ()), row["spectrum"])
    return LayerChange(row["name"], _record(before, measured), numbers(row, NOT_DISTANCES))


def number(value: float | None) -> float:
    """Undefined is null in a document, and nan in a record."""
    return math.nan if value is None else value


def numbers(row: Row, others: set[str] | tuple[str, ...]) -> dict[str, float]:
    """The columns of a row."""
    return {name: number(value) for name, value in row.items() if name not in others}


def _record(row: Row, measured: Measurement, *, verified: bool = True) -> LayerRecord:
    shape, values = tuple(row["shape"]), row["parameters"]
    return LayerRecord(
        name=row["name"],
        index=row["index"],
        block=row["block"],
        kind=row["kind"],
        dtype=row["dtype"],
        shape=shape,
        digest=row["digest"],
        measured=measured,
        verified=verified,
        values=None if values == math.prod(shape) else values,
    )


def _measurement(
    row: Row,
    metrics: Mapping[str, float],
    spectrum: Row | None,
    traps: tuple[Trap, ...] = (),
    phase: Phase | None = None,
) -> Measurement:
    return Measurement(
        status=row["status"],
        n=row["N"],
        m=row["M"],
        num_evals=row["num_evals"],
        metrics=metrics,
        traps=traps,
        spectrum=_histogram(spectrum),
        phase=phase,
    )


def _trap(row: Row) -> Trap:
    entries = tuple((entry[0], entry[1], entry[2]) for entry in row["entries"])
    return Trap(eigenvalue=row["lambda"], edge=row["edge"], entries=entries)


def _histogram(row: Row | None) -> Histogram | None:
    if row is None:
        return None
    return Histogram(row["lo"], row["hi"], tuple(row["density"]), tuple(row["twin"] or ()))
