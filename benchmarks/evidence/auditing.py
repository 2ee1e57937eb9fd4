"""A network through the straight line of an audit: read, measure, compare, check, judge."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from auditor import checks
from auditor.checks.base import Case
from auditor.given import inventory_of
from auditor.measuring import Baseline, Bench, Memory, measure_version
from auditor.policy import PRESET_NAMES, Before, Judgement, judge, preset
from auditor.records import Finding, LayerRecord, ModelVersion, Origin, Settings, VersionId
from benchmarks.evidence.training import Weights

MEMORY = 8 * 1024**3
AS_OF = datetime(2026, 11, 21, tzinfo=UTC)
BEFORE = ModelVersion(VersionId("evidence", "network", "1"), AS_OF, "network/1", "network/1")
OBSERVE = PRESET_NAMES[0]

Hit = tuple[str, str | None]  # check and layer


@dataclass(frozen=True, slots=True)
class Said:
    """What one audit says: what it finds, and its verdict by preset.

    What a check put down to information is no hit.
    """

    hits: tuple[Hit, ...]
    verdicts: Mapping[str, str]

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """From what JSON made of its fields."""
        return cls(tuple((check, layer) for check, layer in stored["hits"]), stored["verdicts"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """A network: its layers, what is said of it alone, and against what it was before."""

    evals: Mapping[str, int]  # eigenvalues by layer
    alphas: Mapping[str, tuple[float, float, float] | None]  # lower end, α, upper end; if any
    alone: Said
    against: Said
    learned: float | None = None  # accuracy
    unseen: float | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """From what JSON made of its fields."""
        said = {name: Said.of(stored[name]) for name in ("alone", "against")}
        return cls(**{**stored, **said})


def outcome(network: Weights, before: Weights, memory: Memory) -> Outcome:
    """What audits say about a network, alone and with `before` as its baseline."""
    bench = Bench(memory, Settings(), budget=MEMORY, workers=1)
    with inventory_of(network) as inventory, inventory_of(before) as other:
        was = Baseline(BEFORE, {one.name: one for one in other.tensors}, {})
        measured = measure_version(inventory, was, bench)
    case = Case(measured.layers, measured.skipped, inventory.reading, measured.comparison)
    stood = Case(measured.before, reading=other.reading)
    return Outcome(
        evals={layer.name: layer.measured.num_evals for layer in measured.layers},
        alphas={layer.name: _alpha(layer) for layer in measured.layers},
        alone=_said(replace(case, comparison=None), None),
        against=_said(case, stood),
    )


def _alpha(layer: LayerRecord) -> tuple[float, float, float] | None:
    low, value, high = (layer.metrics[name] for name in ("alpha_lo", "alpha", "alpha_hi"))
    return (low, value, high) if math.isfinite(low + value + high) else None


def _said(case: Case, stood: Case | None) -> Said:
    """What is said of a version whose baseline, if any, was audited by itself."""
    before = Before(_judged(stood, OBSERVE, None).findings) if stood else None
    judged = {name: _judged(case, name, before) for name in PRESET_NAMES}
    hits = {(one.check, one.layer) for one in judged[OBSERVE].findings if _is_hit(one)}
    verdicts = {name: str(one.verdict) for name, one in judged.items()}
    return Said(tuple(sorted(hits, key=repr)), verdicts)


def _judged(case: Case, name: str, before: Before | None) -> Judgement:
    return judge(case, preset(name), before, model=BEFORE.id.series, as_of=AS_OF.date())


def _is_hit(finding: Finding) -> bool:
    if finding.origin == Origin.FIXED:
        return False
    return finding.severity >= checks.BY_NAME[finding.check].severity
