"""Checks of a layer against its random twin."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from auditor.checks.base import BEFORE, Case, Threshold
from auditor.records import Finding, LayerRecord, Severity

INITIAL = ((1.8, 1.15), (2.37, 1.98), (3.0, 4.90))  # kurtosis of entries as drawn, its error √n
LEAST_ERROR = 0.01  # of a kurtosis: rounding, or a row of padding, is no training
TRAINED = (
    "Shuffling the layer's entries gives the same spectrum, but no usual initialisation draws "
    "entries like these. It was trained, and what it learned does not show in its spectrum."
)


def is_as_drawn(kurtosis: float, size: int, errors: float) -> bool:
    """Whether so many entries can be those of an initialisation, by their kurtosis.

    The usual ones are uniform (1.8), normal (3), and normal cut off at two standard deviations
    (2.37); by how much the kurtosis of a sample is off follows from each one's moments. What an
    optimiser adds to the entries blurs their distribution long before it shows in the spectrum.

    >>> is_as_drawn(1.82, 64 * 64, 3.0), is_as_drawn(2.05, 64 * 64, 3.0)
    (True, False)
    """
    if math.isnan(kurtosis):
        return True
    widths = ((known, max(error / math.sqrt(size), LEAST_ERROR)) for known, error in INITIAL)
    return any(abs(kurtosis - known) <= errors * width for known, width in widths)


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
    theory: ClassVar[str] = (
        "Training correlates entries, and shuffling them destroys the correlation, so a layer "
        "that learned something can be told from its shuffled twin. The spectrum of independent "
        "entries is known (Marchenko-Pastur), and so is how far two of them lie apart by chance. "
        "Checks of α leave such layers out: a fit to a random square matrix gives about 1.5."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Marchenko & Pastur (1967), Math. USSR-Sbornik 1(4)",
        "Martin & Mahoney (2021), JMLR 22(165)",
        "docs/calibration.md",
    )
    needs: ClassVar[str] = "random_like"

    min_evals: Annotated[int, Threshold("smaller layers are not judged", "eigenvalues")] = 50
    max_errors: Annotated[
        float,
        Threshold(
            "a kurtosis farther from every initialisation's makes it information",
            "standard errors",
        ),
    ] = 3.0

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer with at least `min_evals` eigenvalues.

        It is information where the kurtosis of the entries is none of an initialisation, by more
        than `max_errors` standard errors: see `is_as_drawn`.
        """
        for layer in case.layers:
            if is_random_like(layer) and layer.measured.num_evals >= self.min_evals:
                yield self._finding(layer)

    def _finding(self, layer: LayerRecord) -> Finding:
        deviation = layer.metrics.get("rand_deviation", math.nan)
        kurtosis = layer.metrics.get("kurtosis", math.nan)
        trained = not is_as_drawn(kurtosis, layer.parameters, self.max_errors)
        looks = "was trained, but looks random" if trained else "looks untrained"
        return Finding(
            severity=Severity.INFO if trained else self.severity,
            layer=layer.name,
            message=f"{layer.name} {looks}: shuffling its entries changes nothing, it is at "
            f"{deviation:.2f} of the distance that chance explains, kurtosis {kurtosis:.2f}",
            rule="no spike its mean does not explain, as close to its random twin as chance "
            f"brings it, and entries with the kurtosis of an initialisation (1.8, 2.37 or 3) "
            f"within {self.max_errors:g} standard errors",
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
    theory: ClassVar[str] = (
        "Shuffling destroys every correlation between entries and keeps their sizes. An "
        "eigenvalue of the shuffled matrix beyond the edge of the random bulk is therefore the "
        "work of a few huge entries: the mark that too large a step leaves. Independent entries "
        "with heavy tails reach 2.5 times the edge in less than 1 % of layers."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Martin & Hinrichs (2025), SETOL, arXiv:2507.17912",
        "Tracy & Widom (1996), Commun. Math. Phys. 177",
        "docs/calibration.md",
    )
    needs: ClassVar[str] = "trap_strength"

    min_strength: Annotated[
        float, Threshold("below it a trap is information", "of the random edge")
    ] = 2.5

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeCountChange:
    """A layer has far more or far fewer eigenvalues beyond its random bulk than before."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Layers whose number of spikes changed"
    meaning: ClassVar[str] = (
        "Each eigenvalue beyond the random bulk is a direction that was learned, and their "
        "number changed by more than chance explains. Fewer say that something was forgotten or "
        "compressed away, more that something was learned or memorised."
    )
    advice: ClassVar[str] = "Read it beside the layer's distance, rank and α."
    theory: ClassVar[str] = (
        "The edge of a random bulk is known with its fluctuations (Tracy-Widom), so spikes are "
        "counted at 5 % a layer. Two counts of one rate differ as a fair coin does; where a "
        "coin would so rarely, and the counts differ by enough, the layer is another."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Baik, Ben Arous & Péché (2005), Ann. Probab. 33(5)",
        "Przyborowski & Wilenski (1940), Biometrika 31",
    )
    needs: ClassVar[str] = "num_spikes"

    max_p: Annotated[float, Threshold("largest probability of such counts by chance")] = 0.001
    min_change: Annotated[int, Threshold("least difference of the counts", "spikes")] = 5

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer whose counts differ by more than chance and enough."""
        for layer in case.layers:
            change = case.change(layer)
            if change is None:
                continue
            then = change.before.metrics.get("num_spikes", math.nan)
            before = case.held_against(layer, "spike_count_change", else_=then)
            now = layer.metrics.get("num_spikes", math.nan)
            if not abs(now - before) >= self.min_change:
                continue
            p = _chance(int(now), int(before))
            if p < self.max_p:
                yield self._finding(layer, now, before, p)

    def _finding(self, layer: LayerRecord, now: float, before: float, p: float) -> Finding:
        return Finding(
            severity=self.severity,
            layer=layer.name,
            message=f"{layer.name} has {now:.0f} eigenvalues beyond its random bulk, "
            f"it had {before:.0f} (p {p:.2g})",
            rule=f"two counts of one rate differ so with a probability below {self.max_p:g}, "
            f"and by {self.min_change} or more",
            limit=self.max_p,
            value=p,
            evidence={"num_spikes": now, BEFORE: before},
        )


def _chance(now: int, before: int) -> float:
    """How probable counts as unequal are, where both are of one rate."""
    from scipy.stats import binomtest  # noqa: PLC0415 - slow to import, and the parent needs none

    return float(binomtest(now, now + before).pvalue)


CHECKS = (RandomLike, CorrelationTraps, SpikeCountChange)
