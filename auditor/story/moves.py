"""What became of one layer between two versions."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from auditor.records import LayerChange, LayerRecord
from auditor.spectral.kinds import role_of
from auditor.story.formats import bits, rounding

FEW = 0.25  # directions of a change, of all there are: below it somebody limited them
SMALLEST = 16  # dimensions from which on few directions say anything
SAME_DIRECTION = 1e-6  # cosine distance of what was only scaled
NOT_ROUNDING = 1e-3  # relative: a smaller scale may be rounding
APART = 1.0  # relative, from which on nothing of the first is left
UNRELATED = 0.5  # cosine distance of two trainings, which is about 1
TWO_SIDED = 1.96  # standard errors of a 95 % interval


class Nature(StrEnum):
    """How a layer changed; the first that fits."""

    UNKNOWN = "unknown"  # the weights of one of them are not at hand
    FROZEN = "frozen"  # the same in every value
    ROUNDED = "rounded"  # stored in fewer bits, which explains all of it
    PRUNED = "pruned"  # entries became zero, and no other changed
    UNRELATED = "unrelated"  # no more alike than two trainings
    SCALED = "scaled"  # every entry by one factor
    LOW_RANK = "low-rank"  # in few directions
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Move:
    """One layer, before and after."""

    before: LayerRecord
    after: LayerRecord
    distances: Mapping[str, float]
    nature: Nature
    share: float  # of all change: ‖ΔW‖² over its sum; nan where nothing changed

    @property
    def name(self) -> str:
        """What the second calls it."""
        return self.after.name

    @property
    def part(self) -> str:
        """What it does: its role in a transformer's block, else its kind."""
        return role_of(self.name) or role_of(self.before.name) or self.after.kind

    @property
    def is_changed(self) -> bool:
        """Whether any value changed."""
        return self.nature not in {Nature.FROZEN, Nature.UNKNOWN}

    @property
    def relative(self) -> float:
        """Size of the change to that of the layer: infinite from zero to anything."""
        found = self.distances["relative"]
        return math.inf if math.isnan(found) and self.is_changed else found

    @property
    def decibels(self) -> float:
        """Signal to noise, if the change is noise: -20 log10(relative); infinite for none."""
        if self.relative == 0.0:
            return math.inf
        return -20.0 * math.log10(self.relative) if self.relative < math.inf else -math.inf

    @property
    def is_alpha_moved(self) -> bool:
        """Whether α moved by more than the 95 % interval of the difference."""
        shift, error = self.distances["d_alpha"], self.distances["d_alpha_error"]
        return abs(shift) > TWO_SIDED * error  # of nan it is not


def moves_of(layers: Iterable[LayerRecord], changes: Sequence[LayerChange]) -> tuple[Move, ...]:
    """What became of every layer that both have, in the order of `layers`."""
    by_name = {change.name: change for change in changes}
    total = math.fsum(_energy(change.distances) for change in changes)
    return tuple(
        _move(layer, by_name[layer.name], total) for layer in layers if layer.name in by_name
    )


def _move(after: LayerRecord, change: LayerChange, total: float) -> Move:
    share = _energy(change.distances) / total if total else math.nan
    nature = _nature(change.before, after, change.distances)
    return Move(change.before, after, change.distances, nature, share)


def _energy(distances: Mapping[str, float]) -> float:
    """‖ΔW‖²; 0 where it is not known."""
    delta = distances["delta_W"]
    return 0.0 if math.isnan(delta) else delta * delta


def _nature(before: LayerRecord, after: LayerRecord, far: Mapping[str, float]) -> Nature:
    if math.isnan(far["delta_W"]):
        return Nature.UNKNOWN
    kinds = (
        (Nature.FROZEN, far["delta_W"] == 0.0),
        (Nature.ROUNDED, _is_rounded(before, after, far)),
        (Nature.PRUNED, 0.0 < far.get("delta_entries", 0.0) == far.get("delta_zeroed", 0.0)),
        (Nature.UNRELATED, far["relative"] > APART and far["cosine"] > UNRELATED),
        (Nature.SCALED, far["relative"] > NOT_ROUNDING and far["cosine"] < SAME_DIRECTION),
        (Nature.LOW_RANK, _is_low_rank(after, far)),
    )
    return next((nature for nature, fits in kinds if fits), Nature.CHANGED)


def _is_rounded(before: LayerRecord, after: LayerRecord, far: Mapping[str, float]) -> bool:
    """Whether one of them has fewer bits, and they explain the difference, either way round."""
    if before.dtype == after.dtype:
        return False
    fewest = min((before.dtype, after.dtype), key=bits)
    return far["relative"] <= rounding(fewest)


def _is_low_rank(after: LayerRecord, far: Mapping[str, float]) -> bool:
    directions, m = far.get("delta_directions", math.nan), after.measured.m
    return m >= SMALLEST and 1.0 <= directions <= FEW * m
