"""Query, key and value that are stored as one matrix, taken apart.

They follow one another, or take turns: each key's heads stand together. Only the number of
heads, which no shape tells, says which rows are whose.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auditor.records import Matrix
from auditor.spectral.kinds import is_fused


@dataclass(frozen=True, slots=True)
class Heads:
    """How attention is divided, as a configuration says."""

    queries: int  # heads
    keys: int  # heads of the keys, and as many of the values
    size: int  # of a head
    layout: str = ""  # "apart": all queries, all keys, all values; "turns": by head;
    # "unknown"; empty: apart, as nearly all have it, unless the name says nothing of it


@dataclass(frozen=True, slots=True)
class Split:
    """Where query, key and value lie in a fused matrix."""

    axis: int  # 0 rows, 1 columns
    turns: int  # how often they follow one another
    sizes: tuple[int, int, int]  # rows or columns of each at one turn


def find_split(name: str, shape: Sequence[int], heads: Iterable[Heads]) -> Split | None:
    """Where query, key and value lie in a tensor; None where that is not known.

    Parameters
    ----------
    name, shape
        Of the tensor. Without `heads` a projection three times as long as wide is three
        equal parts, unless by its name they take turns.
    heads
        What the model's configuration says of each of its attentions; the first that fits
        the shape counts.

    Examples
    --------
    >>> find_split("h.0.attn.c_attn.weight", (768, 2304), ())
    Split(axis=1, turns=1, sizes=(768, 768, 768))
    """
    if not is_fused(name) or len(shape) != 2:
        return None
    known = tuple(replace(one, layout=one.layout or _usual(name)) for one in heads)
    axes = (1, 0) if "c_attn" in name else (0, 1)  # as `Conv1D` of GPT-2 has it, as all others
    found = (_fitting(one, shape[axis], axis) for axis in axes for one in known)
    split = next((one for one in found if one), None)
    is_plain = all(one.layout == "apart" for one in known) and _usual(name) == "apart"
    return split or (_thirds(shape, axes) if is_plain else None)


def split(matrix: Matrix, where: Split) -> tuple[Matrix, Matrix, Matrix]:
    """Query, key and value of a fused matrix (rows, cols): views, or copies if they take turns."""
    wide = matrix if where.axis == 0 else matrix.T
    turns = wide.reshape(where.turns, sum(where.sizes), wide.shape[1])
    ends = np.cumsum(where.sizes)[:2]
    q, k, v = (part.reshape(-1, wide.shape[1]) for part in np.split(turns, ends, axis=1))
    return (q, k, v) if where.axis == 0 else (q.T, k.T, v.T)


def _fitting(heads: Heads, length: int, axis: int) -> Split | None:
    """The division by `heads`, if the projection is as long as they need."""
    if heads.layout == "unknown" or heads.queries % heads.keys:
        return None
    if length != (heads.queries + 2 * heads.keys) * heads.size:
        return None
    turns = heads.keys if heads.layout == "turns" else 1
    query, key = heads.queries * heads.size // turns, heads.keys * heads.size // turns
    return Split(axis, turns, (query, key, key))


def _usual(name: str) -> str:
    """How projections of this name are laid out by all models that have them."""
    return "unknown" if "query_key_value" in name else "apart"


def _thirds(shape: Sequence[int], axes: tuple[int, int]) -> Split | None:
    """Three equal parts, where the shape leaves no other reading."""
    for axis in axes:
        third = shape[1 - axis]
        if shape[axis] == 3 * third:
            return Split(axis, 1, (third, third, third))
    return None
