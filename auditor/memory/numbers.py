"""Measurements as JSON: undefined is null, and every other number comes back as it was."""

import math
from collections.abc import Mapping
from typing import Any

from auditor.records import Histogram, Measurement, Phase, Trap


def to_json(measurement: Measurement) -> dict[str, Any]:
    """A measurement as JSON holds it: ``nan`` is null, an infinity is its name."""
    return {
        "status": measurement.status,
        "n": measurement.n,
        "m": measurement.m,
        "num_evals": measurement.num_evals,
        "metrics": {name: _out(value) for name, value in measurement.metrics.items()},
        "traps": [_trap_out(trap) for trap in measurement.traps],
        "spectrum": _histogram_out(measurement.spectrum),
        "phase": _phase_out(measurement.phase),
    }


def from_json(numbers: Mapping[str, Any]) -> Measurement:
    """The measurement that `to_json` was given."""
    return Measurement(
        status=numbers["status"],
        n=numbers["n"],
        m=numbers["m"],
        num_evals=numbers["num_evals"],
        metrics={name: _in(value) for name, value in numbers["metrics"].items()},
        traps=tuple(_trap_in(trap) for trap in numbers["traps"]),
        spectrum=_histogram_in(numbers["spectrum"]),
        phase=_phase_in(numbers["phase"]),
    )


def _trap_out(trap: Trap) -> dict[str, Any]:
    entries = [[int(row), int(column), _out(value)] for row, column, value in trap.entries]
    return {"eigenvalue": _out(trap.eigenvalue), "edge": _out(trap.edge), "entries": entries}


def _trap_in(trap: Mapping[str, Any]) -> Trap:
    entries = tuple((row, column, _in(value)) for row, column, value in trap["entries"])
    return Trap(eigenvalue=_in(trap["eigenvalue"]), edge=_in(trap["edge"]), entries=entries)


def _histogram_out(found: Histogram | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "lo": _out(found.lo),
        "hi": _out(found.hi),
        "density": [_out(value) for value in found.density],
        "twin": [_out(value) for value in found.twin],
    }


def _histogram_in(found: Mapping[str, Any] | None) -> Histogram | None:
    if found is None:
        return None
    return Histogram(
        lo=_in(found["lo"]),
        hi=_in(found["hi"]),
        density=tuple(_in(value) for value in found["density"]),
        twin=tuple(_in(value) for value in found["twin"]),
    )


def _phase_out(phase: Phase | None) -> dict[str, str] | None:
    return None if phase is None else {"name": phase.name, "reason": phase.reason}


def _phase_in(phase: Mapping[str, str] | None) -> Phase | None:
    return None if phase is None else Phase(phase["name"], phase["reason"])


def _out(value: float) -> float | str | None:
    """A number as JSON has it; counts stay whole numbers."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        return str(float(value))
    return value if isinstance(value, int) else float(value)


def _in(value: float | str | None) -> float:
    if value is None:
        return math.nan
    return float(value) if isinstance(value, str) else value
