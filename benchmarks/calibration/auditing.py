"""A trial through the straight line of an audit: read, measure, compare, check, judge."""

import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from zlib import crc32

import numpy as np

from auditor.checks.base import Case
from auditor.given import inventory_of
from auditor.measuring import Baseline, Bench, measure_version
from auditor.memory import Passing
from auditor.policy import gates, judge, preset
from auditor.records import Finding, LayerRecord, ModelVersion, Settings, VersionId
from auditor.weights import Inventory
from benchmarks.calibration.kinds import Kind, Trial
from benchmarks.calibration.shapes import Dims

SEED = 20261121
MEMORY = 8 * 1024**3
POLICY = preset("recommended")
AS_OF = datetime(2026, 11, 21, tzinfo=UTC)
BEFORE = ModelVersion(VersionId("calibration", "trial", "1"), AS_OF, "trial/1", "trial/1")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an audit says about one layer."""

    evals: int  # 0 where it was skipped
    gates: tuple[str, ...]  # checks whose finding counts in the gate
    informs: tuple[str, ...]  # checks whose finding is information
    spikes: float
    strength: float  # of its strongest trap, see `auditor.metrics.randomness.trap_strength`
    named: bool  # every planted entry is named by a trap

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """From what JSON made of its fields."""
        lists = {name: tuple(stored[name]) for name in ("gates", "informs")}
        return cls(**{**stored, **lists})


@dataclass(frozen=True, slots=True)
class Examined:
    """Layers of a version by name, and every finding about it."""

    layers: Mapping[str, LayerRecord]
    findings: tuple[Finding, ...]


def draw(kind: Kind, dims: Dims, number: int) -> Trial:
    """The trial of a kind and shape with this number: always the same."""
    rng = np.random.default_rng((SEED, crc32(kind.name.encode()), *dims, number))
    return kind.make(rng, dims)


def outcomes(trial: Trial) -> list[Outcome]:
    """What an audit says about the layers of a trial that count."""
    opened = inventory_of(trial.before) if trial.before else nullcontext()
    with inventory_of(trial.after) as inventory, opened as before:
        found = examine(inventory, before)
    return [outcome(name, found, trial.entries) for name in trial.subjects]


def examine(inventory: Inventory, before: Inventory | None) -> Examined:
    """An audit at the default policy, every finding a new one."""
    baseline = Baseline(BEFORE, {t.name: t for t in before.tensors}, {}) if before else None
    bench = Bench(Passing(), Settings(), budget=MEMORY, workers=1)
    measured = measure_version(inventory, baseline, bench)
    case = Case(measured.layers, measured.skipped, inventory.reading, measured.comparison)
    judged = judge(case, POLICY, None, model=BEFORE.id.series, as_of=AS_OF.date())
    return Examined({layer.name: layer for layer in measured.layers}, judged.findings)


def outcome(
    name: str, found: Examined, entries: frozenset[tuple[int, int]] = frozenset()
) -> Outcome:
    """What it says about one layer, in which `entries` were planted."""
    layer = found.layers.get(name)
    about = [finding for finding in found.findings if finding.layer == name]
    metrics = layer.metrics if layer else {}
    traps = layer.measured.traps if layer else ()
    return Outcome(
        evals=layer.measured.num_evals if layer else 0,
        gates=tuple(finding.check for finding in about if gates(finding)),
        informs=tuple(finding.check for finding in about if not gates(finding)),
        spikes=metrics.get("num_spikes", math.nan),
        strength=metrics.get("trap_strength", math.nan),
        named=entries <= {entry[:2] for trap in traps for entry in trap.entries},
    )
