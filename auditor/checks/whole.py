"""Checks on a version as a whole: its layers taken together."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean, median
from typing import Annotated, ClassVar

import numpy as np

from auditor.checks.base import BEFORE, Case, Threshold
from auditor.checks.shape import THEORY, has_alpha, interval, is_judged
from auditor.records import Finding, Severity
from auditor.spectral.robust import MAD_TO_SD, median_interval, share_interval

KEPT = 200  # values of α in the evidence; of more layers, quantiles


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOutOfRange:
    """Too large a share of the layers has an α outside the range of well-trained ones."""

    severity: ClassVar[Severity] = Severity.WARNING
    condition: ClassVar[str] = "Models with many layers out of the range of α"
    meaning: ClassVar[str] = (
        "In a large share of the layers α lies wholly below 2 or wholly above 6. Single layers "
        "out of this range are everyday; many of them are a property of the whole training."
    )
    advice: ClassVar[str] = (
        "See which side they are on: below 2, look at labels, learning rate and length of the "
        "training; above 6, at its data and the size of the model."
    )
    theory: ClassVar[str] = (
        "Well-trained layers have an α between 2 and 6. That is a statement on most layers of "
        "most models, so a version is held to a share of its layers, and the share has an "
        "interval of its own: of ten layers, three say little."
    )
    sources: ClassVar[tuple[str, ...]] = (THEORY,)
    needs: ClassVar[str] = "alpha_lo"

    below: Annotated[float, Threshold("lower end of the range of α")] = 2.0
    above: Annotated[float, Threshold("upper end of the range of α")] = 6.0
    max_share: Annotated[
        float, Threshold("largest share; information where its interval reaches down to it")
    ] = 0.33
    min_layers: Annotated[int, Threshold("smaller models are not judged", "layers")] = 8

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield at most one finding; layers that their random twin explains do not count."""
        layers = [layer for layer in case.layers if has_alpha(layer)]
        low = sum(is_judged(one) and interval(one)[1] < self.below for one in layers)
        high = sum(interval(one)[0] > self.above for one in layers)
        out, total = low + high, len(layers)
        if total < self.min_layers or out <= self.max_share * total:
            return
        ends = share_interval(out, total)
        yield Finding(
            severity=self.severity if ends[0] > self.max_share else Severity.INFO,
            message=f"α is out of its range in {out} of {total} layers: {low} below "
            f"{self.below:g}, {high} above {self.above:g}",
            rule=f"more than {self.max_share:.0%} of the layers with an interval of α wholly "
            f"outside [{self.below:g}, {self.above:g}]",
            limit=self.max_share,
            value=out / total,
            interval=ends,
            evidence={"below": low, "above": high, "layers": total},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianShift:
    """The layers' α moved together since the baseline."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Models whose median α moved"
    meaning: ClassVar[str] = (
        "Over all layers that both versions have, α moved to one side by more than chance "
        "explains. Downwards the tails became heavier, upwards lighter."
    )
    advice: ClassVar[str] = "Compare the training of both versions: length, learning rate, data."
    theory: ClassVar[str] = (
        "During training α falls from layer to layer at its own pace, and rises again where "
        "regularisation takes over, so a common shift shows another length or strength of "
        "training. Layers are paired: the median of their own changes is far more certain than "
        "the difference of two medians, and its interval from order statistics needs no "
        "assumption on how they are distributed."
    )
    sources: ClassVar[tuple[str, ...]] = (
        THEORY,
        "Conover (1999), Practical Nonparametric Statistics, section 3.2",
    )
    needs: ClassVar[str] = "alpha_lo"

    min_shift: Annotated[float, Threshold("least shift of the median of α")] = 0.3
    min_layers: Annotated[int, Threshold("fewer layers in both are not judged", "layers")] = 8

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield at most one finding, where the interval of the shift leaves out 0."""
        pairs = _pairs(case)
        if len(pairs) < self.min_layers:
            return
        then = median(before for before, _ in pairs)
        reference = case.held_against(None, "median_shift", else_=then)
        moved = [after - before + then - reference for before, after in pairs]
        shift, (low, high) = median(moved), median_interval(moved)
        if abs(shift) < self.min_shift or low <= 0.0 <= high:
            return
        yield Finding(
            severity=self.severity,
            message=f"median α of {len(pairs)} layers moved by {shift:+.2f} [{low:+.2f}, "
            f"{high:+.2f}], from {reference:.2f}",
            rule=f"median of the layers' changes of α by {self.min_shift:g} or more, its "
            "interval without 0",
            limit=self.min_shift,
            value=shift,
            interval=(low, high),
            evidence={BEFORE: reference, "layers": len(pairs)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlphaDistribution:
    """The α of the layers are distributed otherwise than in the baseline."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Models whose distribution of α changed"
    meaning: ClassVar[str] = (
        "Taken as two samples, the α of the layers of both versions differ by more than chance "
        "explains. Some layers may have moved apart although the median stayed."
    )
    advice: ClassVar[str] = "Look at the plot of α against depth in both versions."
    theory: ClassVar[str] = (
        "Kolmogorov and Smirnov's test sees any change of shape and needs no assumption on how "
        "α is distributed; Anderson and Darling's sees the tails better, but its p is a table "
        "that ends at 0.1 %. The layers of two versions are paired and alike, which makes the "
        "test cautious; a common shift is what median_shift is for. With thousands of layers "
        "every change is significant, so the distance itself has a limit, too."
    )
    sources: ClassVar[tuple[str, ...]] = ("Hodges (1958), Arkiv för Matematik 3(43)",)
    needs: ClassVar[str] = "alpha_lo"

    max_p: Annotated[float, Threshold("largest probability of so large a distance by chance")] = (
        0.01
    )
    min_distance: Annotated[
        float, Threshold("least distance between the distributions, from 0 to 1")
    ] = 0.2
    min_layers: Annotated[int, Threshold("fewer layers in both are not judged", "layers")] = 8

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield at most one finding."""
        from scipy.stats import ks_2samp  # noqa: PLC0415 - slow to import, and the parent needs none

        pairs = _pairs(case)
        if len(pairs) < self.min_layers:
            return
        stood = case.standing(None, "alpha_distribution")
        then = stood.evidence[BEFORE] if stood else [before for before, _ in pairs]
        found = ks_2samp([after for _, after in pairs], then, method="asymp")  # exact ones warn
        if found.pvalue >= self.max_p or found.statistic < self.min_distance:
            return
        yield Finding(
            severity=self.severity,
            message=f"the α of {len(pairs)} layers are distributed otherwise than before: "
            f"distance {found.statistic:.2f}, p {found.pvalue:.2g}",
            rule=f"two-sample Kolmogorov-Smirnov test, p below {self.max_p:g} and distance "
            f"{self.min_distance:g} or more",
            limit=self.max_p,
            value=float(found.pvalue),
            evidence={"distance": float(found.statistic), BEFORE: _sample(then)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusualDistance:
    """The version is much farther from its baseline than earlier ones were from theirs."""

    severity: ClassVar[Severity] = Severity.WARNING
    condition: ClassVar[str] = "Versions that changed more than this model's usually do"
    meaning: ClassVar[str] = (
        "The weights moved by far more than between earlier versions of this model. What was "
        "done to this version is not what was done to the ones before."
    )
    advice: ClassVar[str] = (
        "Ask what is new: other data, another learning rate, training from scratch, or the "
        "weights of another model."
    )
    theory: ClassVar[str] = (
        "Retraining and fine-tuning by one recipe move the weights by like amounts, so the "
        "model's own history is the measure: robust, on a logarithmic scale, and not before "
        "five distances are known. It says that something is different, not that it is worse."
    )
    sources: ClassVar[tuple[str, ...]] = ("docs/distances.md",)
    needs: ClassVar[str] = ""

    max_z: Annotated[
        float, Threshold("how far above its history it may be", "robust standard deviations")
    ] = 5.0
    least_spread: Annotated[
        float, Threshold("smallest standard deviation of a history", "log10 of the distance")
    ] = 0.1
    min_history: Annotated[
        int, Threshold("with fewer nothing is judged", "earlier versions with a distance")
    ] = 5

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield at most one finding, of a version farther away than its history explains."""
        here = _distance(case)
        known = [math.log10(one.distance) for one in case.history if 0.0 < one.distance < math.inf]
        if not here > 0.0 or len(known) < self.min_history:
            return
        usual = median(known)
        spread = MAD_TO_SD * median(abs(value - usual) for value in known)
        z = (math.log10(here) - usual) / max(spread, self.least_spread)
        if z >= self.max_z:
            yield Finding(
                severity=self.severity,
                message=f"the weights moved by {here:.3g} of their norm, "
                f"{here / 10.0**usual:.3g} times as far as usual, robust z {z:+.1f}",
                rule="robust z of the log of the mean relative distance among earlier versions "
                f"at {self.max_z:+g} or beyond",
                limit=self.max_z,
                value=z,
                evidence={"distance": here, "usual": 10.0**usual, "versions": len(known)},
            )


def _pairs(case: Case) -> list[tuple[float, float]]:
    """α in the baseline and in this version, of the layers judged in both."""
    pairs = ((change.before, layer) for layer in case.layers if (change := case.change(layer)))
    return [
        (before.metrics["alpha"], after.metrics["alpha"])
        for before, after in pairs
        if is_judged(before) and is_judged(after)
    ]


def _distance(case: Case) -> float:
    """Mean relative distance of the layers, as in the history; nan without any."""
    changes = case.comparison.layers if case.comparison else ()
    found = [change.distances["relative"] for change in changes]
    known = [value for value in found if math.isfinite(value)]
    return fmean(known) if known else math.nan


def _sample(values: list[float]) -> list[float]:
    """The values, or as many quantiles of them as are kept."""
    if len(values) <= KEPT:
        return [round(value, 3) for value in sorted(values)]
    places = np.linspace(0.0, 1.0, KEPT)
    return [round(float(value), 3) for value in np.quantile(values, places)]


CHECKS = (ShareOutOfRange, MedianShift, AlphaDistribution, UnusualDistance)
