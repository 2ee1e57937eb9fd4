r"""What else a tail could be: truncated power law, lognormal or exponential.

The laws and the tests are those of the `powerlaw` package [2], without its bounds on the
exponent, 0 and 3, at which its fits end. Data are handed over in units of xmin, so that nothing
depends on scale.

References
----------
.. [1] Clauset, Shalizi & Newman, "Power-law distributions in empirical data",
       SIAM Review 51(4), 2009, Sec. 5. arXiv:0706.1062.
.. [2] Alstott, Bullmore & Plenz, "powerlaw: a Python package for analysis of heavy-tailed
       distributions", PLoS ONE 9(1), 2014. arXiv:1305.0215.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from auditor.records import FloatArray

UNIT = math.sqrt(2.0)  # xmin as it is handed over: irrational, so that no data look like counts
ROUNDING = 1e-9  # of a log-likelihood: a law has to be likelier by more
BOUNDS = {"alpha": (None, None), "Lambda": (0.0, None)}


class Law(Protocol):
    """What is used of a distribution of `powerlaw`; an exponent only where it has one."""

    alpha: float
    Lambda: float

    def set_parameters(self, params: Sequence[float]) -> None:
        """Change them."""

    def pdf(self, data: FloatArray) -> FloatArray:
        """Densities."""

    def loglikelihoods(self, data: FloatArray) -> FloatArray:
        """Their logarithms."""


@dataclass(frozen=True, slots=True)
class TruncatedFit:
    r"""A density :math:`p(x) \sim x^{-\alpha} e^{-\Lambda x}` above xmin."""

    alpha: float
    Lambda: float  # 1 / units of the data; 0 where the power law itself is the likeliest
    D: float  # largest distance of the fit from j/n; nan where it cannot be computed
    D_two_sided: float  # the same from j/n and (j + 1)/n


@dataclass(frozen=True, slots=True)
class Ratio:
    """Log-likelihood ratio of the power law to another law."""

    value: float  # over its standard deviation; above 0 favours the power law
    p: float  # how often chance alone makes it as large


@dataclass(frozen=True, slots=True)
class Ratios:
    """Of the power law to each alternative, all fitted to the same tail."""

    truncated: Ratio
    lognormal: Ratio
    exponential: Ratio


def fit_truncated(tail: FloatArray) -> TruncatedFit:
    """Fit a truncated power law to all of a tail.

    alpha is free: below 1, even below 0, the exponential does the work, and what it multiplies
    is no power law any more.

    Parameters
    ----------
    tail : (k,) float64, ascending
        Its first value is xmin; not all are equal.
    """
    x = tail / tail[0] * UNIT
    law, slope = _truncated(x), _slope(x)
    if law is None:
        alpha, rate, survival = 1.0 + slope, 0.0, (x / UNIT) ** -slope
    else:
        alpha, rate, survival = float(law.alpha), float(law.Lambda), _survival(law, x)
    above = 1.0 - survival - np.arange(x.size) / x.size
    D = float(np.abs(above).max())
    two_sided = max(D, 1.0 / x.size - float(above.min()))
    return TruncatedFit(alpha, rate * UNIT / float(tail[0]), D, two_sided)


def likelihood_ratios(tail: FloatArray) -> Ratios:
    """Compare the power law with each alternative.

    The truncated law contains the power law, so that its p is that of a chi-squared test; the
    others' is Vuong's, [1] Eq. C.6. Where a truncation makes no tail likelier, the ratio is 0
    and p is 1.

    Parameters
    ----------
    tail : (k,) float64, ascending
        Its first value is xmin; not all are equal.
    """
    x = tail / tail[0] * UNIT
    truncated = _truncated(x)
    return Ratios(
        truncated=_compare(x, truncated, nested=True) if truncated else Ratio(0.0, 1.0),
        lognormal=_compare(x, _fit("Lognormal", x), nested=False),
        exponential=_compare(x, _fit("Exponential", x), nested=False),
    )


def _truncated(x: FloatArray) -> Law | None:
    """The likeliest truncated law; None where the power law, its limit, is as likely.

    Minimised here, by logarithm of the rate: the package stops at four digits, or at a bound.
    """
    from powerlaw import Truncated_Power_Law  # noqa: PLC0415 - takes half a second
    from scipy.optimize import minimize  # noqa: PLC0415 - slow to import

    start = (1.0 + _slope(x), 1.0 / float(x[-1]))
    law: Law = Truncated_Power_Law(xmin=UNIT, parameters=start, parameter_ranges=BOUNDS)

    def cost(parameters: FloatArray) -> float:
        law.set_parameters((parameters[0], np.exp(parameters[1])))
        found = -float(_log_likelihoods(law, x).sum())
        return found if math.isfinite(found) else math.inf

    with np.errstate(all="ignore"):
        found = minimize(
            cost,
            np.array([start[0], math.log(start[1])]),
            method="Nelder-Mead",
            options={"xatol": 1e-7, "fatol": 1e-11},
        )
    return law if -cost(found.x) > _power_law(x).sum() + ROUNDING else None


def _fit(name: str, x: FloatArray) -> Law:
    """A law of `powerlaw` with its likeliest parameters."""
    import powerlaw  # noqa: PLC0415 - takes half a second

    with np.errstate(all="ignore"):  # it tries parameters at which densities over- and underflow
        law: Law = getattr(powerlaw, name)(data=x, xmin=UNIT, verbose=0)
    return law


def _compare(x: FloatArray, law: Law, *, nested: bool) -> Ratio:
    """The power law against `law`."""
    from powerlaw.statistics import loglikelihood_ratio  # noqa: PLC0415 - takes half a second

    with np.errstate(all="ignore"):
        value, p = loglikelihood_ratio(
            _power_law(x), _log_likelihoods(law, x), nested=nested, normalized_ratio=True
        )
    return Ratio(float(value), math.nan if math.isnan(value) else float(p))


def _survival(law: Law, x: FloatArray) -> FloatArray:
    """P(X >= x): the density over that of the same law begun at x, where the two meet."""
    from powerlaw import Truncated_Power_Law  # noqa: PLC0415 - takes half a second

    def density(value: float) -> float:
        begun = Truncated_Power_Law(
            xmin=value, parameters=(law.alpha, law.Lambda), parameter_ranges=BOUNDS
        )
        return float(begun.pdf([value])[0])

    with np.errstate(all="ignore"):
        return np.asarray(law.pdf(x) / [density(value) for value in x.tolist()])


def _log_likelihoods(law: Law, x: FloatArray) -> FloatArray:
    """Of every value."""
    with np.errstate(all="ignore"):
        return np.asarray(law.loglikelihoods(x))


def _power_law(x: FloatArray) -> FloatArray:
    """Logarithms of the densities of the likeliest power law."""
    slope = _slope(x)
    return math.log(slope / UNIT) - (slope + 1.0) * np.log(x / UNIT)  # [1] Eq. 2.2


def _slope(x: FloatArray) -> float:
    """The likeliest ``alpha - 1``, [1] Eq. 3.1."""
    return 1.0 / float(np.log(x / UNIT).mean())
