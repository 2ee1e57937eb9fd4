"""Moments of the entries of a layer, wherever they stand."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from auditor.records import FloatArray, Matrix

BLOCK = 1 << 16  # entries taken to float64 at a time: they stay in the cache


def kurtosis(slices: Sequence[Matrix]) -> float:
    r"""How heavy the tails of the entries are, all slices together.

    .. math:: \frac{1}{n} \sum_i (w_i - \bar w)^4 \Big/
              \Big(\frac{1}{n} \sum_i (w_i - \bar w)^2\Big)^2

    3 for a normal distribution, with a standard error of :math:`\sqrt{24 / n}`, and 1.8 for a
    uniform one. Unchanged by scale and by any order of the entries; ``nan`` where all entries
    are equal.
    """
    low = min(float(part.min()) for part in slices)
    high = max(float(part.max()) for part in slices)
    if low == high:
        return math.nan
    exponent = math.frexp(max(high, -low))[1]
    size = sum(part.size for part in slices)
    mean = sum(float(block.sum()) for block in _blocks(slices, exponent)) / size
    squares = fourths = 0.0
    for block in _blocks(slices, exponent):
        square = np.square(block - mean)
        squares += float(square.sum())
        fourths += float(np.vdot(square, square))
    return size * fourths / squares**2


def _blocks(slices: Sequence[Matrix], exponent: int) -> Iterator[FloatArray]:
    """The entries times ``2**-exponent``: no power of them overflows."""
    for matrix in slices:
        rows = max(1, BLOCK // matrix.shape[1])
        for start in range(0, matrix.shape[0], rows):
            yield np.ldexp(matrix[start : start + rows].astype(np.float64), -exponent)
