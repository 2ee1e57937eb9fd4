"""Medians with intervals, and what layers come to together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

OUTSIDE = 0.025  # of the chance of a 95 % interval, at each end


@dataclass(frozen=True, slots=True)
class Median:
    """The middle of some values, and where the true one lies in 95 of 100 cases."""

    value: float  # nan of none
    low: float  # nan below six values: no interval of them is so sure
    high: float
    count: int


def middle(values: Sequence[float]) -> Median:
    r"""Median and its interval by order statistics, which supposes no distribution.

    The true median lies between the k-th smallest and the k-th largest of n values, unless
    fewer than k of them lie on one side of it: :math:`P(B(n, 1/2) < k) \le 0.025`.

    Values that are not finite are left out.

    References
    ----------
    Conover, "Practical Nonparametric Statistics", 3rd ed., 1999, section 3.2.

    Examples
    --------
    >>> middle([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    Median(value=3.5, low=1.0, high=6.0, count=6)
    """
    known = sorted(value for value in values if math.isfinite(value))
    if not known:
        return Median(math.nan, math.nan, math.nan, 0)
    k = _rank(len(known))
    low, high = (known[k - 1], known[-k]) if k else (math.nan, math.nan)
    return Median(median(known), low, high, len(known))


def _rank(n: int) -> int:
    """The largest k with P(B(n, 1/2) < k) of at most `OUTSIDE`; 0 where there is none."""
    log_chance, below, k = -n * math.log(2.0), 0.0, 0
    while k <= n // 2:
        below += math.exp(log_chance)
        if below > OUTSIDE:
            return k
        log_chance += math.log((n - k) / (k + 1))
        k += 1
    return k
