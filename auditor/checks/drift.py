"""Checks that look at what changed since the baseline."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from auditor.checks.base import Case
from auditor.records import Finding, Severity

SHOWN = 5  # names listed in a sentence; the rest is counted


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
    needs: ClassVar[str] = ""

    max_relative: float = 0.5

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer with a relative distance above the limit."""
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
class LayersChanged:
    """Layers appeared, vanished, or changed their shape since the baseline."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Changes of the set of layers"
    meaning: ClassVar[str] = (
        "The version does not have the layers its baseline has. What has no counterpart cannot "
        "be compared."
    )
    advice: ClassVar[str] = "Expected after a change of architecture; a surprise otherwise."
    needs: ClassVar[str] = ""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding naming what came and what went."""
        change = case.comparison
        if change is None or not (change.added or change.removed):
            return
        yield Finding(
            severity=self.severity,
            message=f"{len(change.added)} layers added{_named(change.added)}, "
            f"{len(change.removed)} removed{_named(change.removed)}",
            rule="layers without a counterpart of the same name and shape",
            limit=0.0,
            value=float(len(change.added) + len(change.removed)),
            evidence={"added": list(change.added), "removed": list(change.removed)},
        )


def _named(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f" ({', '.join(names[:SHOWN])}{more})"


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
    needs: ClassVar[str] = ""

    min_errors: float = 3.0
    min_shift: float = 0.5

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer beyond both limits."""
        for change in case.comparison.layers if case.comparison else ():
            shift, error = change.distances["d_alpha"], change.distances["d_alpha_error"]
            if abs(shift) >= max(self.min_shift, self.min_errors * error):
                yield Finding(
                    severity=self.severity,
                    layer=change.name,
                    message=f"{change.name}: α moved by {shift:+.2f} ± {error:.2f}",
                    rule=f"α moved by {self.min_shift:g} and {self.min_errors:g} errors or more",
                    limit=self.min_shift,
                    value=shift,
                    interval=(shift - 1.96 * error, shift + 1.96 * error),
                )


CHECKS = (LargeChange, LayersChanged, AlphaShift)
