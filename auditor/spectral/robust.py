"""How far a value lies from others like it, whatever a few of those others are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.records import FloatArray

MAD_TO_SD = 1.4826  # for a normal distribution
RARE = 0.02
MOST = 1000  # points of a line


@dataclass(frozen=True, slots=True)
class Outlier:
    """A value beside what the others make expect."""

    usual: float
    z: float
    near: float  # z by the spread of the neighbours alone; where there are none, z


def among(values: Sequence[float], least: float) -> list[Outlier]:
    r"""Each value against the median of all.

    .. math:: z = (x - \mathrm{median}) / \max(1.4826\,\mathrm{MAD}, \mathrm{least})
    """
    here = np.asarray(values, dtype=np.float64)
    centre = float(np.median(here))
    scale = spread(here - centre, least)
    return [Outlier(centre, z, z) for z in ((here - centre) / scale).tolist()]


def among_neighbours(values: Sequence[float], nearest: int, least: float) -> list[Outlier]:
    """Each value against a line through the `nearest` others of a row, itself left out.

    The line is Theil and Sen's, the median of the slopes between all pairs, so that a smooth
    trend along the row is no outlier and a few strange neighbours do not move it. Six
    neighbours may lie close to a line by luck (of independent values with a deviation of 0.5,
    one in 30 is five deviations off), all of them hardly can: z is by the wider of both
    spreads. Rows of fewer than three others have no scores.
    """
    here = np.asarray(values, dtype=np.float64)
    k = min(nearest, here.size - 1)
    if k < 3:
        return []
    x = np.stack([_others(here.size, i, k) for i in range(here.size)])
    y = here[x]
    i, j = np.triu_indices(k, 1)
    slope = np.median((y[:, j] - y[:, i]) / (x[:, j] - x[:, i]), axis=1)
    start = np.median(y - slope[:, None] * x, axis=1)
    off = y - start[:, None] - slope[:, None] * x
    usual = start + slope * np.arange(here.size)
    near = np.maximum(MAD_TO_SD * np.median(np.abs(off), axis=1), least)
    away = here - usual
    z = away / np.maximum(near, spread(away, least))
    found = np.stack([usual, z, away / near], axis=1)
    return [Outlier(*row) for row in found.tolist()]


def spread(deviations: FloatArray, least: float) -> float:
    """Standard deviation by the median of absolute deviations, at least `least`."""
    return max(MAD_TO_SD * float(np.median(np.abs(deviations))), least)


def slope(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Theil and Sen's slope of y over x, with its 95 % interval.

    Of more than `MOST` points every second, third and so on is left out: it looks at all pairs.
    """
    from scipy.stats import theilslopes  # noqa: PLC0415 - slow to import

    step = -(-len(x) // MOST)
    line = theilslopes(y[::step], x[::step], alpha=0.95)
    return float(line.slope), float(line.low_slope), float(line.high_slope)


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of a median, from order statistics: it holds for every distribution.

    Everything where there are fewer than six values.
    """
    from scipy.stats import binom  # noqa: PLC0415 - slow to import

    here = sorted(values)
    k = int(binom.ppf(0.025, len(here), 0.5)) if here else 0
    return (here[k - 1], here[-k]) if k else (-math.inf, math.inf)


def share_interval(hits: int, total: int) -> tuple[float, float]:
    """95 % interval of a share, by Clopper and Pearson."""
    from scipy.stats import beta  # noqa: PLC0415 - slow to import

    low = float(beta.ppf(0.025, hits, total - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, total - hits)) if hits < total else 1.0
    return low, high


def is_no_chance(hits: int, total: int, share: float) -> bool:
    """Whether so many hits are rarer than `RARE` where each is one with a probability `share`."""
    from scipy.stats import binom  # noqa: PLC0415 - slow to import

    return float(binom.sf(hits - 1, total, share)) < RARE


def _others(size: int, i: int, k: int) -> NDArray[np.intp]:
    """Places of the k nearest others of a row."""
    start = min(max(i - (k + 1) // 2, 0), size - k - 1)
    return np.delete(np.arange(start, start + k + 1), i - start)
