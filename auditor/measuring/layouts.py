"""The same matrix as two tools lay it out.

llama.cpp turns pairs of neighbouring rows of queries and keys by the position of a word, where
transformers turns row i with row i + half of the head: converting a model of the Llama family
puts the rows in another order. And GPT-2's weights are stored as (in, out) by transformers and
as (out, in) by llama.cpp. Which of it was done depends on the model and on the age of the
converter, and no file says so: what lies nearest is what was done.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from auditor.records import Matrix
from auditor.spectral.distances import weight_distances

HALVES = 2
SAMPLE = 1 << 20  # entries that are looked at to find the nearest


def nearest(before: Sequence[Matrix], after: Sequence[Matrix], heads: int) -> tuple[Matrix, ...]:
    """The slices of `before` in the layout in which they are nearest to `after`.

    Parameters
    ----------
    before, after
        The slices of one layer in two tools' layouts: equal in number; one shape, or each
        turned by a quarter.
    heads
        Of the attention that the rows belong to; 0 where they belong to none.
    """
    candidates = list(_layouts(tuple(before), heads, after[0].shape))
    if len(candidates) == 1:
        return candidates[0]
    return min(candidates, key=lambda slices: _apart(slices, after))


def _layouts(
    slices: tuple[Matrix, ...], heads: int, shape: tuple[int, ...]
) -> Iterator[tuple[Matrix, ...]]:
    rows, cols = slices[0].shape
    if slices[0].shape == shape:
        yield slices
    if shape == (cols, rows):
        yield tuple(matrix.T for matrix in slices)
    if heads and rows % (HALVES * heads) == 0 and slices[0].shape == shape:
        yield tuple(paired(matrix, heads) for matrix in slices)
        yield tuple(halved(matrix, heads) for matrix in slices)


def paired(matrix: Matrix, heads: int) -> Matrix:
    """Rows of transformers in the order of llama.cpp: i and i + half of a head side by side."""
    rows, cols = matrix.shape
    return _reordered(matrix, (heads, HALVES, rows // heads // HALVES, cols))


def halved(matrix: Matrix, heads: int) -> Matrix:
    """Rows of llama.cpp in the order of transformers: the reverse of `paired`."""
    rows, cols = matrix.shape
    return _reordered(matrix, (heads, rows // heads // HALVES, HALVES, cols))


def _reordered(matrix: Matrix, parts: tuple[int, int, int, int]) -> Matrix:
    return matrix.reshape(*parts).transpose(0, 2, 1, 3).reshape(*matrix.shape)


def _apart(before: Sequence[Matrix], after: Sequence[Matrix]) -> float:
    """Distance of some rows, through all of the matrix; of a zero matrix none is nearer."""
    pairs = islice(zip(before, after, strict=True), 1)
    rows, cols = after[0].shape
    step = max(1, rows * cols // SAMPLE)
    sampled = [(np.asarray(one[::step]), np.asarray(two[::step])) for one, two in pairs]
    ones, twos = zip(*sampled, strict=True)
    return weight_distances(ones, twos)["delta_W"]
