r"""Power law fitted to the upper tail of a spectrum, its interval and its plausibility.

The estimator is that of [1]: for every candidate cut-off :math:`x_i` of the ascending data
the exponent is the maximum-likelihood one,

.. math:: \alpha_i = 1 + n_i \Big/ \sum_{j \ge i} \ln (x_j / x_i), \qquad n_i = n - i,

and the candidate with the smallest Kolmogorov-Smirnov distance wins,

.. math:: D_i = \max_{j \ge i} \big| 1 - (x_j / x_i)^{1 - \alpha_i} - (j - i) / n_i \big| .

All exponents come from one cumulative sum. Of the distances only those are computed in full
whose value at a few points of the tail does not already rule them out.

References
----------
.. [1] Clauset, Shalizi & Newman, "Power-law distributions in empirical data",
       SIAM Review 51(4), 2009. arXiv:0706.1062.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.records import FloatArray, Settings

IntArray = NDArray[np.intp]

REFERENCE_CUT = 1e-5  # absolute: the reference leaves out what is not above it
REFERENCE_SMALL = 20  # below so many points the reference estimates with n - 1
REFERENCE_WHOLE = 8  # below so many it takes the whole sample for the tail
NARROWEST = 1e-6  # mean of ln(x/xmin): tails narrower than this are rounding noise
PROBES = 24  # points of a tail looked at before its distance is computed in full
Z95 = 1.96


@dataclass(frozen=True, slots=True)
class TailFit:
    """A density ``p(x) ~ x**-alpha`` for ``xmin <= x <= xmax``."""

    alpha: float
    xmin: float  # in units of the data, as `xmax`
    xmax: float  # the largest value
    D: float  # largest distance of the fit from j/n, the reference's statistic, 0..1
    D_two_sided: float  # the same from j/n and (j + 1)/n: Kolmogorov-Smirnov as usual
    size: int  # number of values in the tail

    @property
    def sigma(self) -> float:
        """Standard error of alpha with xmin taken as known, [1] Eq. 3.2."""
        return (self.alpha - 1.0) / float(np.sqrt(self.size))


@dataclass(frozen=True, slots=True)
class Interval:
    """Where alpha lies with 95 % confidence."""

    lo: float
    hi: float
    sd: float  # of the bootstrap; nan where fewer than two resamples have a tail


@dataclass(frozen=True, slots=True, order=True)
class _Best:
    """A tail that was measured; smaller is better."""

    D: float
    start: int
    alpha: float
    D_two_sided: float


@dataclass(frozen=True, slots=True)
class _Rule:
    """How a convention chooses tails."""

    smallest: int  # points a tail must have
    lost: int  # degrees of freedom: 1 for the reference's small samples
    narrowest: float
    ties: bool  # whether equal values are candidates of their own

    @classmethod
    def of(cls, n: int, settings: Settings) -> "_Rule":
        """The rule for `n` values."""
        if settings.convention == "auditor":
            return cls(max(settings.min_tail, 2), lost=0, narrowest=NARROWEST, ties=False)
        if n < REFERENCE_SMALL:
            return cls(min(n, REFERENCE_WHOLE), lost=1, narrowest=0.0, ties=True)
        return cls(2, lost=0, narrowest=0.0, ties=True)


def above_cut(values: FloatArray, *, n: int, settings: Settings) -> FloatArray:
    """The values that can be told from zero: ``λ > eps64 · n · λ_max``, ascending.

    In the convention of the reference those above 1e-5, which makes alpha depend on scale.

    Parameters
    ----------
    values : (k,) ascending, >= 0
    n
        Larger side of the matrix.
    settings
        Its convention decides.
    """
    if settings.convention == "weightwatcher":
        return values[values > REFERENCE_CUT]
    largest = values[-1] if values.size else 0.0
    return values[values > np.finfo(np.float64).eps * n * largest]


def fit_tail(values: FloatArray, *, n: int, settings: Settings) -> TailFit | None:
    """Fit a power law above the cut-off that makes it fit best.

    Unchanged by scaling `values`, the cut-offs apart, in the convention ``auditor``.

    Parameters
    ----------
    values : (k,) float64, ascending
        Eigenvalues of a layer; any unit.
    n
        Larger side of the matrix: sets which values count as zero.
    settings
        Convention and smallest tail. In the reference's convention tails of two points are
        allowed, and below 20 values ``alpha = 1 + (n_i - 1) / Σ`` over tails of 8 and more.

    Returns
    -------
    TailFit or None
        None where no tail of that many points exists that is wider than rounding noise:
        "no tail" is an answer, not an error.
    """
    x = above_cut(values, n=n, settings=settings)
    best = _search(_logs(x), _Rule.of(x.size, settings))
    if best is None:
        return None
    return TailFit(
        alpha=best.alpha,
        xmin=float(x[best.start]),
        xmax=float(x[-1]),
        D=best.D,
        D_two_sided=best.D_two_sided,
        size=x.size - best.start,
    )


def interval(values: FloatArray, fit: TailFit, *, n: int, settings: Settings) -> Interval:
    r"""95 % interval of alpha: :math:`\alpha \pm 1.96 \max(\sigma, s)`.

    s is the standard deviation of alpha over `settings.bootstrap` resamples of all values
    above the cut, each fitted anew with its own xmin. Resamples without a tail are left out.
    Eigenvalues repel each other, so that drawing them independently errs on the wide side.
    Depends on the values only through their ratios and on `settings.seed`.
    """
    logs = _logs(above_cut(values, n=n, settings=settings))
    rng = np.random.default_rng(settings.seed)
    rule = _Rule.of(logs.size, settings)
    draws = (logs[np.sort(rng.integers(logs.size, size=logs.size))] for _ in _times(settings))
    refits = (_search(draw, rule) for draw in draws)
    alphas = [refit.alpha for refit in refits if refit is not None]
    sd = float(np.std(alphas, ddof=1)) if len(alphas) > 1 else math.nan
    half = Z95 * (fit.sigma if math.isnan(sd) else max(fit.sigma, sd))
    return Interval(lo=fit.alpha - half, hi=fit.alpha + half, sd=sd)


def goodness_of_fit(values: FloatArray, fit: TailFit, *, n: int, settings: Settings) -> float:
    """Probability that data from the fitted law fit it as badly as these do, [1] Sec. 4.1.

    Semi-parametric: each of `settings.bootstrap` samples draws its tail from the fitted law
    and its body from the values below xmin, and is fitted anew. Small means implausible;
    ``nan`` without a sample.
    """
    logs = _logs(above_cut(values, n=n, settings=settings))
    rng = np.random.default_rng(settings.seed)
    rule = _Rule.of(logs.size, settings)
    refits = [_search(_synthetic(logs, fit, rng), rule) for _ in _times(settings)]
    worse = [refit is None or refit.D >= fit.D for refit in refits]
    return sum(worse) / len(worse) if worse else math.nan


def _times(settings: Settings) -> range:
    return range(settings.bootstrap)


def _logs(x: FloatArray) -> FloatArray:
    """``ln(x / max x)``: equal values at the top are exactly 0, and the scale is gone."""
    return np.log(x / x[-1]) if x.size else x


def _synthetic(logs: FloatArray, fit: TailFit, rng: np.random.Generator) -> FloatArray:
    """Logarithms of a sample: from the fitted law above xmin, from the data below it."""
    start = logs.size - fit.size
    drawn = int(rng.binomial(logs.size, fit.size / logs.size)) if start else logs.size
    body = logs[rng.integers(start, size=logs.size - drawn)] if start else logs[:0]
    tail = logs[start] + rng.standard_exponential(drawn) / (fit.alpha - 1.0)  # [1] Eq. D.4
    return np.sort(np.concatenate((body, tail)))


def _search(logs: FloatArray, rule: _Rule) -> _Best | None:
    """The best tail of ascending logarithms, None where there is no tail at all."""
    if logs.size < max(rule.smallest, 2):
        return None
    logs = logs - logs[-1]
    alphas, starts = _candidates(logs, rule)
    return _closest(logs, alphas, starts) if starts.size else None


def _candidates(logs: FloatArray, rule: _Rule) -> tuple[FloatArray, IntArray]:
    """Exponents above every value, and the places where a tail may start."""
    sizes = np.arange(logs.size, 0, -1)
    widths = np.cumsum(logs[::-1])[::-1] - sizes * logs  # Σ ln(x_j / x_i)
    fits = (widths > rule.narrowest * sizes) & (sizes >= rule.smallest)
    if not rule.ties:
        fits[1:] &= logs[1:] != logs[:-1]
    alphas = np.ones_like(logs)
    np.divide(sizes - rule.lost, widths, out=alphas, where=fits)
    alphas[fits] += 1.0  # [1] Eq. 3.1
    return alphas, np.flatnonzero(fits)


def _closest(logs: FloatArray, alphas: FloatArray, starts: IntArray) -> _Best:
    """The tail with the smallest D, the longest of them where several are equal.

    A distance at some points of a tail is a lower bound of that tail's D, so that tails
    are tried in the order of their bounds until the next bound exceeds the best D found.
    """
    bounds = _bounds(logs, alphas, starts)
    ranked = np.argsort(bounds, kind="stable")
    best = _best(logs, float(alphas[starts[ranked[0]]]), int(starts[ranked[0]]))
    for start, bound in zip(starts[ranked[1:]], bounds[ranked[1:]], strict=True):
        if bound > best.D:
            break
        best = min(best, _best(logs, float(alphas[start]), int(start)))
    return best


def _bounds(logs: FloatArray, alphas: FloatArray, starts: IntArray) -> FloatArray:
    """Distance of every tail from its fit at a few of its points only: (starts,)."""
    sizes = (logs.size - starts)[:, None]
    ranks = (np.linspace(0.0, 1.0, PROBES) * (sizes - 1)).astype(np.intp)
    tails = logs[starts[:, None] + ranks] - logs[starts][:, None]
    fitted = -np.expm1((1.0 - alphas[starts])[:, None] * tails)
    return np.asarray(np.abs(fitted - ranks / sizes).max(axis=1))


def _best(logs: FloatArray, alpha: float, start: int) -> _Best:
    """The tail from `start` on, measured at all of its points."""
    tail = logs[start:] - logs[start]
    fitted = -np.expm1((1.0 - alpha) * tail)  # [1] Eq. 2.6, as a CDF
    above = fitted - np.arange(tail.size) / tail.size
    highest, lowest = float(above.max()), float(above.min())
    D = max(highest, -lowest)
    return _Best(D, start, alpha, max(D, 1.0 / tail.size - lowest))
