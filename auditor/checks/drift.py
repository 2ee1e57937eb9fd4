"""Checks on how far the values are from what they were in the baseline, and whether they moved."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar

from auditor.checks.base import BEFORE, Case, Threshold
from auditor.checks.randomness import is_random_like
from auditor.naming import listed
from auditor.records import Finding, Severity

KEPT = 100  # names in evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeChange:
    """A layer is far from what it was in the baseline."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Layers that changed a lot"
    meaning: ClassVar[str] = (
        "The weights moved by a large part of their own norm. Two trainings from different "
        "seeds differ by about 1.4, so this alone says retrained, not broken."
    )
    advice: ClassVar[str] = "Expected after retraining; a surprise after fine-tuning or export."
    theory: ClassVar[str] = (
        "Two independent matrices of one norm are √2 of it apart, whatever they compute, for the "
        "units of a layer have no order of their own. Fine-tuning moves a layer by some hundredths "
        "of its norm, and rounding by less."
    )
    sources: ClassVar[tuple[str, ...]] = ("docs/calibration.md", "docs/distances.md")
    needs: ClassVar[str] = ""

    max_relative: Annotated[
        float, Threshold("the change may be this large", "of the baseline's norm")
    ] = 0.5

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer with a relative distance above the limit.

        An event: the next version is held against this one, whose weights are at hand.
        """
        for change in case.comparison.layers if case.comparison else ():
            relative = change.distances["relative"]
            if relative > self.max_relative:
                yield Finding(
                    severity=self.severity,
                    layer=change.name,
                    message=f"{change.name} changed by {relative:.2f} of its norm",
                    rule="Frobenius norm of the change over the baseline's",
                    limit=self.max_relative,
                    value=relative,
                    evidence={"cosine": change.distances["cosine"]},
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlphaShift:
    """A layer's tail exponent moved by more than its uncertainty."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Layers whose α moved beyond its error"
    meaning: ClassVar[str] = (
        "α differs from the baseline's by more than chance explains. Downwards means a heavier "
        "tail, upwards a lighter one."
    )
    advice: ClassVar[str] = "Read it beside the layer's distance and the other layers' α."
    theory: ClassVar[str] = (
        "α is an estimate from a few dozen eigenvalues, so two fits to like spectra differ. Its "
        "error in a difference is that of both fits together; three of them, and half a unit, are "
        "more than training with another seed moves most layers by."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Clauset, Shalizi & Newman (2009), SIAM Review 51(4)",
        "docs/statistics.md",
        "docs/calibration.md",
    )
    needs: ClassVar[str] = "alpha"

    min_errors: Annotated[float, Threshold("α moved by as many at least", "standard errors")] = 3.0
    min_shift: Annotated[float, Threshold("α moved by as much at least")] = 0.5

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer beyond both limits, unless its random twin explains it.

        While a shift of the baseline stands, α is held against what it was before that.
        """
        for layer in case.layers:
            change = case.change(layer)
            if change is None or is_random_like(layer) or is_random_like(change.before):
                continue
            then = change.before.metrics.get("alpha", math.nan)
            before = case.held_against(layer, "alpha_shift", else_=then)
            shift = change.distances["d_alpha"] + then - before
            error = change.distances["d_alpha_error"]
            if abs(shift) >= max(self.min_shift, self.min_errors * error):
                yield Finding(
                    severity=self.severity,
                    layer=layer.name,
                    message=f"{layer.name}: α moved by {shift:+.2f} ± {error:.2f}",
                    rule=f"α moved by {self.min_shift:g} and {self.min_errors:g} errors or more",
                    limit=self.min_shift,
                    value=shift,
                    interval=(shift - 1.96 * error, shift + 1.96 * error),
                    evidence={BEFORE: before},
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class NoChange:
    """Nothing changed since the baseline where a change was expected."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "No change where one was expected"
    meaning: ClassVar[str] = (
        "The weights are the baseline's, though this is a version of its own. Either something "
        "else changed (biases, norms, the format), or the training never reached the file."
    )
    advice: ClassVar[str] = (
        "See that the trained weights were saved, and not those they started from; that the "
        "layers are in the optimiser and not frozen; that an adapter was merged."
    )
    theory: ClassVar[str] = (
        "A step of training changes every weight with a gradient in its last digits, so a layer "
        "that was trained differs bit by bit. Equal values mean no step, a step of size zero, or "
        "a file that was written before."
    )
    sources: ClassVar[tuple[str, ...]] = ("docs/distances.md",)
    needs: ClassVar[str] = ""

    expected: Annotated[
        tuple[str, ...], Threshold("patterns of the layers that have to change", "names")
    ] = ()

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding if no layer changed, came or went; else one per `expected` layer.

        An event: it is over with the next version that changes something.
        """
        same, total = _unchanged(case), len(case.layers)
        if total and len(same) == total and _is_whole(case):
            yield Finding(
                severity=self.severity,
                message=f"none of the {total:,} layers differs from the baseline's",
                rule="every value of every matrix as in the baseline",
                limit=0.0,
                value=float(total),
            )
            return
        for name in same:
            if any(fnmatchcase(name, pattern) for pattern in self.expected):
                yield Finding(
                    severity=self.severity,
                    layer=name,
                    message=f"{name} is as it was in the baseline, and was expected to change",
                    rule="every value as in the baseline",
                    limit=0.0,
                    value=1.0,
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenLayers:
    """Some layers are bit by bit those of the baseline, and others are not."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Layers that did not change"
    meaning: ClassVar[str] = (
        "These layers were frozen while others were trained, or were never reached by a "
        "gradient. What is known of them from the baseline holds on."
    )
    advice: ClassVar[str] = (
        "Nothing, if they were frozen on purpose; else name them in `expected` of no_change, and "
        "the next version is held to it."
    )
    theory: ClassVar[str] = (
        "Freezing early layers keeps what they learned on more data and costs less. A layer that "
        "ought to learn and stands still is cut off from the loss or left out of the optimiser."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Howard & Ruder (2018), Universal Language Model Fine-tuning, ACL",
        "docs/distances.md",
    )
    needs: ClassVar[str] = ""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding with their number and the first of their names."""
        same = _unchanged(case)
        if 0 < len(same) < len(case.layers):
            yield Finding(
                severity=self.severity,
                message=f"{len(same):,} of {len(case.layers):,} layers did not change: "
                f"{listed(same)}",
                rule="layers with every value as in the baseline",
                limit=0.0,
                value=float(len(same)),
                evidence={"layers": same[:KEPT]},
            )


def _is_whole(case: Case) -> bool:
    """Whether every matrix of the version is compared: none came, went, or has no numbers."""
    change = case.comparison
    lost = [skip for skip in case.skipped if skip.is_matrix and (skip.non_finite or not skip.read)]
    return not lost and not (change and (change.added or change.removed))


def _unchanged(case: Case) -> list[str]:
    """Names of the layers with the baseline's values, in whichever type they are stored."""
    changes = filter(None, map(case.change, case.layers))
    return [change.name for change in changes if change.distances.get("relative") == 0.0]


STANDSTILLS = (NoChange, FrozenLayers)
CHECKS = (LargeChange, AlphaShift, *STANDSTILLS)
