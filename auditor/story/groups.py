"""Which parts of a model moved: attention, mlp, embedding, kinds of convolutions."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from auditor.story.moves import Move


@dataclass(frozen=True, slots=True)
class Group:
    """Layers that belong together, and what they have of all change."""

    label: str
    layers: int
    changed: int
    share: float  # of ‖ΔW‖² over all layers; nan where nothing changed
    relative: float  # size of the change to that of the layer, the median
    furthest: str  # the layer that changed most


def by_part(moves: Iterable[Move]) -> tuple[Group, ...]:
    """By what layers do, the largest share of the change first."""
    return _grouped(moves, lambda move: move.part)


def by_block(moves: Iterable[Move]) -> tuple[Group, ...]:
    """By the position of their block, in order; layers outside of blocks are left out."""
    inside = [move for move in moves if move.after.block is not None]
    found = _grouped(inside, lambda move: str(move.after.block))
    return tuple(sorted(found, key=lambda group: int(group.label)))


def _grouped(moves: Iterable[Move], of: Callable[[Move], str]) -> tuple[Group, ...]:
    groups: dict[str, list[Move]] = {}
    for move in moves:
        groups.setdefault(of(move), []).append(move)
    found = [_group(label, group) for label, group in groups.items()]
    return tuple(sorted(found, key=lambda group: (-_known(group.share), group.label)))


def _group(label: str, group: list[Move]) -> Group:
    known = [move.relative for move in group if not math.isnan(move.relative)]
    shares = [move.share for move in group]
    return Group(
        label=label,
        layers=len(group),
        changed=sum(move.is_changed for move in group),
        share=math.fsum(shares),
        relative=median(known) if known else math.nan,
        furthest=max(group, key=lambda move: _known(move.relative)).name,
    )


def _known(value: float) -> float:
    return 0.0 if math.isnan(value) else value
