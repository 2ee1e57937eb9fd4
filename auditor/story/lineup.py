"""One version among several: the numbers that stand beside those of the others."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.records import LayerRecord
from auditor.story import Story
from auditor.story.amounts import Median, middle
from auditor.story.moves import Move, Nature

SUMMED = ("alpha", "log_spectral_norm", "stable_rank")


@dataclass(frozen=True, slots=True)
class Standing:
    """A version in a table of versions."""

    label: str  # A, B, C, …: names may be long, and alike
    name: str  # how it was given
    against: str  # label of the version it is compared with; empty for the first
    layers: int
    medians: dict[str, Median]  # of each of `SUMMED`
    changed: int  # layers, against that version
    frozen: int
    relative: float  # ‖ΔW‖ over ‖W‖ of all layers together; nan for the first
    moved: int  # layers of which α moved by more than its error


def standing(
    label: str,
    name: str,
    layers: Sequence[LayerRecord],
    *,
    against: str = "",
    story: Story | None = None,
) -> Standing:
    """The row of a version; without a story that of the first."""
    moves = story.moves if story else ()
    changed = sum(move.is_changed for move in moves)
    return Standing(
        label=label,
        name=name,
        against=against,
        layers=len(layers),
        medians={metric: middle([layer.metrics[metric] for layer in layers]) for metric in SUMMED},
        changed=changed,
        frozen=sum(move.nature is Nature.FROZEN for move in moves),
        relative=_relative(story) if story else math.nan,
        moved=sum(move.is_alpha_moved for move in moves),
    )


def _relative(story: Story) -> float:
    """Size of all changes to that of all weights, of the layers that both have."""
    known = [move for move in story.moves if not math.isnan(move.distances["delta_W"])]
    change = math.hypot(*(move.distances["delta_W"] for move in known))
    size = math.hypot(*map(_size, known))
    return change / size if size else math.nan


def _size(move: Move) -> float:
    """‖W‖ of the first."""
    if move.distances["relative"] > 0.0:
        return move.distances["delta_W"] / move.distances["relative"]
    return math.sqrt(move.before.metrics["norm"])


def labels(count: int) -> Iterable[str]:
    """A, B, … Z, A1, B1, …: one for each version.

    Examples
    --------
    >>> list(labels(28))[-3:]
    ['Z', 'A1', 'B1']
    """
    letters = [chr(ord("A") + i) for i in range(26)]
    for i in range(count):
        turn, letter = divmod(i, len(letters))
        yield letters[letter] + (str(turn) if turn else "")
