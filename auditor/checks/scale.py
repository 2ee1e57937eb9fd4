"""Checks on how large a layer is and how many directions it uses."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from auditor.checks.base import BEFORE, Case, Threshold
from auditor.checks.peers import Score, scores
from auditor.checks.values import is_constant
from auditor.records import Finding, LayerRecord, Severity

COLLAPSE, EXPLOSION = "scale_collapse", "scale_explosion"  # two directions of one quantity


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
    theory: ClassVar[str] = (
        "Random initial values have full rank, and gradient steps do not lower it by much. A "
        "rank far below the shorter side is what an operation on the matrix leaves behind: a "
        "truncated decomposition, a merge of two thin factors, rows or columns set to zero."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Martin & Mahoney (2021), JMLR 22(165), rank collapse",
        "docs/calibration.md",
    )
    needs: ClassVar[str] = ""

    min_share: Annotated[float, Threshold("least rank", "of M, the smaller side")] = 0.1
    max_fall: Annotated[
        float, Threshold("largest fall of the rank against the baseline", "of M")
    ] = 0.2

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer with rank < 0.1 M, or down by > 0.2 M."""
        for layer in case.layers:
            share, change = _rank_share(layer), case.change(layer)
            if math.isnan(share):
                continue
            then = _rank_share(change.before) if change else math.nan
            before = case.held_against(layer, "rank_collapse", else_=then)
            if share < self.min_share:
                rule = f"rank below {self.min_share:.0%} of M"
                yield self._finding(layer, rule, self.min_share, before)
            elif before - share > self.max_fall:
                rule = f"rank down by more than {self.max_fall:.0%} of M"
                yield self._finding(layer, rule, self.max_fall, before)

    def _finding(self, layer: LayerRecord, rule: str, limit: float, before: float) -> Finding:
        rank, share = layer.metrics["matrix_rank"], _rank_share(layer)
        return Finding(
            severity=self.severity,
            layer=layer.name,
            message=f"{layer.name} lost its rank: {rank:.0f} of {layer.measured.num_evals} "
            f"directions carry anything ({share:.1%})",
            rule=rule,
            limit=limit,
            value=share,
            evidence={
                "matrix_rank": rank,
                "stable_rank": layer.metrics["stable_rank"],
                BEFORE: before,
            },
        )


def _rank_share(layer: LayerRecord) -> float:
    """Rank over the most it could be; nan for a layer of one value, which another check names."""
    if layer.measured.status == "zero" or is_constant(layer):
        return math.nan
    return layer.metrics["matrix_rank"] / layer.measured.num_evals


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleCollapse:
    """A layer became far smaller than in the baseline, or than the others of its kind.

    It is held against the baseline; against the same module of all blocks, where there are
    eight; against a line through the six nearest of them in depth; and against the band of its
    kind in a profile. What only the nearest blocks say, in a model whose blocks differ as much
    everywhere, is information.
    """

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
    theory: ClassVar[str] = (
        "The largest singular value bounds how much a layer can pass on; α does not see it, for "
        "α is blind to scale. In a network compressed by a group regulariser the norms of some "
        "layers fell by a factor of 3 to 7 while every α stayed, and fine-tuning brought them "
        "back. Blocks that are trained alike have norms alike, or that change smoothly with depth."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Martin, Peng & Mahoney (2021), Nature Communications 12:4122, scale collapse",
        "docs/calibration.md",
    )
    needs: ClassVar[str] = ""

    max_fall: Annotated[
        float, Threshold("largest fall against the baseline", "log10 of an eigenvalue")
    ] = -1.0
    min_z: Annotated[
        float, Threshold("how far below its like a layer may lie", "robust standard deviations")
    ] = -5.0

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer."""
        yield from _scale_findings(case, self.severity, _Limits(self.max_fall, self.min_z, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleExplosion:
    """A layer became far larger than in the baseline, or than the others of its kind.

    It is held against what `scale_collapse` is held against, on the other side.
    """

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
    theory: ClassVar[str] = (
        "The product of the largest singular values bounds how much the network can amplify its "
        "input, and enters bounds of its generalisation. One layer far above its like dominates "
        "that product, and what it amplifies is as often noise as signal."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Bartlett, Foster & Telgarsky (2017), NeurIPS 30",
        "docs/calibration.md",
    )
    needs: ClassVar[str] = ""

    max_rise: Annotated[
        float, Threshold("largest rise against the baseline", "log10 of an eigenvalue")
    ] = 1.0
    max_z: Annotated[
        float, Threshold("how far above its like a layer may lie", "robust standard deviations")
    ] = 5.0

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer."""
        yield from _scale_findings(case, self.severity, _Limits(self.max_rise, self.max_z, 1))


@dataclass(frozen=True, slots=True)
class _Limits:
    """How far a scale may go in one direction."""

    change: float  # of log10 of the largest eigenvalue, with its sign
    z: float
    sign: int

    @property
    def word(self) -> str:
        return "larger" if self.sign > 0 else "smaller"

    def is_beyond(self, value: float, limit: float) -> bool:
        return self.sign * value >= self.sign * limit

    def worst(self, scores: Sequence[Score]) -> Score | None:
        """The score farthest beyond its limit: those that are sure go first."""
        beyond = [score for score in scores if self.is_beyond(score.near, self.z)]
        return max(beyond, key=lambda one: (self.sign * one.z, self.sign * one.near), default=None)


def _scale_findings(case: Case, severity: Severity, limits: _Limits) -> Iterator[Finding]:
    """Findings of layers beyond a limit; the change speaks first.

    Where a change of the baseline's own stands, in either direction, the value is held
    against what that was held against: coming back from an explosion is its repair and no
    collapse, and what stays collapsed is not repaired.
    """
    found = scores(case)
    for layer in case.layers:
        change = case.change(layer)
        then = change.before.metrics["log_spectral_norm"] if change else math.nan
        before = case.held_against(layer, COLLAPSE, EXPLOSION, else_=then)
        moved = layer.metrics["log_spectral_norm"] - before
        if limits.is_beyond(moved, limits.change):
            yield _changed(layer, severity, limits, moved, stands=before != then)
        elif worst := limits.worst(found.get(layer.name, [])):
            yield _strange(layer, severity, limits, worst, before)


def _changed(
    layer: LayerRecord, severity: Severity, limits: _Limits, moved: float, *, stands: bool
) -> Finding:
    norm = layer.metrics["log_spectral_norm"]
    times = 10 ** (limits.sign * moved / 2)
    factor = f"{times:,.0f}" if times >= 100 else f"{times:.3g}"
    against = "its value before a change nobody accepted" if stands else "the baseline"
    return Finding(
        severity=severity,
        layer=layer.name,
        message=f"{layer.name} became {factor} times {limits.word}: "
        f"log10 spectral norm {norm:.2f}, {moved:+.2f} against {against}",
        rule=f"log10 of the largest eigenvalue changed by {limits.change:+g} or more",
        limit=limits.change,
        value=moved,
        evidence={"log_spectral_norm": norm, BEFORE: norm - moved},
    )


def _strange(
    layer: LayerRecord, severity: Severity, limits: _Limits, score: Score, before: float
) -> Finding:
    """Information where other blocks differ from their neighbours by as much.

    What is held against afterwards is the baseline, or without one what is usual.
    """
    norm = layer.metrics["log_spectral_norm"]
    sure = limits.is_beyond(score.z, limits.z)
    doubt = "" if sure else f" ({score.z:+.1f} by how much all blocks differ)"
    z = score.z if sure else score.near
    return Finding(
        severity=severity if sure else Severity.INFO,
        layer=layer.name,
        message=f"{layer.name} is far {limits.word} than {score.like}: log10 spectral norm "
        f"{norm:.2f}, {score.usual:.2f} expected, robust z {z:+.1f}{doubt}",
        rule=f"robust z of log10 spectral norm among {score.measure} at {limits.z:+g} or beyond",
        limit=limits.z,
        value=z,
        evidence={
            "log_spectral_norm": norm,
            "z": z,
            BEFORE: score.usual if math.isnan(before) else before,
        },
    )


CHECKS = (RankCollapse, ScaleCollapse, ScaleExplosion)
