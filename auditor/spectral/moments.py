"""Moments of the entries of a layer, wherever they stand."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from auditor.records import FloatArray, Matrix

LOWEST_EXPONENT = -1000  # 2**1000 is still finite
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
    factor = math.ldexp(1.0, -max(math.frexp(max(high, -low))[1], LOWEST_EXPONENT))
    size = sum(part.size for part in slices)
    mean = sum(float(block.sum()) for block in _blocks(slices, factor)) / size
    squares = fourths = 0.0
    for block in _blocks(slices, factor):
        np.subtract(block, mean, out=block)
        squares += float(np.vdot(block, block))
        np.square(block, out=block)
        fourths += float(np.vdot(block, block))
    return size * fourths / squares**2


def _blocks(slices: Sequence[Matrix], factor: float) -> Iterator[FloatArray]:
    """The entries times a power of two that lets no power of them overflow."""
    for matrix in slices:
        rows = max(1, BLOCK // matrix.shape[1])
        for start in range(0, matrix.shape[0], rows):
            yield np.multiply(matrix[start : start + rows], factor, dtype=np.float64)
