"""Checks on how the tail exponents of a model's layers lie beside each other."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from statistics import median
from typing import Annotated, ClassVar

from auditor.checks.base import Case, Threshold
from auditor.checks.shape import NATURE, SETOL, THEORY, has_alpha, interval, is_judged
from auditor.records import Finding, LayerRecord, Severity
from auditor.spectral.robust import median_interval, share_interval, slope

SHOWN = 20  # names in the evidence; the rest is counted
MIN_GROUP = 3  # layers of one kind: fewer have no second difference
MEDIAN_OF_NORMAL = 0.6745  # of the absolute value, in standard deviations


@dataclass(frozen=True, slots=True, kw_only=True)
class AlphaSpikes:
    """Many layers of the model have a tail too light to be learned."""

    severity: ClassVar[Severity] = Severity.WARNING
    condition: ClassVar[str] = "Models with many layers whose α is above 6"
    meaning: ClassVar[str] = (
        "A large share of the layers has an α that lies above 6 with its whole interval. One "
        "such layer is everyday; many of them say that the model is larger than what it learned."
    )
    advice: ClassVar[str] = "Train longer or on more data, or try a smaller model."
    theory: ClassVar[str] = (
        "In published models of good quality α clusters between 2 and 6, and the layers above 6 "
        "are few; in models that were trained on too little data for their size they spread. "
        "The share is what was compared, no single layer."
    )
    sources: ClassVar[tuple[str, ...]] = (NATURE, THEORY)
    needs: ClassVar[str] = "alpha_lo"

    above: Annotated[float, Threshold("the whole interval of α has to lie above it")] = 6.0
    max_share: Annotated[
        float, Threshold("largest share; information where its interval reaches down to it")
    ] = 0.25
    min_layers: Annotated[int, Threshold("smaller models are not judged", "layers")] = 8

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield at most one finding; layers that their random twin explains do not count."""
        layers = [layer for layer in case.layers if has_alpha(layer)]
        high = [layer.name for layer in layers if interval(layer)[0] > self.above]
        if len(layers) < self.min_layers or len(high) <= self.max_share * len(layers):
            return
        share, ends = len(high) / len(layers), share_interval(len(high), len(layers))
        yield Finding(
            severity=self.severity if ends[0] > self.max_share else Severity.INFO,
            message=f"α lies above {self.above:g} in {len(high)} of {len(layers)} layers "
            f"({share:.0%} [{ends[0]:.0%}, {ends[1]:.0%}])",
            rule=f"more than {self.max_share:.0%} of the layers with an interval of α wholly "
            f"above {self.above:g}",
            limit=self.max_share,
            value=share,
            interval=ends,
            evidence={"layers": high[:SHOWN]},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationFlow:
    """α drifts with depth, or jumps from layer to layer."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Models whose α drifts with depth or is erratic"
    meaning: ClassVar[str] = (
        "What one layer learned is handed on to the next, so that α is steady over layers of "
        "one kind. A drift or jumps beyond the errors say that information is lost on the way, "
        "or that parts of the model were trained differently."
    )
    advice: ClassVar[str] = (
        "Look at the plot of α against depth; see where it turns, and what is special there: "
        "a frozen part, a missing residual connection, another learning rate."
    )
    theory: ClassVar[str] = (
        "Correlation flow is an observation on published models: in residual networks α stays "
        "level with depth, in plain ones it rises towards the output. Erratic flow was seen in "
        "models that were compressed or put together from parts. It is no law, and no error of "
        "measurement is part of the original claim; here both decisions rest on intervals."
    )
    sources: ClassVar[tuple[str, ...]] = (NATURE, SETOL)
    needs: ClassVar[str] = "alpha_lo"

    min_drift: Annotated[
        float, Threshold("least drift of α from the first to the last layer, at the nearer end")
    ] = 1.5
    min_roughness: Annotated[
        float, Threshold("least jump from layer to layer, at the lower end", "of the errors")
    ] = 1.5
    min_layers: Annotated[int, Threshold("smaller models are not judged", "layers")] = 8

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield at most one finding, of a drift, of jumps, or of both."""
        groups = list(_comparable(case.layers))
        if sum(map(len, groups)) < self.min_layers:
            return
        drift, *ends = slope(*_centred(groups, max(layer.index for layer in case.layers)))
        rough, *reach = _roughness(groups)
        nearer = max(ends[0], -ends[1])  # above 0 where the interval leaves out 0
        said = []
        if nearer >= self.min_drift:
            said.append(
                f"α {'rises' if drift > 0 else 'falls'} by {abs(drift):.2f} with depth "
                f"[{ends[0]:.2f}, {ends[1]:.2f}]"
            )
        if reach[0] >= self.min_roughness:
            said.append(
                f"α jumps from layer to layer, {rough:.1f} times as far as its errors explain "
                f"[{reach[0]:.1f}, {reach[1]:.1f}]"
            )
        if said:
            is_drift = nearer >= self.min_drift
            yield Finding(
                severity=self.severity,
                message="; ".join(said),
                rule=f"Theil-Sen slope of α over the whole depth beyond ±{self.min_drift:g}, or "
                f"second differences beyond {self.min_roughness:g} of their errors, each with "
                "its 95 % interval",
                limit=self.min_drift if is_drift else self.min_roughness,
                value=drift if is_drift else rough,
                interval=(ends[0], ends[1]) if is_drift else (reach[0], reach[1]),
                evidence={"drift": drift, "roughness": rough},
            )


def _comparable(layers: Sequence[LayerRecord]) -> Iterator[list[LayerRecord]]:
    """Judged layers of one kind and kernel, in the model's order."""
    found: dict[tuple[str, tuple[int, ...]], list[LayerRecord]] = defaultdict(list)
    for layer in sorted(layers, key=lambda one: one.index):
        if is_judged(layer):
            found[layer.kind, layer.shape[2:]].append(layer)
    return (group for group in found.values() if len(group) >= MIN_GROUP)


def _centred(groups: Sequence[Sequence[LayerRecord]], last: int) -> tuple[list[float], list[float]]:
    """Depth from 0 to 1, and α less the median of its kind."""
    depth: list[float] = []
    alphas: list[float] = []
    for group in groups:
        centre = median(layer.metrics["alpha"] for layer in group)
        depth += [layer.index / last for layer in group]
        alphas += [layer.metrics["alpha"] - centre for layer in group]
    return depth, alphas


def _roughness(groups: Sequence[Sequence[LayerRecord]]) -> tuple[float, float, float]:
    """Median second difference of α in units of what the errors explain, with its interval.

    Second differences, so that a trend is no roughness. 1 where the errors explain all; where
    no error is above 0 nothing is known.
    """
    found = [
        abs(a.metrics["alpha"] - 2.0 * b.metrics["alpha"] + c.metrics["alpha"])
        / (error * MEDIAN_OF_NORMAL)
        for group in groups
        for (a, b), (_, c) in pairwise(pairwise(group))
        if (error := hypot(_error(a), 2.0 * _error(b), _error(c))) > 0.0
    ]
    return median(found) if found else 0.0, *median_interval(found)


def _error(layer: LayerRecord) -> float:
    low, high = interval(layer)
    return (high - low) / (2.0 * 1.96)


CHECKS = (AlphaSpikes, CorrelationFlow)
