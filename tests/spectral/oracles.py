"""Slow, plain restatements of formulas, to hold the fast code against."""

import math

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from auditor.records import FloatArray

steady = settings(deadline=None, derandomize=True, max_examples=60)

sides = st.integers(1, 10)
weights = st.tuples(sides, sides).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.floats(-10, 10, width=16))
)


def pareto(rng: np.random.Generator, n: int, alpha: float, xmin: float = 1.0) -> FloatArray:
    """`n` ascending draws from ``p(x) ~ x**-alpha`` above `xmin`, by its inverse CDF."""
    return np.sort(xmin * (1.0 - rng.random(n)) ** (-1.0 / (alpha - 1.0)))


def spliced(rng: np.random.Generator, n: int, alpha: float, share: float = 0.3) -> FloatArray:
    """A body U^0.7 on [0, 1] and, above 1, a `share` of the `n` values from a power law."""
    tail = round(share * n)
    return np.sort(np.concatenate((rng.random(n - tail) ** 0.7, pareto(rng, tail, alpha))))


def power_law_alpha(tail: list[float], lost: int = 0) -> float:
    """Clauset et al. (2009) Eq. 3.1 as printed; with ``n - 1`` for `lost` of 1 (Eq. B.17)."""
    return 1.0 + (len(tail) - lost) / sum(math.log(x / tail[0]) for x in tail)


def ks(tail: list[float], alpha: float, *, two_sided: bool = False) -> float:
    """Eq. 3.9: largest distance between the data's CDF and the model's, at the data."""
    n = len(tail)
    model = [1.0 - math.pow(x / tail[0], 1.0 - alpha) for x in tail]
    distances = [abs(p - j / n) for j, p in enumerate(model)]
    if two_sided:
        distances += [abs(p - (j + 1) / n) for j, p in enumerate(model)]
    return max(distances)


def best_tail(values: list[float], smallest: int, lost: int = 0) -> tuple[int, float]:
    """Sec. 3.3: try every xmin, keep the smallest distance; (where it starts, alpha)."""
    found = []
    for start in range(len(values) - smallest + 1):
        tail = values[start:]
        if tail[-1] > tail[0] and (start == 0 or values[start - 1] < values[start]):
            alpha = power_law_alpha(tail, lost)
            found.append((ks(tail, alpha), start, alpha))
    return min(found)[1:]
