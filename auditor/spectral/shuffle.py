"""The entries of a matrix without their places, and their places at random."""

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.records import FloatArray, Matrix

BLOCK = 1 << 20  # entries taken at a time: 8 MB as float64
MAX_KEPT = 16_000_000  # entries of the longest order that is kept
MAX_BYTES = 1 << 28  # of all that are kept

_kept: OrderedDict[tuple[int, ...], NDArray[np.uint32]] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The entries of an (n, m) matrix, n >= m, sorted: the same for both orientations.

    `mean` and `sigma` are those of the entries that are not huge: an entry w is where
    ``(w - mean)² > σ²·max(√(n·m), 25)``, which is what it takes to stand out of the bulk
    alone. One such entry would move the mean, and centring would make a spike of that. They
    are few, at most m/4 + 1; where there are more, none of them is huge.
    """

    values: NDArray[np.floating[Any]]  # (n * m,), ascending, as stored
    n: int
    m: int
    exponent: int  # 2**exponent exceeds every entry: the unit of what follows
    mean: float
    sigma: float

    @property
    def mean_shift(self) -> float:
        """``|mean|/σ·(n·m)^¼``: above 1 the mean is an eigenvalue outside the bulk."""
        if self.sigma == 0.0:
            return math.nan
        return abs(self.mean) / self.sigma * math.sqrt(math.sqrt(self.values.size))

    def shuffled(self, key: tuple[int, ...], *, keep: bool = True) -> Matrix:
        """The matrix in the random order that belongs to `key` and the shape.

        `keep` stores the order for the next matrix of the shape.
        """
        size, whole = self.values.size, (*key, self.n, self.m)
        if keep and size <= MAX_KEPT:
            return _taken(self.values, _order(size, whole)).reshape(self.n, self.m)
        result = self.values.copy()
        np.random.default_rng(whole).shuffle(result)
        return result.reshape(self.n, self.m)

    def scaled(self, block: NDArray[Any]) -> FloatArray:
        """Some entries in float64 and in units of ``2**exponent``: no square overflows."""
        return np.ldexp(block.astype(np.float64), -self.exponent)

    def gram(self, matrix: Matrix, *, shift: float) -> FloatArray:
        """``X.T @ X``, (m, m), of X = matrix - shift in units of ``2**exponent``."""
        total = np.zeros((self.m, self.m))
        rows = max(1, BLOCK // self.m)
        for start in range(0, matrix.shape[0], rows):
            block = self.scaled(matrix[start : start + rows]) - shift
            total += block.T @ block
        return total


def take_entries(matrix: Matrix) -> Entries:
    """Sort the entries of a matrix and measure what their places do not matter to."""
    values = np.sort(matrix, axis=None)
    m, n = sorted(matrix.shape)
    largest = max(abs(float(values[0])), abs(float(values[-1])))
    exponent = math.frexp(largest)[1]
    huge, most = max(math.sqrt(values.size), 25.0), m // 4 + 1
    kept = values
    while True:
        mean, sigma = _moments(kept, exponent)
        ordinary = _within(kept, exponent, mean, sigma * math.sqrt(huge))
        if ordinary.size == kept.size or not _is_bulk(ordinary, values.size - most):
            return Entries(values, n, m, exponent, mean, sigma)
        kept = ordinary


def _is_bulk(values: NDArray[Any], least: int) -> bool:
    """Whether what is left still is the bulk of the entries, not the zeros of a pruned layer."""
    return values.size >= least and bool(values[0] < values[-1])


def _moments(values: NDArray[Any], exponent: int) -> tuple[float, float]:
    """Mean and standard deviation."""
    if values[0] == values[-1]:
        return math.ldexp(float(values[0]), -exponent), 0.0
    mean = sum(float(block.sum()) for block in _blocks(values, exponent)) / values.size
    squares = sum(float(np.square(b - mean).sum()) for b in _blocks(values, exponent))
    return mean, math.sqrt(squares / values.size)


def _within(values: NDArray[Any], exponent: int, mean: float, reach: float) -> NDArray[Any]:
    """The stretch of sorted values within `reach`, at least five σ, of their mean."""
    few = values.size // 25 + 1  # Chebyshev: no more lie beyond five σ
    low = np.ldexp(values[:few].astype(np.float64), -exponent)
    high = np.ldexp(values[-few:].astype(np.float64), -exponent)
    first = int(np.searchsorted(low, mean - reach, side="left"))
    last = few - int(np.searchsorted(high, mean + reach, side="right"))
    return values[first : values.size - last]


def _blocks(values: NDArray[Any], exponent: int) -> Iterator[FloatArray]:
    for start in range(0, values.size, BLOCK):
        yield np.ldexp(values[start : start + BLOCK].astype(np.float64), -exponent)


def _taken(values: NDArray[Any], order: NDArray[np.uint32]) -> NDArray[Any]:
    result = np.empty_like(values)
    for start in range(0, values.size, BLOCK):
        part = slice(start, start + BLOCK)
        np.take(values, order[part], out=result[part], mode="clip")  # "raise" would buffer
    return result


def _order(size: int, key: tuple[int, ...]) -> NDArray[np.uint32]:
    """The random order of `key`, kept: making one costs more than using it."""
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    order = np.arange(size, dtype=np.uint32)
    np.random.default_rng(key).shuffle(order)
    order.flags.writeable = False
    with _lock:
        _kept[key] = order
        while sum(one.nbytes for one in _kept.values()) > MAX_BYTES:
            _kept.popitem(last=False)
    return order
