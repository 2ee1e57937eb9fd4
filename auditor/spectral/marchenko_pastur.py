"""The Marchenko-Pastur bulk: which eigenvalues iid entries of one variance explain.

For an (n, m) matrix of iid entries with standard deviation s, n >= m, the eigenvalues of
``W.T @ W`` fill ``s²·n·(1 ± 1/√Q)²``, Q = n/m [1]. One beyond the edge carries something
that independent entries do not.

References
----------
.. [1] Marchenko & Pastur, "Distribution of eigenvalues for some sets of random matrices",
       Math. USSR-Sbornik 1(4), 1967.
.. [2] Johnstone, "On the distribution of the largest eigenvalue in principal components
       analysis", Ann. Statist. 29(2), 2001.
.. [3] Chiani, "Distribution of the largest eigenvalue for real Wishart and Gaussian random
       matrices and a simple approximation for the Tracy-Widom distribution", J. Multivar.
       Anal. 129, 2014.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from auditor.records import FloatArray

SPIKE_LEVEL = 0.05  # chance of one spike or more in a layer of iid Gaussian entries
UNCERTAIN = 4.0  # makes the share of layers with a spike right for small slices of noise
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Bulk:
    """The bulk of every slice of a layer; ``nan`` (and no spikes) where a slice has none."""

    sigma: tuple[float, ...]  # standard deviation of the entries that the bulk stands for
    lower: tuple[float, ...]  # where the bulk begins, an eigenvalue
    upper: tuple[float, ...]  # where it ends for an infinite matrix, λ₊
    edges: tuple[float, ...]  # beyond it an eigenvalue is a spike
    spikes: tuple[int, ...]  # eigenvalues beyond the edge

    @property
    def num_spikes(self) -> int:
        """Eigenvalues beyond their slice's edge, over all slices."""
        return sum(self.spikes)


@dataclass(frozen=True, slots=True)
class _SliceBulk:
    sigma: float
    lower: float
    upper: float
    edge: float
    spikes: int


_NO_BULK = _SliceBulk(math.nan, math.nan, math.nan, math.nan, 0)


def fit_bulk(
    slices: Sequence[FloatArray], n: int, m: int, *, level: float = SPIKE_LEVEL
) -> Bulk | None:
    """Fit one bulk per slice, robustly, and count what lies beyond it.

    The median eigenvalue, set against the median of the Marchenko-Pastur law, gives a first
    scale; what lies beyond the edge is left out and the fit repeated for the n - k by m - k
    matrix that stays, until nothing new is left out. The rest, which no spike can reach, then
    gives the final scale by its sum, and the spikes are counted from the largest down: the
    median alone is 2.5 % off at 64 by 64, the sum 1.2 %.

    Eigenvalues that are zero to rounding come from dead rows or columns: m counts without
    them. At most (m - 4)/2 eigenvalues are spikes, none in slices of fewer than 100 entries.

    Measured by ``benchmarks/twins.py`` at 5 % on Gaussian layers: a spike is seen in 3-5 % of
    them, from 64 by 8 to 2048 by 2048 and in layers of 9 or 25 slices of 12 by 10 to 64 by 64.

    Parameters
    ----------
    slices
        Eigenvalues of ``W.T @ W`` of every slice, each (m,), ascending, no 1/n.
    n, m
        Larger and smaller side of a slice.
    level
        Chance that a layer of iid Gaussian entries has a spike.

    Returns
    -------
    Bulk or None
        None where a slice has one row or column, or no slice has two positive eigenvalues.
    """
    if m < 2:
        return None
    each = _of_one_slice(level, len(slices))
    fits = [_fit_slice(values, n, each) for values in slices]
    if all(math.isnan(fit.sigma) for fit in fits):
        return None
    return Bulk(
        sigma=tuple(fit.sigma for fit in fits),
        lower=tuple(fit.lower for fit in fits),
        upper=tuple(fit.upper for fit in fits),
        edges=tuple(fit.edge for fit in fits),
        spikes=tuple(fit.spikes for fit in fits),
    )


def _fit_slice(values: FloatArray, n: int, level: float) -> _SliceBulk:
    positive = values[values > EPS * n * values[-1]]
    m = positive.size
    if m < 2:
        return _NO_BULK
    suspects = _suspects(positive, n, level)
    rest = float(positive[: m - suspects].sum())
    for spikes in range(suspects + 1):
        rows, cols = n - spikes, m - spikes
        share = _lower_sum(cols / rows, (suspects - spikes) / cols)
        sigma = math.sqrt(rest / (rows * cols * share))
        limit = _fitted_edge(rows, cols, sigma, level)
        if positive[cols - 1] <= limit:
            break
    scale, ratio = sigma * sigma * rows, math.sqrt(cols / rows)
    return _SliceBulk(
        sigma=sigma,
        lower=scale * (1.0 - ratio) ** 2,
        upper=scale * (1.0 + ratio) ** 2,
        edge=limit,
        spikes=spikes,
    )


def _suspects(positive: FloatArray, n: int, level: float) -> int:
    """How many of the largest may be spikes: by a bulk fitted to the median of the others."""
    m = positive.size
    most = max(1, (m - 4) // 2) if m > 2 and n * m >= 100 else 0
    left_out = 0
    while left_out <= most:
        rows, cols = n - left_out, m - left_out
        middle = float(np.median(positive[:cols]))
        sigma = math.sqrt(middle / (rows * median(cols / rows)))
        limit = _fitted_edge(rows, cols, sigma, level)
        beyond = int(m - np.searchsorted(positive, limit, side="right"))
        if beyond <= left_out or beyond > most:
            break
        left_out = beyond
    return left_out


def edge(n: int, m: int, sigma: float, level: float, slices: int = 1) -> float:
    r"""Eigenvalue that the largest of a null layer exceeds with probability `level`.

    .. math:: s^2 (\mu + q \tau), \quad \mu = (\sqrt{n-1} + \sqrt m)^2, \quad
              \tau = (\sqrt{n-1} + \sqrt m)(1/\sqrt{n-1} + 1/\sqrt m)^{1/3}

    ([2]), q the Tracy-Widom (β = 1) quantile at ``(1 - level)^(1/slices)``, so that `level`
    is the layer's and not each slice's; [3] approximates it by a shifted gamma law.
    In units of weight squared. ``nan`` for one row or column.
    """
    if min(n, m) < 2:
        return math.nan
    quantile = _tracy_widom(_of_one_slice(level, slices))
    center = (math.sqrt(n - 1) + math.sqrt(m)) ** 2
    return float(sigma * sigma * (center + quantile * spread(n, m)))


def spread(n: int, m: int) -> float:
    """τ of `edge`: how far the largest eigenvalue of noise of unit variance fluctuates.

    ``nan`` for one row or column.
    """
    if min(n, m) < 2:
        return math.nan
    a, b = math.sqrt(n - 1), math.sqrt(m)
    return float((a + b) * (1.0 / a + 1.0 / b) ** (1.0 / 3.0))  # [2]


def _fitted_edge(n: int, m: int, sigma: float, level: float) -> float:
    """`edge` for a sigma that was fitted: of few entries it is uncertain, so farther out."""
    return edge(n, m, sigma, level) * (1.0 + UNCERTAIN * max(_tracy_widom(level), 0.0) / (n * m))


@lru_cache(maxsize=1024)
def _tracy_widom(above: float) -> float:
    """Quantile of the Tracy-Widom law (β = 1) that is exceeded with probability `above`."""
    from scipy.special import gammainccinv  # noqa: PLC0415 - slow to import

    return 0.186054 * float(gammainccinv(46.446, above)) - 9.84801  # [3] Table 1


def _of_one_slice(level: float, slices: int) -> float:
    """``1 - (1 - level)^(1/slices)``, without cancellation."""
    return -math.expm1(math.log1p(-level) / slices)


def cdf(x: float, y: float) -> float:
    r"""Marchenko-Pastur distribution function at x, for ``λ/(s²·n)`` and ``y = m/n <= 1``.

    With x = 1 + y + 2√y cos θ the density becomes ``(2/π) sin²θ / x dθ``, smooth even at
    y = 1 where the density itself is singular at zero, and has the integral used here.
    """
    r = math.sqrt(y)
    cosine = (x - 1.0 - y) / (2.0 * r)
    return 1.0 - _above(math.acos(min(1.0, max(-1.0, cosine))), r)


@lru_cache(maxsize=4096)
def median(y: float) -> float:
    """Median of the Marchenko-Pastur law of ``λ/(s²·n)``, for ``0 < y = m/n <= 1``."""
    r = math.sqrt(y)
    return 1.0 + y + 2.0 * r * math.cos(_angle(r, 0.5))


@lru_cache(maxsize=4096)
def _lower_sum(y: float, above: float) -> float:
    """Part of the sum of eigenvalues held by all but the fraction `above` of largest ones."""
    if above == 0.0:
        return 1.0
    theta = _angle(math.sqrt(y), above)
    return 1.0 - (theta - math.sin(theta) * math.cos(theta)) / math.pi


def _angle(r: float, above: float) -> float:
    """θ with the fraction `above` of eigenvalues between it and 0, the upper end."""
    from scipy.optimize import brentq  # noqa: PLC0415 - slow to import

    return float(brentq(lambda theta: _above(theta, r) - above, 0.0, math.pi, xtol=1e-14))


def _above(theta: float, r: float) -> float:
    """Mass of the law between θ = 0, its upper end, and θ; r = √y."""
    if r < 1e-3:  # the closed form cancels; to order r² the law is a semicircle, tilted
        tilt = 2.0 * r * math.sin(theta) ** 3 / 3.0
        return (theta - math.sin(theta) * math.cos(theta) - 2.0 * tilt) / math.pi
    inner = (1.0 - r) / (1.0 + r) * math.tan(min(theta, math.pi) / 2.0)
    total = (
        (1.0 + r * r) * theta / (4.0 * r * r)
        - math.sin(theta) / (2.0 * r)
        - (1.0 - r * r) / (2.0 * r * r) * math.atan(inner)
    )
    return 2.0 * total / math.pi
