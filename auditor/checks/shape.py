"""Checks on the shape of a layer's spectrum: its power-law tail."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from auditor.checks.base import Case, Threshold
from auditor.checks.randomness import is_random_like
from auditor.records import Finding, LayerRecord, Severity

THEORY = "Martin & Mahoney (2021), JMLR 22(165)"
NATURE = "Martin, Peng & Mahoney (2021), Nature Communications 12:4122"
SETOL = "Martin & Hinrichs (2025), arXiv:2507.17912"
CLAUSET = "Clauset, Shalizi & Newman (2009), SIAM Review 51(4)"
CALIBRATION = "docs/calibration.md"
PLAUSIBLE = 0.1  # Clauset, Shalizi & Newman (2009), section 4: below it the law is ruled out


def interval(layer: LayerRecord) -> tuple[float, float]:
    """95 % interval of α; nan where it is undefined."""
    metrics = layer.metrics
    return metrics.get("alpha_lo", math.nan), metrics.get("alpha_hi", math.nan)


def has_alpha(layer: LayerRecord) -> bool:
    """Whether its α is known with an interval, and more than its random twin's."""
    known = (layer.metrics.get("alpha", math.nan), *interval(layer))
    return all(map(math.isfinite, known)) and not is_random_like(layer)


def is_judged(layer: LayerRecord) -> bool:
    """Whether its α says something: it also comes from a fit that is not ruled out."""
    ruled_out = layer.metrics.get("pl_pvalue", math.nan) < PLAUSIBLE
    return has_alpha(layer) and not ruled_out


def _evidence(layer: LayerRecord) -> dict[str, float]:
    names = ("D", "num_pl_spikes", "xmin", "pl_pvalue")
    return {name: layer.metrics.get(name, math.nan) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTrained:
    """The tail is so heavy that the layer looks over-trained."""

    severity: ClassVar[Severity] = Severity.WARNING
    condition: ClassVar[str] = "Layers that look over-trained"
    meaning: ClassVar[str] = (
        "The tail exponent α lies below 2 with its whole interval: a few directions dominate. "
        "The theory of heavy-tailed self-regularisation reads this as over-training: noise or "
        "single examples were memorised, or the learning rate was too high."
    )
    advice: ClassVar[str] = (
        "Evaluate on fresh data; compare the checkpoints of the last epochs; check the labels; "
        "lower the learning rate or stop earlier."
    )
    theory: ClassVar[str] = (
        "Training builds correlations that turn the random bulk of a layer's spectrum into a "
        "power law, and α falls as they grow; well-trained layers lie between 2 and 6. Below 2 "
        "the eigenvalues have no finite mean: the largest say more about single examples or "
        "steps than about the data. α is biased low on short tails and on "
        "random square matrices, which is why the interval and the random twin decide."
    )
    sources: ClassVar[tuple[str, ...]] = (THEORY, CLAUSET, CALIBRATION)
    needs: ClassVar[str] = "alpha_hi"

    below: Annotated[float, Threshold("the whole interval of α has to lie below it")] = 2.0
    min_tail: Annotated[
        int, Threshold("shorter tails are not judged", "eigenvalues in the tail")
    ] = 10

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer whose interval of α lies wholly below the limit."""
        for layer in case.layers:
            low, high = interval(layer)
            if not (is_judged(layer) and high < self.below):
                continue
            if layer.metrics["num_pl_spikes"] < self.min_tail:
                continue
            alpha = layer.metrics["alpha"]
            yield Finding(
                severity=self.severity,
                layer=layer.name,
                message=f"{layer.name} looks over-trained: α {alpha:.2f} [{low:.2f}, {high:.2f}]",
                rule=f"upper end of α's interval below {self.below:g}, "
                f"tail of at least {self.min_tail}, plausible fit, not random-like",
                limit=self.below,
                value=alpha,
                interval=(low, high),
                evidence=_evidence(layer),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderTrained:
    """The tail is so light that the layer looks under-trained."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Layers that look under-trained"
    meaning: ClassVar[str] = (
        "The tail exponent α lies above 6 with its whole interval: the layer is hardly heavy-"
        "tailed. The theory reads this as little learned; many layers of good models are so."
    )
    advice: ClassVar[str] = "Train longer, or see whether the layer is larger than it need be."
    theory: ClassVar[str] = (
        "Above 6 a spectrum can hardly be told from one that ends at the edge of its random "
        "bulk, so few correlations were learned. Published models of good quality have many "
        "such layers, above all wide ones; the sign matters where it spreads or is new."
    )
    sources: ClassVar[tuple[str, ...]] = (THEORY, NATURE)
    needs: ClassVar[str] = "alpha_lo"

    above: Annotated[float, Threshold("the whole interval of α has to lie above it")] = 6.0

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer whose interval of α lies wholly above the limit."""
        for layer in case.layers:
            low, high = interval(layer)
            if not low > self.above or is_random_like(layer):
                continue
            alpha = layer.metrics["alpha"]
            yield Finding(
                severity=self.severity,
                layer=layer.name,
                message=f"{layer.name} looks under-trained: α {alpha:.2f} [{low:.2f}, {high:.2f}]",
                rule=f"lower end of α's interval above {self.above:g}, not random-like",
                limit=self.above,
                value=alpha,
                interval=(low, high),
                evidence=_evidence(layer),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImplausiblePowerLaw:
    """The tail is no power law, so its α should not be read."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Layers whose tail is no power law"
    meaning: ClassVar[str] = (
        "Samples drawn from the fitted power law nearly always fit it better than this layer "
        "does. Its α is a number without a meaning, and says no more than whether a tail is light."
    )
    advice: ClassVar[str] = "Read the layer's norms, rank and distances instead of its α."
    theory: ClassVar[str] = (
        "A power law can be fitted to anything, so the fit is tested: samples drawn from it are "
        "fitted again, and where fewer than one in ten fits as badly as the layer, the law is "
        "ruled out. The test is made where a rule is about to judge, and everywhere on request."
    )
    sources: ClassVar[tuple[str, ...]] = (CLAUSET,)
    needs: ClassVar[str] = "pl_pvalue"

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer whose goodness of fit was tested and rejected."""
        for layer in case.layers:
            p = layer.metrics.get("pl_pvalue", math.nan)
            if p < PLAUSIBLE:
                yield Finding(
                    severity=self.severity,
                    layer=layer.name,
                    message=f"{layer.name}: the tail is no power law (p = {p:.2f}), "
                    f"α {layer.metrics['alpha']:.2f} is not judged",
                    rule=f"goodness-of-fit p below {PLAUSIBLE:g}",
                    limit=PLAUSIBLE,
                    value=p,
                    evidence=_evidence(layer),
                )


CHECKS = (OverTrained, UnderTrained, ImplausiblePowerLaw)
