"""What storing weights otherwise cost, a pair of stored types at a time."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from auditor.story.formats import bits
from auditor.story.moves import Move, Nature

MEASURED = {Nature.FROZEN, Nature.ROUNDED, Nature.CHANGED, Nature.LOW_RANK}


@dataclass(frozen=True, slots=True)
class Cost:
    """Layers that were stored as one type and are stored as another."""

    before: str
    after: str
    bits: float  # a value takes now
    layers: int
    relative: float  # size of the error to that of the layer, the median
    decibels: float  # signal to noise, the median
    worst: Move
    moved: int  # layers of which α moved by more than its error
    fitted: int  # layers with an α in both

    @property
    def is_exact(self) -> bool:
        """Whether all values are the same."""
        return self.worst.relative == 0.0


def costs(moves: Iterable[Move]) -> tuple[Cost, ...]:
    """For every change of stored type, the dearest first; layers of the same type in none."""
    groups: dict[tuple[str, str], list[Move]] = {}
    for move in moves:
        types = (move.before.dtype, move.after.dtype)
        if types[0] != types[1] and move.nature in MEASURED:
            groups.setdefault(types, []).append(move)
    found = (_cost(*types, group) for types, group in groups.items())
    return tuple(sorted(found, key=lambda cost: (-cost.relative, cost.before, cost.after)))


def _cost(before: str, after: str, group: list[Move]) -> Cost:
    shifts = [move.distances["d_alpha"] for move in group]
    return Cost(
        before=before,
        after=after,
        bits=bits(after),
        layers=len(group),
        relative=median(move.relative for move in group),
        decibels=median(move.decibels for move in group),
        worst=max(group, key=lambda move: move.relative),
        moved=sum(move.is_alpha_moved for move in group),
        fitted=sum(not math.isnan(shift) for shift in shifts),
    )
