r"""Power law fitted to the upper tail of a spectrum.

The estimator is that of [1], stated in `auditor.spectral.tails`. How sure one can be of its
exponent is in `auditor.spectral.uncertainty`, what else the tail could be in
`auditor.spectral.alternatives`.

References
----------
.. [1] Clauset, Shalizi & Newman, "Power-law distributions in empirical data",
       SIAM Review 51(4), 2009. arXiv:0706.1062.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from auditor.records import FloatArray, Settings
from auditor.spectral import fingers
from auditor.spectral.alternatives import fit_truncated
from auditor.spectral.tails import Rule, search

REFERENCE_CUT = 1e-5  # absolute: the reference leaves out what is not above it
REFERENCE_SMALL = 20  # below so many points the reference estimates with n - 1
REFERENCE_WHOLE = 8  # below so many it takes the whole sample for the tail


@dataclass(frozen=True, slots=True)
class TailFit:
    """A density ``p(x) ~ x**-alpha``, truncated ``x**-alpha * exp(-Lambda * x)``, above xmin."""

    alpha: float
    xmin: float  # in units of the data, as `xmax`
    xmax: float  # the largest value of the tail, or its given end
    D: float  # largest distance of the fit from j/n, the reference's statistic, 0..1
    D_two_sided: float  # the same from j/n and (j + 1)/n: Kolmogorov-Smirnov as usual
    size: int  # number of values in the tail
    Lambda: float = math.nan  # 1 / units of the data; nan where the law is not truncated
    clipped: int = 0  # largest values that were left out of the data as fingers
    raw_alpha: float = math.nan  # alpha before they were; nan where none were looked for

    @property
    def sigma(self) -> float:
        """Standard error of alpha with xmin taken as known, [1] Eq. 3.2.

        ``nan`` for a truncated law, whose two parameters are not independent.
        """
        known = math.isnan(self.Lambda)
        return (self.alpha - 1.0) / math.sqrt(self.size) if known else math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The values that a law is fitted to, and which of their tails may be chosen."""

    values: FloatArray  # ascending, > 0
    xmax: float  # where the tail ends: the largest value or, where one is given, a limit
    rule: Rule  # in units of `logs`

    @property
    def logs(self) -> FloatArray:
        """``ln(x / max x)``: the scale is gone."""
        return np.log(self.values / self.values[-1:])


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


def sample(values: FloatArray, *, n: int, settings: Settings, clipped: int = 0) -> Sample:
    """The data of a fit: above the cut, up to a given xmax, without fingers.

    Parameters
    ----------
    values : (k,) float64, ascending
    n
        Larger side of the matrix.
    settings
        Convention, smallest tail, xmax, and where xmin is looked for.
    clipped
        How many of the largest values are left out.
    """
    x = above_cut(values, n=n, settings=settings)
    x = x[x <= _limit(settings)]
    x = x[: max(x.size - clipped, 0)]
    largest = float(x[-1]) if x.size else math.nan
    xmax = _limit(settings) if math.isfinite(_limit(settings)) else largest
    end = math.inf if settings.xmax is None else math.log(xmax / largest)
    return Sample(x, xmax, replace(_rule(x, settings), end=end))


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
        allowed, and below 20 values ``alpha = 1 + (n_i - 1) / Σ`` over tails of 8 and more,
        except with ``xmax``, ``xmin_peak`` and ``TPL``, which the reference leaves to another
        package.

        With ``xmax`` larger values are left out, and D compares with a law that ends there,
        while alpha remains that of the endless law: so were published numbers made. It is too
        large where much was left out.

        ``fix_fingers`` is stated in `auditor.spectral.fingers`, ``fit="TPL"``, which keeps the
        tail of the power law, in `auditor.spectral.alternatives`.

    Returns
    -------
    TailFit or None
        None where no tail of that many points exists that is wider than rounding noise:
        "no tail" is an answer, not an error.
    """

    def without(count: int) -> TailFit | None:
        return _fit(sample(values, n=n, settings=settings, clipped=count))

    fit = without(0)
    if fit is not None and settings.fix_fingers == "clip_xmax":
        fit = _without_fingers(fit, without, settings)
    if fit is None or settings.fit != "TPL":
        return fit
    law = fit_truncated(tail_of(values, fit))
    return replace(fit, alpha=law.alpha, Lambda=law.Lambda, D=law.D, D_two_sided=law.D_two_sided)


def tail_of(values: FloatArray, fit: TailFit) -> FloatArray:
    """Those of the ascending values that a fit was made to: (fit.size,)."""
    first = int(np.searchsorted(values, fit.xmin))
    return values[first : first + fit.size]


def _without_fingers(
    raw: TailFit, without: Callable[[int], TailFit | None], settings: Settings
) -> TailFit:
    """The fit to all but the fingers; the fit to all where there are none."""

    def alpha(count: int) -> float:
        fit = without(count)
        return fit.alpha if fit else math.nan

    count = fingers.clipped(raw.alpha, alpha, is_reference=_is_reference(settings))
    return replace(without(count) or raw, clipped=count, raw_alpha=raw.alpha)


def _fit(data: Sample) -> TailFit | None:
    """The best tail of the data."""
    found, logs = search(data.logs[None], data.rule), data.logs
    start, alpha, D = int(found.starts[0]), float(found.alphas[0]), float(found.D[0])
    if math.isnan(D):
        return None
    tail = logs[start:] - logs[start]
    share = -math.expm1((1.0 - alpha) * (data.rule.end - logs[start]))
    fitted = -np.expm1((1.0 - alpha) * tail) / share  # [1] Eq. 2.6, as a CDF
    below = (np.arange(tail.size) + 1.0) / tail.size - fitted
    return TailFit(
        alpha=alpha,
        xmin=float(data.values[start]),
        xmax=data.xmax,
        D=D,
        D_two_sided=max(D, float(below.max())),
        size=tail.size,
    )


def _is_reference(settings: Settings) -> bool:
    return settings.convention == "weightwatcher"


def _limit(settings: Settings) -> float:
    """What no value may exceed; infinite where the settings name no number."""
    return math.inf if settings.xmax is None or settings.xmax == "force" else float(settings.xmax)


def _rule(x: FloatArray, settings: Settings) -> Rule:
    """Which tails of `x` may be chosen."""
    rule = _rule_of_size(x.size, settings)
    if settings.fix_fingers != "xmin_peak" or not x.size:
        return rule
    lowest, highest = fingers.around_peak(x, is_reference=_is_reference(settings))
    lowest = math.log(lowest / x[-1]) if lowest > 0.0 else -math.inf
    return replace(rule, lowest=lowest, highest=math.log(highest / x[-1]))


def _rule_of_size(n: int, settings: Settings) -> Rule:
    """Which tails of `n` values may be chosen."""
    if not _is_reference(settings):
        return Rule(max(settings.min_tail, 2))
    is_plain = settings.xmax is None and settings.fix_fingers != "xmin_peak"
    if n < REFERENCE_SMALL and is_plain and settings.fit == "PL":
        return Rule(min(n, REFERENCE_WHOLE), lost=1, narrowest=0.0, ties=True)
    return Rule(2, narrowest=0.0, ties=True)
