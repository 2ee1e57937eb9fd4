"""How large a layer is beside its like: in the other blocks, in depth, in its family of models.

The same module in every block is one kin: names that differ only in their numbers, kernels of
one size, one kind. Three comparisons, each blind to the scale of the whole model but the last:

- **kin**: against the median of all blocks, where there are `MIN_KIN`
- **depth**: against a line through the `NEAREST` neighbours in depth, where there are
  `MIN_NEIGHBOURS`, so that a norm that grows smoothly with depth is no outlier; not of
  adapters, which add to each layer as much as it needs
- **family**: against the band of the layer's kind in a profile of models like this one
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from auditor.checks.base import Case
from auditor.naming import module
from auditor.records import Band, LayerRecord
from auditor.spectral.robust import Outlier, among, among_neighbours, is_no_chance

METRIC = "log_spectral_norm"
MIN_KIN = 8  # a robust z-score of fewer layers says nothing
LEAST_SPREAD = 0.1  # of log10: blocks trained alike differ by less, and a factor of 1.1 is none
NEAREST = 6  # neighbours in depth, wherever they stand
MIN_NEIGHBOURS = 5  # of a line; with fewer its spread is a matter of luck
LEAST_NEAR = 0.2  # of log10: so that five times it is what the change of a layer is held to
MIN_AUDITS = 5  # of a profile: one of fewer says how these models are, not how models are
ADAPTER = "lora"
FAR = 5.0  # robust standard deviations
BY_CHANCE = 0.05  # share of independent values that lie so far to one side of six neighbours
P5_TO_P95 = 3.29  # standard deviations of a normal distribution


@dataclass(frozen=True, slots=True)
class Score:
    """A layer's log spectral norm beside that of its like."""

    z: float
    near: float  # z by the spread of the neighbours alone, of whom all others differ more
    usual: float  # what its like make expect
    like: str  # who they are: "its like in the other blocks"
    measure: str  # of the rule: "the same module of all blocks"


def scores(case: Case) -> dict[str, list[Score]]:
    """Every layer's scores, by its name."""
    found: dict[str, list[Score]] = defaultdict(list)
    for group in kin(case.layers):
        for name, score in (*_among_kin(group), *_in_depth(group)):
            found[name].append(score)
    for name, score in _in_family(case):
        found[name].append(score)
    return found


def kin(layers: Sequence[LayerRecord]) -> list[list[LayerRecord]]:
    """Layers that are the same module in every block, in the model's order."""
    found: dict[tuple[str, str, tuple[int, ...]], list[LayerRecord]] = defaultdict(list)
    for layer in sorted(layers, key=lambda one: one.index):
        if math.isfinite(layer.metrics[METRIC]):
            found[layer.kind, module(layer.name), layer.shape[2:]].append(layer)
    return list(found.values())


def _among_kin(group: Sequence[LayerRecord]) -> Iterator[tuple[str, Score]]:
    if len(group) >= MIN_KIN:
        found = among([layer.metrics[METRIC] for layer in group], LEAST_SPREAD)
        yield from _named(group, found, "its like in the other blocks", "all blocks")


def _in_depth(group: Sequence[LayerRecord]) -> Iterator[tuple[str, Score]]:
    """Scores that are sure where the whole row bears them out, or where they are too many.

    In a row of independent values, however far apart they are, no more than `BY_CHANCE` of
    them are `FAR` to one side of their neighbours; more of them are no chance.
    """
    if len(group) <= MIN_NEIGHBOURS or group[0].kind == ADAPTER:
        return
    found = among_neighbours([layer.metrics[METRIC] for layer in group], NEAREST, LEAST_NEAR)
    sides = {side: sum(side * one.near >= FAR for one in found) for side in (-1, 1)}
    many = {side for side, n in sides.items() if is_no_chance(n, len(found), BY_CHANCE)}
    sure = [replace(one, z=one.near) if _side(one.near) in many else one for one in found]
    yield from _named(group, sure, "its neighbours in depth", "the nearest blocks")


def _side(value: float) -> int:
    """Which side of 0 a number is on."""
    return 1 if value > 0.0 else -1


def _named(
    group: Sequence[LayerRecord], found: Sequence[Outlier], like: str, where: str
) -> Iterator[tuple[str, Score]]:
    for layer, one in zip(group, found, strict=True):
        yield layer.name, Score(one.z, one.near, one.usual, like, f"the same module of {where}")


def _in_family(case: Case) -> Iterator[tuple[str, Score]]:
    if case.profile is None or case.profile.audits < MIN_AUDITS:
        return
    for layer in case.layers:
        band = case.profile.bands.get(layer.kind, {}).get(METRIC)
        value = layer.metrics[METRIC]
        if band is not None and band.n >= MIN_KIN and math.isfinite(value):
            yield layer.name, _in_band(value, band, layer.kind)


def _in_band(value: float, band: Band, kind: str) -> Score:
    scale = max((band.p95 - band.p5) / P5_TO_P95, LEAST_SPREAD)
    z = (value - band.median) / scale
    return Score(z, z, band.median, f"{kind} layers of its family", "its kind in the profile")
