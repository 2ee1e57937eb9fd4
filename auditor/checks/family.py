"""Checks against what is usual in a family of models: a profile of audits like this one."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from auditor.checks.base import Case, Threshold
from auditor.records import Band, Finding, Profile, Severity

LEAST_WIDTH: Mapping[str, float] = {  # a narrower band is one of chance, in each metric's unit
    "alpha": 0.5,
    "log_spectral_norm": 0.2,
    "stable_rank_share": 0.05,
}
NAMES: Mapping[str, str] = {
    "alpha": "α",
    "log_spectral_norm": "log spectral norm",
    "stable_rank_share": "stable rank over M",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideProfile:
    """A layer is far outside of what is usual for its kind in models of its architecture."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Layers outside of the profile of their family"
    meaning: ClassVar[str] = (
        "Nearly all layers of this kind, in the models the profile was built from, lie elsewhere. "
        "That makes the layer unusual, not broken."
    )
    advice: ClassVar[str] = (
        "See whether the model was trained like the others; if it was on purpose otherwise, "
        "build another profile."
    )
    theory: ClassVar[str] = (
        "Models of one architecture that are trained alike have alike spectra, layer kind by "
        "layer kind. Percentiles of few layers are uncertain, so a band is widened by a multiple "
        "of its own width, and bands of few layers are not used. How often well-trained models "
        "lie outside depends on the models the profile was built from."
    )
    sources: ClassVar[tuple[str, ...]] = ("docs/decisions.md",)
    needs: ClassVar[str] = ""

    widened: Annotated[float, Threshold("how far the band is widened", "times its width")] = 1.0
    min_layers: Annotated[int, Threshold("a band of fewer is not used", "layers")] = 20
    min_audits: Annotated[int, Threshold("a profile of fewer is not used", "audits")] = 5

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer, about the metric that is farthest out."""
        profile = case.profile
        if profile is None or profile.audits < self.min_audits:
            return
        for layer in case.layers:
            bands = profile.bands.get(layer.kind, {})
            values = headlines(layer.metrics, layer.measured.m)
            out = [
                (self._beyond(values[name], band, name), name)
                for name, band in bands.items()
                if name in values and band.n >= self.min_layers
            ]
            beyond, name = max(out, default=(0.0, ""))
            if beyond > 0.0:
                yield self._finding(layer.name, layer.kind, name, values[name], profile)

    def _beyond(self, value: float, band: Band, name: str) -> float:
        """How far a value is outside of the widened band, in widths; not above 0 inside of it."""
        if not math.isfinite(value):
            return 0.0
        width = max(band.p95 - band.p5, LEAST_WIDTH[name])
        return max(band.p5 - value, value - band.p95) / width - self.widened

    def _finding(self, layer: str, kind: str, name: str, value: float, profile: Profile) -> Finding:
        band = profile.bands[kind][name]
        usual = f"{band.p5:.3g} to {band.p95:.3g} in {kind} layers"
        margin = self.widened * max(band.p95 - band.p5, LEAST_WIDTH[name])
        return Finding(
            severity=self.severity,
            layer=layer,
            message=f"{layer}: {NAMES[name]} {value:.3g}, usual are {usual} of profile "
            f"{profile.name}",
            rule=f"{NAMES[name]} beyond p5 to p95 of its kind, widened by "
            f"{self.widened:g} of that width",
            limit=band.p95 + margin if value > band.p95 else band.p5 - margin,
            value=value,
            evidence={"metric": name, "p5": band.p5, "median": band.median, "p95": band.p95},
        )


def headlines(metrics: Mapping[str, float], m: int) -> dict[str, float]:
    """What a profile has of a layer: the numbers by which its kind is known.

    Examples
    --------
    >>> headlines({"alpha": 3.0, "log_spectral_norm": 1.0, "stable_rank": 8.0}, 32)
    {'alpha': 3.0, 'log_spectral_norm': 1.0, 'stable_rank_share': 0.25}
    """
    found = {name: metrics[name] for name in ("alpha", "log_spectral_norm") if name in metrics}
    if "stable_rank" in metrics:
        found["stable_rank_share"] = metrics["stable_rank"] / m
    return found


CHECKS = (OutsideProfile,)
