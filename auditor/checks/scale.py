"""Checks on how large a layer is and how many directions it uses."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from auditor.checks.base import Case
from auditor.records import Finding, LayerRecord, Severity

MOVED = "d_log_spectral_norm"  # evidence of a change against the baseline
MIN_KIN = 8  # a robust z-score of fewer layers says nothing
MAD_TO_SD = 1.4826  # for a normal distribution
LEAST_SPREAD = 0.1  # of log10: blocks trained alike differ by less, and a factor of 1.1 is none


def robust_z(case: Case) -> dict[str, float]:
    r"""How far each layer's log spectral norm lies from the others of its module kind.

    .. math:: z = (x - \mathrm{median}) / \max(1.4826\,\mathrm{MAD}, 0.1)

    The same module in every block is one kind: names that differ only in their numbers, and
    kernels of one size. Unchanged by scaling the whole model. Kinds with fewer than `MIN_KIN`
    layers have no score.
    """
    kin: dict[tuple[str, str, tuple[int, ...]], list[LayerRecord]] = defaultdict(list)
    for layer in case.layers:
        if math.isfinite(layer.metrics["log_spectral_norm"]):
            kernel = layer.shape[2:]
            kin[layer.kind, module(layer.name), kernel].append(layer)
    return {
        name: z
        for group in kin.values()
        if len(group) >= MIN_KIN
        for name, z in _scores(group).items()
    }


def module(name: str) -> str:
    """What a layer is, wherever it stands.

    >>> module("h.11.mlp.c_fc.weight")
    'h.#.mlp.c_fc.weight'
    """
    return re.sub(r"[0-9]+", "#", name)


def _scores(group: list[LayerRecord]) -> dict[str, float]:
    values = [layer.metrics["log_spectral_norm"] for layer in group]
    centre = median(values)
    mad = median(abs(value - centre) for value in values)
    spread = max(MAD_TO_SD * mad, LEAST_SPREAD)
    return {layer.name: (layer.metrics["log_spectral_norm"] - centre) / spread for layer in group}


@dataclass(frozen=True, slots=True, kw_only=True)
class RankCollapse:
    """A layer uses only a few of its directions, or far fewer than in the baseline."""

    severity: ClassVar[Severity] = Severity.CRITICAL
    condition: ClassVar[str] = "Layers whose rank collapsed"
    meaning: ClassVar[str] = (
        "Most directions of the layer carry nothing: it can pass on only a few features. A "
        "healthy trained layer has nearly full rank; truncation, a broken merge or a failed "
        "low-rank compression has not."
    )
    advice: ClassVar[str] = (
        "Compare the layer with the checkpoint before compression; raise the rank kept, or "
        "leave this layer out of it."
    )
    needs: ClassVar[str] = ""

    min_share: float = 0.1
    max_fall: float = 0.2

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer with rank < 0.1 M, or down by > 0.2 M."""
        for layer in case.layers:
            share = _rank_share(layer)
            if math.isnan(share):
                continue
            if share < self.min_share:
                rule = f"rank below {self.min_share:.0%} of M"
                yield self._finding(layer, share, rule, self.min_share)
            elif self._fall(case, layer, share) > self.max_fall:
                rule = f"rank down by more than {self.max_fall:.0%} of M"
                yield self._finding(layer, share, rule, self.max_fall)

    def _fall(self, case: Case, layer: LayerRecord, share: float) -> float:
        change = case.comparison.change(layer.name) if case.comparison else None
        return _rank_share(change.before) - share if change else math.nan

    def _finding(self, layer: LayerRecord, share: float, rule: str, limit: float) -> Finding:
        rank = layer.metrics["matrix_rank"]
        return Finding(
            severity=self.severity,
            layer=layer.name,
            message=f"{layer.name} lost its rank: {rank:.0f} of {layer.measured.num_evals} "
            f"directions carry anything ({share:.1%})",
            rule=rule,
            limit=limit,
            value=share,
            evidence={"matrix_rank": rank, "stable_rank": layer.metrics["stable_rank"]},
        )


def _rank_share(layer: LayerRecord) -> float:
    """Rank over the most it could be; nan for a zero layer, which another check names."""
    if layer.measured.status == "zero":
        return math.nan
    return layer.metrics["matrix_rank"] / layer.measured.num_evals


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleCollapse:
    """A layer became far smaller than in the baseline, or than the others of its kind."""

    severity: ClassVar[Severity] = Severity.CRITICAL
    condition: ClassVar[str] = "Layers whose scale collapsed"
    meaning: ClassVar[str] = (
        "The layer's largest singular value is far below what it was, or below every layer of "
        "its kind, while its shape may look healthy: it hardly acts any more. Broken exports, "
        "double scaling and over-strong regularisation do this."
    )
    advice: ClassVar[str] = (
        "Compare the layer's values with the training checkpoint; look for a scale applied "
        "twice, a wrong quantisation scale, or a regulariser left on."
    )
    needs: ClassVar[str] = ""

    max_fall: float = -1.0  # of log10 of the largest eigenvalue
    min_z: float = -5.0

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer."""
        limits = _Limits(self.max_fall, self.min_z, sign=-1, undoes="scale_explosion")
        yield from _scale_findings(case, self.severity, limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleExplosion:
    """A layer became far larger than in the baseline, or than the others of its kind."""

    severity: ClassVar[Severity] = Severity.WARNING
    condition: ClassVar[str] = "Layers whose scale exploded"
    meaning: ClassVar[str] = (
        "The layer's largest singular value is far above what it was, or above every layer of "
        "its kind. A learning rate that is too high, missing weight decay or a merge with the "
        "wrong weights does this."
    )
    advice: ClassVar[str] = (
        "Look at the learning rate and gradient norms of the last epochs; try gradient "
        "clipping or weight decay."
    )
    needs: ClassVar[str] = ""

    max_rise: float = 1.0
    max_z: float = 5.0

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer."""
        limits = _Limits(self.max_rise, self.max_z, sign=1, undoes="scale_collapse")
        yield from _scale_findings(case, self.severity, limits)


@dataclass(frozen=True, slots=True)
class _Limits:
    """How far a scale may go in one direction, and which finding the way back undoes."""

    change: float  # of log10 of the largest eigenvalue, with its sign
    z: float
    sign: int
    undoes: str


def _scale_findings(case: Case, severity: Severity, limits: _Limits) -> Iterator[Finding]:
    """Findings of layers beyond either limit; the change speaks first.

    What a baseline nobody accepted had moved the other way is taken off the change: coming
    back from an explosion is its repair and no collapse.
    """
    scores, undone = robust_z(case), _moved_before(case, limits.undoes)
    sign, change_limit, z_limit = limits.sign, limits.change, limits.z
    for layer in case.layers:
        change = case.comparison.change(layer.name) if case.comparison else None
        moved = change.distances["d_log_spectral_norm"] if change else math.nan
        z = scores.get(layer.name, math.nan)
        word = "larger" if sign > 0 else "smaller"
        norm = layer.metrics["log_spectral_norm"]
        if sign * (moved + undone.get(layer.name, 0.0)) >= sign * change_limit:
            yield Finding(
                severity=severity,
                layer=layer.name,
                message=f"{layer.name} became {10 ** (sign * moved / 2):.3g} times {word}: "
                f"log10 spectral norm {norm:.2f}, {moved:+.2f} against the baseline",
                rule=f"log10 of the largest eigenvalue changed by {change_limit:+g} or more",
                limit=change_limit,
                value=moved,
                evidence={"log_spectral_norm": norm, "z": z, MOVED: moved},
            )
        elif sign * z >= sign * z_limit:
            yield Finding(
                severity=severity,
                layer=layer.name,
                message=f"{layer.name} is far {word} than its like in the other blocks: "
                f"log10 spectral norm {norm:.2f}, robust z {z:+.1f}",
                rule=f"robust z of log10 spectral norm among the same module of all blocks at "
                f"{z_limit:+g} or beyond",
                limit=z_limit,
                value=z,
                evidence={"log_spectral_norm": norm, "z": z},
            )


def _moved_before(case: Case, check: str) -> dict[str, float]:
    """By layer, how far the standing findings of a check say that it moved."""
    return {
        finding.layer: finding.evidence[MOVED]
        for finding in case.stood
        if finding.check == check and finding.layer and finding.evidence.get(MOVED) is not None
    }


CHECKS = (RankCollapse, ScaleCollapse, ScaleExplosion)
