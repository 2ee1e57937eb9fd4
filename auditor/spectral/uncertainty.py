r"""How sure one can be of the exponent of a power law, and of the law itself.

References
----------
.. [1] Clauset, Shalizi & Newman, "Power-law distributions in empirical data",
       SIAM Review 51(4), 2009. arXiv:0706.1062.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from auditor.records import FloatArray, Settings
from auditor.spectral.powerlaw import Sample, TailFit, sample
from auditor.spectral.tails import BLOCK, Tails, search

Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Interval:
    """Where alpha lies with 95 % confidence."""

    lo: float
    hi: float
    sd: float  # of the bootstrap; nan where fewer than two resamples have a tail


def interval(values: FloatArray, fit: TailFit, *, n: int, settings: Settings) -> Interval:
    r"""95 % interval of alpha: :math:`\alpha \pm 1.96 \max(\sigma, s)`.

    s is the standard deviation of alpha over `settings.bootstrap` resamples of all values
    that the fit was made to, each fitted anew with its own xmin. Resamples without a tail are
    left out. Fingers that were clipped are not drawn, and where xmin was looked for around
    the peak it is looked for in the same place. Eigenvalues repel each other, so that drawing
    them independently errs on the wide side. Depends on the values only through their ratios
    and on `settings.seed`.

    Parameters
    ----------
    values : (k,) float64, ascending
        The eigenvalues that `fit` was made to.
    fit
        A power law without truncation.
    n
        Larger side of the matrix.
    settings
        Those of the fit.
    """
    data = sample(values, n=n, settings=settings, clipped=fit.clipped)
    logs, rng = data.logs, np.random.default_rng(settings.seed)

    def resamples(count: int) -> FloatArray:
        drawn = rng.integers(logs.size, size=(count, logs.size)).astype(np.int32)
        return logs[np.sort(drawn, axis=1)]

    refits = _refits(data, resamples, settings.bootstrap)
    found = np.concatenate([np.empty(0), *(tails.alphas for tails in refits)])
    found = found[~np.isnan(found)]
    sd = float(found.std(ddof=1)) if found.size > 1 else math.nan
    half = Z95 * (fit.sigma if math.isnan(sd) else max(fit.sigma, sd))
    return Interval(lo=fit.alpha - half, hi=fit.alpha + half, sd=sd)


def goodness_of_fit(values: FloatArray, fit: TailFit, *, n: int, settings: Settings) -> float:
    """Probability that data from the fitted law fit it as badly as these do, [1] Sec. 4.1.

    Semi-parametric: each of `settings.bootstrap` samples draws its tail from the fitted law
    and its body from the values below xmin, and is fitted anew. Small means implausible;
    ``nan`` without a sample.

    Parameters
    ----------
    values, fit, n, settings
        As those of `interval`.
    """
    if not settings.bootstrap:
        return math.nan
    data = sample(values, n=n, settings=settings, clipped=fit.clipped)
    counts, bodies, tails = np.random.default_rng(settings.seed).spawn(3)
    logs, start = data.logs, data.values.size - fit.size
    share = -math.expm1((1.0 - fit.alpha) * (data.rule.end - logs[start]))

    def synthetic(count: int) -> FloatArray:
        shape = (count, logs.size)
        survival = 1.0 - share * tails.random(shape)
        tail = logs[start] - np.log(survival) / (fit.alpha - 1.0)  # [1] Eq. D.4
        body = logs[bodies.integers(max(start, 1), size=shape)]
        in_tail = counts.binomial(logs.size, fit.size / logs.size, size=(count, 1))
        return np.sort(np.where(np.arange(logs.size) < in_tail, tail, body), axis=1)

    refits = _refits(data, synthetic, settings.bootstrap)
    better = sum(int(np.count_nonzero(found.D < fit.D)) for found in refits)
    return 1.0 - better / settings.bootstrap


def _refits(data: Sample, draw: Callable[[int], FloatArray], count: int) -> Iterator[Tails]:
    """Best tails of so many samples, drawn in blocks that bound the memory."""
    step = max(1, BLOCK // data.values.size)
    for i in range(0, count, step):
        yield search(draw(min(step, count - i)), data.rule)
