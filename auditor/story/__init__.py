"""The story of two versions: what became of every layer, told in sentences and in tables.

`moves` says of each layer how it changed, `groups` which parts of a model moved, `costs` what
storing it otherwise cost, `sentences` all of it in plain words. `lineup` sets several versions
side by side, and `timeline` tells of one model from what the ledger remembers. Nothing here
reads weights or judges.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from auditor.records import Comparison, LayerRecord
from auditor.story.costs import Cost, costs
from auditor.story.groups import Group, by_block, by_part
from auditor.story.moves import Move, Nature, moves_of
from auditor.story.sentences import sentences

__all__ = ["Cost", "Group", "Move", "Nature", "Story", "tell"]


@dataclass(frozen=True)
class Story:
    """What became of a model's layers."""

    moves: tuple[Move, ...]  # of every layer that both have, in model order
    comparison: Comparison

    @cached_property
    def parts(self) -> tuple[Group, ...]:
        """By what layers do, the largest share of the change first."""
        return by_part(self.moves)

    @cached_property
    def blocks(self) -> tuple[Group, ...]:
        """By the position of their block."""
        return by_block(self.moves)

    @cached_property
    def costs(self) -> tuple[Cost, ...]:
        """What storing weights otherwise cost."""
        return costs(self.moves)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """All of it in plain words, the most telling first."""
        return tuple(sentences(self.moves, self.parts, self.costs, self.comparison))

    @property
    def furthest(self) -> tuple[Move, ...]:
        """The layers that changed, the furthest first."""
        changed = (move for move in self.moves if move.is_changed)
        return tuple(sorted(changed, key=lambda move: -move.relative))


def tell(layers: Iterable[LayerRecord], comparison: Comparison) -> Story:
    """The story of a comparison.

    Parameters
    ----------
    layers
        Of the second version, in model order.
    comparison
        With the first.
    """
    return Story(moves_of(layers, comparison.layers), comparison)
