"""Fingers: a few eigenvalues far above a tail, which pull the fit of its power law away.

Two ways to look past them, both the reference's:

``clip_xmax``
    leave out the fewest of the largest eigenvalues, at most ten, whose absence lowers alpha by
    at least 1 to a value above 2; none where there is no such number. The reference starts
    with two, stops at nine, also takes an alpha below 2, and counts one less than it drops.
``xmin_peak``
    look for xmin only around the peak of the histogram of ln(λ), 0.95 to 1.5 times the lower
    edge of its highest bin. The reference takes the decimal logarithm of the lower end, and
    leaves out the largest candidate.
"""

import math
from collections.abc import Callable

import numpy as np

from auditor.records import FloatArray

MOST = 10  # eigenvalues that may be clipped
FALL = 1.0  # of alpha, for which it is worth clipping them
LEAST = 2.0  # that alpha has to stay above
BINS = 100
BELOW, ABOVE = 0.95, 1.5  # the peak


def clipped(raw_alpha: float, alpha: Callable[[int], float], *, is_reference: bool) -> int:
    """How many of the largest eigenvalues to leave out.

    Parameters
    ----------
    raw_alpha
        Exponent of the fit to all.
    alpha
        Exponent without so many of the largest; ``nan`` where there is no tail.
    is_reference
        Whether to count as the reference does.
    """
    tried = range(2, MOST) if is_reference else range(1, MOST + 1)
    for count in tried:
        found = alpha(count)
        if is_reference and found + FALL < raw_alpha:
            return count
        if is_reference and found <= LEAST:
            return 0
        if not is_reference and found + FALL <= raw_alpha and found > LEAST:
            return count
    return 0


def around_peak(values: FloatArray, *, is_reference: bool) -> tuple[float, float]:
    """Where xmin may lie, in units of `values`, which ascend and are above 0."""
    counts, edges = np.histogram(np.log10(values), bins=BINS)
    peak = 10.0 ** float(edges[counts.argmax()])
    if not is_reference:
        return BELOW * peak, ABOVE * peak
    lowest = math.log10(BELOW * peak)
    inside = np.unique(values[(values >= lowest) & (values <= ABOVE * peak)])
    return lowest, float(inside[-2:].mean() if inside.size > 1 else 0.5 * inside[0])
