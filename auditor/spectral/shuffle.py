"""The entries of matrices without their places, and their places at random."""

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from auditor.records import FloatArray, Matrix
from auditor.spectral.blockwise import blockwise, in_order, shuffle

BLOCK = 1 << 20  # entries of a Gram matrix taken to float64 at a time: 8 MB
PART = 1 << 16  # entries summed or put in order at a time: they stay in the cache
ENDS = 256  # smallest and largest entries that are looked at one by one
TOGETHER = 1 << 20  # entries of small slices that are taken up at a time
MAX_KEPT = 16_000_000  # entries of the longest order that is kept
MAX_BYTES = 1 << 28  # of all that are kept
LOWEST_EXPONENT = -1000  # 2**1000 is still finite

Stack = NDArray[np.floating[Any]]  # (slices, n, m)

_kept: OrderedDict[tuple[int, ...], NDArray[np.uint32]] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True, eq=False)
class Entries:
    """The entries of some (n, m) matrices, n >= m, each sorted: the same for both orientations.

    `mean` and `sigma` are those of the entries that are not huge: an entry w is where
    ``(w - mean)² > σ²·max(√(n·m), 25)``, which is what it takes to stand out of the bulk
    alone. One such entry would move the mean, and centring would make a spike of that. They
    are few, at most m/4 + 1; where there are more, none of them is huge.
    """

    values: NDArray[np.floating[Any]]  # (slices, n * m), each ascending, as stored; see `mix`
    ends: NDArray[np.floating[Any]]  # (slices, 2k): the k <= `ENDS` smallest and largest of each
    n: int
    m: int
    exponents: NDArray[np.int64]  # 2**exponent is the unit of what follows
    mean: FloatArray
    sigma: FloatArray

    @cached_property
    def factors(self) -> FloatArray:
        """What takes entries to their units, so that no square overflows."""
        return np.ldexp(1.0, -self.exponents)

    @property
    def mean_shift(self) -> FloatArray:
        """``|mean|/σ·(n·m)^¼``: above 1 the mean is an eigenvalue outside the bulk."""
        size = float(self.n * self.m)
        some = self.sigma > 0.0
        ratio = np.divide(np.abs(self.mean), self.sigma, where=some, out=np.full(some.size, np.nan))
        shift: FloatArray = ratio * size**0.25
        return shift

    def limits(self, share: float) -> FloatArray:
        """Square distance from the mean that is `share` of a huge entry's."""
        limits: FloatArray = share * _huge(self.n, self.m) * np.square(self.sigma)
        return limits

    def has_beyond(self, share: float) -> NDArray[np.bool_]:
        """Whether some entry lies beyond its `limits`."""
        ends = self.ends[:, [0, -1]] * self.factors[:, np.newaxis] - self.mean[:, np.newaxis]
        beyond: NDArray[np.bool_] = np.square(ends).max(axis=1) > self.limits(share)
        return beyond

    def bare(self, matrices: Sequence[Matrix], share: float) -> list[FloatArray]:
        """The matrices centred, in units of ``2**exponent``, without entries beyond `limits`.

        They are computed where they are read.
        """
        return [
            blockwise(matrix, partial(_bare, self.factors[i], self.mean[i], limit), np.float64)
            for i, (matrix, limit) in enumerate(zip(matrices, self.limits(share), strict=True))
        ]

    def only(self, i: int) -> Self:
        """Those of the i-th matrix."""
        each = ("values", "ends", "exponents", "mean", "sigma")
        return replace(self, **{name: getattr(self, name)[i : i + 1] for name in each})

    def shuffled(self, key: tuple[int, ...], first: int) -> Stack:
        """The matrices in the random orders that belong to `key`, the shape and their places.

        The places count from `first`. Of up to `MAX_KEPT` entries the orders are kept for the
        next of the shape; more are mixed where they lie, as `mix` does.
        """
        if self.values.size > MAX_KEPT:
            return self.mix(key, first)
        count = len(self.values)
        found = _taken(np.ravel(self.values), _orders(count, first, (*key, self.n, self.m)))
        return found.reshape(count, self.n, self.m)

    def mix(self, key: tuple[int, ...], first: int) -> Stack:
        """The same, in the place of `values`, which are not sorted any more then."""
        for i, row in enumerate(self.values):
            shuffle(row, np.random.default_rng((*key, self.n, self.m, first + i)))
        return self.values.reshape(len(self.values), self.n, self.m)

    def gram(self, matrices: Stack, *, centred: bool) -> FloatArray:
        """``X.T @ X``, (slices, m, m), of every matrix in units of ``2**exponent``."""
        means = self.mean if centred else np.zeros_like(self.mean)
        factors, means = (x[:, np.newaxis, np.newaxis] for x in (self.factors, means))
        rows = max(1, BLOCK // (len(matrices) * self.m))
        first, *others = (matrices[:, start : start + rows] for start in range(0, self.n, rows))
        total = _squared(_shifted(first, factors, means))
        for part in others:
            total += _squared(_shifted(part, factors, means))
        return total


def take_entries(matrices: Sequence[Matrix]) -> Entries:
    """Sort the entries of each matrix and measure what their places do not matter to."""
    each = [in_order(matrix).reshape(1, -1) for matrix in matrices]
    values = each[0] if len(each) == 1 else np.concatenate(each)
    few = min(ENDS, values.shape[1])
    ends = np.concatenate([values[:, :few], values[:, values.shape[1] - few :]], axis=1)
    m, n = sorted(matrices[0].shape)
    exponents = _exponents(ends)
    moments = _Moments(values, np.ldexp(1.0, -exponents), most=m // 4 + 1)
    mean, sigma = moments.ordinary(_huge(n, m))
    return Entries(values, ends, n, m, exponents, mean, sigma)


def _exponents(values: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Powers of two above every entry; 0 for types whose squares float64 holds anyway."""
    if values.dtype.itemsize < 8:
        return np.zeros(len(values), dtype=np.int64)
    largest = np.maximum(-values[:, 0], values[:, -1])
    found: NDArray[np.int64] = np.maximum(np.frexp(largest)[1], LOWEST_EXPONENT).astype(np.int64)
    return found


class _Moments:
    """Sums about the median: of the entries in the middle, and those at the ends one by one.

    At either end they are one more than may be huge.
    """

    def __init__(
        self, values: NDArray[np.floating[Any]], factors: FloatArray, *, most: int
    ) -> None:
        size = values.shape[1]
        self.most, few = most, min(most + 1, size // 2)
        factors = factors[:, np.newaxis]
        self.median = values[:, size // 2, np.newaxis] * factors
        ends = np.concatenate([values[:, :few], values[:, size - few :]], axis=1)
        self.ends = _shifted(ends, factors, self.median)
        self.middle = np.zeros((2, len(values)))
        self.count = size - 2 * few
        for part in _parts(values[:, few : size - few]):
            block = _shifted(part, factors, self.median)
            self.middle += [block.sum(axis=1), np.vecdot(block, block)]

    def ordinary(self, reach: float) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the entries whose squares, in variances, reach less."""
        kept = np.ones(self.ends.shape, dtype=bool)
        mean, square = self._of(kept)
        while True:
            fewer = kept & (np.square(self.ends - mean) <= reach * square)
            other, rest = self._of(fewer)
            # what is left must still be the bulk, not the zeros of a pruned layer
            lost = fewer.shape[1] - fewer.sum(axis=1)
            better = (lost <= self.most) & (rest[:, 0] > 0.0) & (fewer != kept).any(axis=1)
            if not better.any():
                return (mean + self.median)[:, 0], np.sqrt(square)[:, 0]
            kept[better], mean[better], square[better] = fewer[better], other[better], rest[better]

    def _of(self, kept: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        """Mean, from the median, and variance of the middle and of the ends that are kept."""
        some = np.where(kept, self.ends, 0.0)
        size = kept.sum(axis=1) + self.count
        mean = (self.middle[0] + some.sum(axis=1)) / size
        square = (self.middle[1] + np.vecdot(some, some)) / size - np.square(mean)
        return mean[:, np.newaxis], np.maximum(square, 0.0)[:, np.newaxis]


def _huge(n: int, m: int) -> float:
    """Square distance from the mean, in variances, beyond which an entry is huge."""
    return max(math.sqrt(n * m), 25.0)


def _bare(factor: float, mean: float, limit: float, entries: NDArray[Any]) -> FloatArray:
    """Entries centred, 0 in place of those that are large."""
    centred = _shifted(entries, np.asarray(factor), np.asarray(mean))
    centred[np.square(centred) > limit] = 0.0
    return centred


def _shifted(values: NDArray[Any], factors: FloatArray, shift: FloatArray) -> FloatArray:
    """``values·factors - shift``, in as few passes as it takes."""
    shifted: FloatArray
    if np.all(factors == 1.0):
        shifted = np.subtract(values, shift, dtype=np.float64)
    else:
        shifted = np.multiply(values, factors, dtype=np.float64)
        shifted -= shift
    return shifted


def _squared(block: FloatArray) -> FloatArray:
    product: FloatArray = block.mT @ block
    return product


def _parts(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    width = max(1, PART // len(values))
    for start in range(0, values.shape[1], width):
        yield values[:, start : start + width]


def _taken(values: NDArray[Any], order: NDArray[np.uint32]) -> NDArray[Any]:
    result = np.empty_like(values)
    for start in range(0, values.size, PART):
        part = slice(start, start + PART)
        np.take(values, order[part], out=result[part], mode="clip")  # "raise" would buffer
    return result


def _orders(count: int, first: int, key: tuple[int, ...]) -> NDArray[np.uint32]:
    """The random orders of `key`, one after the other, kept: making one costs more than using."""
    whole = (*key, first, count)
    with _lock:
        if whole in _kept:
            _kept.move_to_end(whole)
            return _kept[whole]
    size = key[-2] * key[-1]
    orders = np.arange(count * size, dtype=np.uint32)
    for i in range(count):
        rng = np.random.default_rng((*key, first + i))
        rng.shuffle(orders[i * size : (i + 1) * size])
    orders.flags.writeable = False
    with _lock:
        _kept[whole] = orders
        while sum(one.nbytes for one in _kept.values()) > MAX_BYTES:
            _kept.popitem(last=False)
    return orders
