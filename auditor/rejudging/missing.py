"""What a policy asks for and an audit did not measure, as far as it follows from spectra.

Every eigenvalue of a layer is kept, so columns that rest on them alone can be had without its
weights. What rests on the weights or on their random twin is gone with them, and a rule that
asks for it has not been looked for.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from auditor.checks.base import Check, name_of
from auditor.checks.shape import OverTrained, UnderTrained, interval
from auditor.measuring.keys import possible_keys
from auditor.metrics import capacity, columns, determinant, norms, randomness, rank, tail
from auditor.metrics.base import Metric
from auditor.policy import CheckRule, Policy, effective
from auditor.records import LayerRecord, Level, Measured, Settings
from auditor.spectral.spectrum import Spectrum, roundoff

Recall = Callable[[str], Measured | None]

PLAUSIBILITY = "pl_pvalue"
FAMILIES = (  # columns that come together, of eigenvalues alone
    *(tail.FIT_METRICS, tail.INTERVAL_METRICS, tail.RATIO_METRICS, norms.METRICS, rank.METRICS),
    *(randomness.BULK_METRICS, determinant.METRICS, capacity.METRICS),
)
DEFAULT = Settings()


@dataclass(frozen=True, slots=True)
class Spectra:
    """Where spectra are kept, and how what they belong to was measured."""

    recall: Recall
    settings: Settings
    metric_set: int

    def of(self, layer: LayerRecord) -> Spectrum | None:
        """That of an audited layer; None where it is gone."""
        for key in possible_keys(layer, self.settings, self.metric_set):
            if (kept := self.recall(key)) is not None:
                return self._spectrum(layer, kept)
        return None

    def _spectrum(self, layer: LayerRecord, kept: Measured) -> Spectrum:
        """With what costs more than a look at the numbers switched on: it is wanted now."""
        settings = replace(
            self.settings,
            bootstrap=self.settings.bootstrap or DEFAULT.bootstrap,
            goodness_of_fit=True,
            mp_fit=True,
            detX=True,
            cumulants=True,
        )
        n, m = layer.measured.n, layer.measured.m
        rounded = 0.0 if layer.values else roundoff(layer.dtype)  # a product is not stored
        return Spectrum(kept.eigenvalues, n, m, rounded, settings)


def completed(
    layers: Sequence[LayerRecord], policy: Policy, series: str, spectra: Spectra
) -> tuple[LayerRecord, ...]:
    """The layers with the columns that a policy asks for, where they can be had.

    Parameters
    ----------
    layers
        As they were measured.
    policy
        What they are judged by.
    series
        Their model, ``source:name``.
    spectra
        Theirs.
    """
    wanted = tuple(_families(_asked(policy, series)))
    whole = (_with_columns(layer, wanted, spectra) for layer in layers)
    return plausible(tuple(whole), policy, spectra)


def plausible(
    layers: Sequence[LayerRecord], policy: Policy, spectra: Spectra
) -> tuple[LayerRecord, ...]:
    """The layers with the plausibility of a power law, also where a policy moved a threshold.

    It is measured where α's interval is beyond the thresholds that ship, for it costs much.
    """
    checks = tuple(check for part in policy.parts for check in part.checks)
    below = max((c.below for c in checks if isinstance(c, OverTrained)), default=-math.inf)
    above = min((c.above for c in checks if isinstance(c, UnderTrained)), default=math.inf)
    return tuple(_plausible(layer, below, above, spectra) for layer in layers)


def _asked(policy: Policy, series: str) -> Iterator[str]:
    """Columns that a rule that is not off looks at."""
    for part in policy.parts:
        made: dict[str, Check] = {name_of(type(check)): check for check in part.checks}
        for rule in effective(part.rules, series):
            if rule.level == Level.OFF:
                continue
            if isinstance(rule, CheckRule):
                yield made[rule.check].needs
            else:
                yield rule.metric


def _families(names: Iterator[str]) -> Iterator[tuple[Metric, ...]]:
    asked = set(names)
    for family in FAMILIES:
        if asked & {metric.name for metric in family}:
            yield family


def _with_columns(
    layer: LayerRecord, families: Sequence[tuple[Metric, ...]], spectra: Spectra
) -> LayerRecord:
    lacking = [one for family in families for one in family if one.name not in layer.metrics]
    spectrum = spectra.of(layer) if lacking else None
    if spectrum is None:
        return layer
    possible = {metric.name for metric in columns(spectrum.settings)}
    found = {one.name: one.compute(spectrum) for one in lacking if one.name in possible}
    return _also(layer, found)


def _plausible(layer: LayerRecord, below: float, above: float, spectra: Spectra) -> LayerRecord:
    low, high = interval(layer)
    is_judged = high < below or low > above
    known = layer.metrics.get(PLAUSIBILITY)
    if not is_judged or known is None or math.isfinite(known):
        return layer
    spectrum = spectra.of(layer)
    return _also(layer, {PLAUSIBILITY: tail.pl_pvalue(spectrum)}) if spectrum else layer


def _also(layer: LayerRecord, found: dict[str, float]) -> LayerRecord:
    measured = replace(layer.measured, metrics={**layer.measured.metrics, **found})
    return replace(layer, measured=measured)
