"""Checks of a layer against its random twin."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from auditor.checks.base import Case
from auditor.records import Finding, LayerRecord, Severity

NORMAL = 3.0  # kurtosis of normal entries: those of every usual initialisation have no more
TRAINED = (
    "Shuffling the layer's entries gives the same spectrum, but no initialisation draws entries "
    "with such tails. It was trained, and what it learned does not show in its spectrum."
)


def is_random_like(layer: LayerRecord) -> bool:
    """Whether the layer cannot be told from its random twin: then α says nothing about it."""
    return layer.metrics.get("random_like", math.nan) == 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomLike:
    """A layer cannot be told from random numbers: it looks untrained."""

    severity: ClassVar[Severity] = Severity.WARNING
    condition: ClassVar[str] = "Layers that look untrained"
    meaning: ClassVar[str] = (
        "Shuffling the layer's entries gives the same spectrum: no correlation was learned. "
        "The layer was never trained, was initialised again, or learned nothing."
    )
    advice: ClassVar[str] = (
        "Check that the layer is in the optimiser and that its checkpoint was loaded; a layer "
        "frozen at its initial values by design can be accepted."
    )
    needs: ClassVar[str] = "random_like"

    min_evals: int = 50
    max_errors: float = 3.0

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer with at least `min_evals` eigenvalues.

        It is information where the tails of the entries are heavier than normal ones, by more
        than `max_errors` standard errors of the kurtosis: no initialisation draws such.
        """
        for layer in case.layers:
            if is_random_like(layer) and layer.measured.num_evals >= self.min_evals:
                yield self._finding(layer)

    def _finding(self, layer: LayerRecord) -> Finding:
        deviation = layer.metrics.get("rand_deviation", math.nan)
        kurtosis = layer.metrics.get("kurtosis", math.nan)
        limit = NORMAL + self.max_errors * math.sqrt(24.0 / layer.parameters)
        trained = kurtosis > limit
        looks = "was trained, but looks random" if trained else "looks untrained"
        return Finding(
            severity=Severity.INFO if trained else self.severity,
            layer=layer.name,
            message=f"{layer.name} {looks}: shuffling its entries changes nothing, it is at "
            f"{deviation:.2f} of the distance that chance explains, kurtosis {kurtosis:.2f}",
            rule="no spike its mean does not explain, as close to its random twin as chance "
            f"brings it, and entries of a kurtosis of {limit:.2f} at most",
            limit=1.0,
            value=deviation,
            evidence={
                "num_spikes": layer.metrics.get("num_spikes", math.nan),
                "kurtosis": kurtosis,
            },
            meaning=TRAINED if trained else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationTraps:
    """A few huge entries dominate a layer whatever their place."""

    severity: ClassVar[Severity] = Severity.WARNING
    condition: ClassVar[str] = "Layers with correlation traps"
    meaning: ClassVar[str] = (
        "After shuffling all entries an eigenvalue still stands out of the random bulk, so it "
        "comes from the size of a few entries, not from what was learned. WeightWatcher's "
        "theory reads traps as a sign of over-fitting or of too large a learning rate."
    )
    advice: ClassVar[str] = (
        "Look at the entries named; try a smaller learning rate, gradient clipping, or "
        "clipping the entries and evaluating again."
    )
    needs: ClassVar[str] = "trap_strength"

    min_strength: float = 2.5

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield a warning per layer with a trap of `min_strength`, information below that."""
        for layer in case.layers:
            strength = layer.metrics.get("trap_strength", math.nan)
            traps = layer.metrics.get("num_traps", math.nan)
            if not (traps >= 1.0 and strength > 0.0):
                continue
            entries = [list(entry) for trap in layer.measured.traps for entry in trap.entries]
            yield Finding(
                severity=self.severity if strength >= self.min_strength else Severity.INFO,
                layer=layer.name,
                message=f"{layer.name} has {traps:.0f} correlation trap{'s' * (traps > 1)}, the "
                f"strongest at {strength:.2f} times the random edge",
                rule="largest eigenvalue of the shuffled matrix over its Marchenko-Pastur edge",
                limit=self.min_strength,
                value=strength,
                evidence={"num_traps": traps, "entries": entries[:5]},
            )


CHECKS = (RandomLike, CorrelationTraps)
