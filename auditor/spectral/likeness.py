r"""Whether the spectrum of a layer is one that its entries have in any order.

Eigenvalues of random matrices repel each other: the number of them below any point varies
by about one, whatever the entries are [1]. So two spectra of the same entries in random order
have counting functions that hardly differ, and their mean squared difference has a
distribution that is known beforehand.

References
----------
.. [1] Gustavsson, "Gaussian fluctuations of eigenvalues in the GUE", Ann. I. H. Poincaré
       41(2), 2005; O'Rourke, "Gaussian fluctuations of eigenvalues in Wigner random
       matrices", J. Stat. Phys. 138, 2010.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.records import FloatArray
from auditor.spectral.marchenko_pastur import fit_bulk

SPIKE_LEVEL = 0.01  # chance that a random layer has a spike where one alone tells
NEAR = 2.0  # deviation up to which more twins are made
MORE = 4  # of them
LIKELY = 0.8  # deviation up to which a layer is near enough for its spikes to be explained
SHIFTED = 0.5  # `mean_shift` from which on the mean shows in the spectrum

Slices = Sequence[FloatArray]  # eigenvalues of every slice, each (m,)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a layer compares with its random twin."""

    deviation: float  # `counting_distance` over what chance explains: above 1 it is no twin
    is_random: bool


@dataclass(frozen=True, slots=True, eq=False)
class Closer:
    """What a closer look needs, where the first leaves it open."""

    shifts: FloatArray  # per slice: `mean_shift`, nan where all entries are equal
    has_large: bool  # some entry nearly is an eigenvalue outside the bulk alone
    draw: Callable[[int], Slices]  # the i-th further twin, from 1, the mean kept
    bare: Callable[[], Slices]  # the layer centred and without large entries

    @property
    def is_shifted(self) -> bool:
        """Whether the mean shows in the spectrum of some slice."""
        return bool(np.any(self.shifts > SHIFTED))


def compare(own: Slices, twin: Slices, n: int, closer: Closer) -> Likeness | None:
    r"""Decide whether a layer is random-like: its entries in random order explain its spectrum.

    It is where its `counting_distance` from the centred twin is `explained` and it has at
    most one spike at 5 % of the layer and none at 1 %, but one more a slice whose `mean_shift`
    exceeds 1. Near these limits it is looked at more closely: a distance of up to twice what
    chance explains, or more where the mean shows, is measured again from four twins that keep
    the mean; spikes that the mean or large entries may make are counted again without them, if
    the distance is at most 0.8 of what chance explains: two doubts at once are one too many.

    Parameters
    ----------
    own, twin
        Eigenvalues of every slice, each (m,), ascending, in units of weight squared.
    n
        Larger side of a slice.
    closer
        What is needed for that.

    Returns
    -------
    Likeness or None
        None where no slice has two positive eigenvalues.
    """
    chance = explained(own[0].size)
    deviation = counting_distance(own, [twin]) / chance
    of_mean = len(own) / chance if closer.is_shifted else 0.0
    if 1.0 < deviation <= NEAR + of_mean:
        twins = [closer.draw(i) for i in range(1, MORE + 1)]
        deviation = counting_distance(own, twins) / (chance * (1.0 + 1.0 / MORE) / 2.0)
    if deviation > 1.0:
        return Likeness(deviation, is_random=False)
    if all(np.count_nonzero(values) < 2 for values in own):
        return None
    expected = int(np.count_nonzero(closer.shifts > 1.0))
    has_none = _has_no_spike(own, n, expected)
    may_be = deviation <= LIKELY and (closer.has_large or closer.is_shifted)
    if not has_none and may_be:
        has_none = _has_no_spike(closer.bare(), n, 0)
    return Likeness(deviation, is_random=has_none)


def counting_distance(own: Slices, twins: Sequence[Slices]) -> float:
    r"""Mean squared difference of the counting functions of a spectrum and its twins, per slice.

    .. math:: \frac{1}{k} \langle (N(x) - \bar N_{\text{twins}}(x))^2 \rangle, \qquad
              N(x) = \#\{\lambda \le x\},

    over all eigenvalues x, k slices together, each over the sum of its twin's: slices may
    differ in scale. 0 for equal spectra. A two-sample Cramér-von Mises statistic, for samples
    that are far more even than independent ones.
    """
    sums = [float(values.sum()) or 1.0 for values in twins[0]]
    spectra = [
        np.sort(np.concatenate([one / total for one, total in zip(side, sums, strict=True)]))
        for side in (own, *twins)
    ]
    points = np.concatenate(spectra)
    counts = [np.searchsorted(values, points, side="right") for values in spectra]
    apart = counts[0] - np.mean(counts[1:], axis=0)
    return float(np.mean(np.square(apart))) / len(own)


def explained(m: int) -> float:
    r"""`counting_distance` that two orders of the same entries exceed with probability 0.5 %.

    .. math:: 1.25 + \frac{2}{\pi^2} \ln m

    The variance of a counting function grows by :math:`\ln m / \pi^2` ([1]); the constant is
    that of ``benchmarks/twins.py``.
    """
    return 1.25 + 2.0 / math.pi**2 * math.log(m)


def _has_no_spike(values: Slices, n: int, expected: int) -> bool:
    """Whether there are no more spikes than expected and those that chance makes."""
    m = values[0].size
    bulk = fit_bulk(values, n, m)
    if bulk is None or bulk.num_spikes <= expected:
        return True
    if bulk.num_spikes > expected + 1:
        return False
    strict = fit_bulk(values, n, m, level=SPIKE_LEVEL)
    return strict is None or strict.num_spikes <= expected
