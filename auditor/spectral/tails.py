r"""The best tail of many samples at once.

The estimator is that of [1]: for every candidate cut-off :math:`x_i` of an ascending sample
the exponent is the maximum-likelihood one,

.. math:: \alpha_i = 1 + n_i \Big/ \sum_{j \ge i} \ln (x_j / x_i), \qquad n_i = n - i,

and the candidate with the smallest Kolmogorov-Smirnov distance wins,

.. math:: D_i = \max_{j \ge i} \Big| \frac{1 - (x_j / x_i)^{1 - \alpha_i}}
                {1 - (x_{\max} / x_i)^{1 - \alpha_i}} - \frac{j - i}{n_i} \Big| ,

where a law without an upper end has a denominator of 1. All exponents come from one
cumulative sum. A distance at a few points of a tail is a lower bound of its D, so that most
candidates are ruled out by a few points, and few distances are computed in full.

References
----------
.. [1] Clauset, Shalizi & Newman, "Power-law distributions in empirical data",
       SIAM Review 51(4), 2009. arXiv:0706.1062.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.records import FloatArray

IntArray = NDArray[np.intp]

NARROWEST = 1e-6  # mean of ln(x/xmin): tails narrower than this are rounding noise
BLOCK = 1 << 17  # values looked at together: a few arrays of so many fit into a cache
FIRST = (0.5, 0.25, 0.75)  # points of every tail looked at first, as shares of its ranks
FINER = [np.arange(1, 2**k, 2) / 2**k for k in range(3, 11)]  # then those between them


@dataclass(frozen=True, slots=True)
class Rule:
    """Which tails may be chosen; logarithms in the units of the samples'."""

    smallest: int  # points a tail must have
    lost: int = 0  # degrees of freedom: 1 for the reference's small samples
    narrowest: float = NARROWEST
    ties: bool = False  # whether equal values are candidates of their own
    lowest: float = -math.inf  # ln of the smallest xmin
    highest: float = math.inf  # ln of the largest xmin
    end: float = math.inf  # ln of the law's upper end


@dataclass(frozen=True, slots=True, eq=False)
class Tails:
    """The best tail of every sample: arrays of shape (samples,)."""

    starts: IntArray  # index of xmin; without meaning where there is no tail
    alphas: FloatArray  # nan where there is no tail
    D: FloatArray  # nan where there is no tail


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """Every place where a tail may start; arrays of shape (samples * n,)."""

    n: int
    logs: FloatArray
    slopes: FloatArray  # alpha - 1; 0 where no tail may start
    shares: FloatArray | None  # of an endless law that lie below the end; None: all of it

    def bounds(self) -> FloatArray:
        """Smallest D that each may have, from `FIRST`: (samples, n), infinite where no tail is."""
        logs, slopes = self.logs.reshape(-1, self.n), self.slopes.reshape(-1, self.n)
        shares = 1.0 if self.shares is None else self.shares.reshape(-1, self.n)
        places, sizes = np.arange(self.n), np.arange(self.n, 0, -1)
        found = np.zeros_like(logs)
        for place in FIRST:
            ranks = ((sizes - 1) * place).astype(np.intp)
            gaps = logs - logs.take(places + ranks, axis=1)
            gaps *= slopes
            np.maximum(found, _distance(gaps, shares, ranks / sizes), out=found)
        found[slopes == 0.0] = np.inf
        return found

    def finer_bounds(self, at: IntArray, sizes: IntArray, places: FloatArray) -> FloatArray:
        """Smallest D that the tails can have that start `at`, from the points at `places`."""
        step = max(1, BLOCK // places.size)
        found = np.empty(at.size)
        for i in range(0, at.size, step):
            part = slice(i, i + step)
            ranks = ((sizes[part] - 1) * places[:, None]).astype(np.intp)
            found[part] = self._gaps(at[part], sizes[part], ranks).max(axis=0)
        return found

    def distances(self, at: IntArray, sizes: IntArray) -> FloatArray:
        """D of the tails that start `at`, from all of their points."""
        firsts = np.cumsum(sizes) - sizes
        tail = np.repeat(np.arange(at.size), sizes)
        ranks = np.arange(tail.size) - firsts[tail]
        return np.maximum.reduceat(self._gaps(at[tail], sizes[tail], ranks), firsts)

    def _gaps(self, at: IntArray, sizes: IntArray, ranks: IntArray) -> FloatArray:
        """Distances of the fits that start `at` from the data `ranks` places further up."""
        found = self.logs[at] - self.logs[at + ranks]
        found *= self.slopes[at]
        return _distance(found, 1.0 if self.shares is None else self.shares[at], ranks / sizes)


def search(samples: FloatArray, rule: Rule) -> Tails:
    """Find the tail with the smallest D in every sample, the longest where several are equal.

    The tail with the lowest bound of each sample is measured, those whose bound exceeds the
    best D found are dropped, the bounds of the others become finer, and so on.

    Parameters
    ----------
    samples : (samples, n) float64
        Logarithms of the values, each row ascending. Needs about ten times its memory.
    rule
        Which tails may be chosen.
    """
    count, n = samples.shape
    if n < max(rule.smallest, 2):
        none = np.full(count, np.nan)
        return Tails(np.zeros(count, dtype=np.intp), none, none)
    candidates = _candidates(samples, rule)
    bounds, rows = candidates.bounds(), np.arange(count)
    starts = bounds.argmin(axis=1)
    D = candidates.distances(rows * n + starts, n - starts)
    D[bounds[rows, starts] == np.inf] = np.nan
    bounds[rows, starts] = np.inf
    at = np.flatnonzero(bounds <= D[:, None])
    bounds = bounds.ravel()[at]
    finer = iter([places for places in FINER if 4 * places.size <= n])
    while at.size:
        rows, sizes = at // n, n - at % n
        places = next(finer, None)
        if places is not None:
            bounds = np.maximum(bounds, candidates.finer_bounds(at, sizes, places))
        tried = _lowest(bounds, rows)
        found = candidates.distances(at[tried], sizes[tried])
        _improve(starts, D, rows[tried], (n - sizes[tried], found))
        bounds[tried] = np.inf
        at, bounds = (values[bounds <= D[rows]] for values in (at, bounds))
    slopes = candidates.slopes.reshape(count, n)[np.arange(count), starts]
    return Tails(starts, np.where(np.isnan(D), np.nan, slopes + 1.0), D)


def _candidates(samples: FloatArray, rule: Rule) -> _Candidates:
    """Exponents above every value, and where a tail may start."""
    n = samples.shape[1]
    logs = samples - samples[:, -1:]  # equal values at the top are exactly 0
    sizes = np.arange(n, 0, -1.0)
    widths = np.cumsum(logs[:, ::-1], axis=1)[:, ::-1] - sizes * logs  # Σ ln(x_j / x_i)
    fits = widths > rule.narrowest * sizes
    fits[:, n - rule.smallest + 1 :] = False
    if not rule.ties:
        fits[:, 1:] &= logs[:, 1:] != logs[:, :-1]
    if rule.lowest > -math.inf or rule.highest < math.inf:
        fits &= (samples >= rule.lowest) & (samples <= rule.highest)
    slopes = np.divide(sizes - rule.lost, widths, out=np.zeros_like(logs), where=fits)  # Eq. 3.1
    shares = None
    if rule.end < math.inf:
        shares = np.where(fits, -np.expm1(slopes * (samples - rule.end)), 1.0).ravel()
    return _Candidates(n, logs.ravel(), slopes.ravel(), shares)


def _distance(logs: FloatArray, shares: FloatArray | float, ranks: FloatArray) -> FloatArray:
    """Of a fitted CDF, given as the logarithm of its survival function, from the data's."""
    np.exp(logs, out=logs)
    logs -= 1.0
    logs /= shares
    logs += ranks
    return np.abs(logs, out=logs)


def _lowest(bounds: FloatArray, rows: IntArray) -> IntArray:
    """Where the lowest bound of each row is, the first of equal ones; `rows` ascend."""
    firsts = np.flatnonzero(np.diff(rows, prepend=-1))
    counts = np.diff(firsts, append=rows.size)
    lowest = np.flatnonzero(bounds == np.repeat(np.minimum.reduceat(bounds, firsts), counts))
    return lowest[np.flatnonzero(np.diff(rows[lowest], prepend=-1))]


def _improve(
    starts: IntArray, D: FloatArray, rows: IntArray, found: tuple[IntArray, FloatArray]
) -> None:
    """Keep what was found where it is better, or as good and longer."""
    begins, distances = found
    better = (distances < D[rows]) | ((distances == D[rows]) & (begins < starts[rows]))
    starts[rows[better]], D[rows[better]] = begins[better], distances[better]
