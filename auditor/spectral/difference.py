"""What was added between two versions of a layer: the spectrum of their difference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.records import FloatArray, Matrix, Settings
from auditor.spectral.powerlaw import TailFit, fit_tail

FIT = Settings()  # how the spectrum of a difference is fitted, in either convention
UNIFORM = 0.35  # ‖rounding of W‖ / (u ‖W‖): 0.29 for entries of any size in a binade, and room
EPS = float(np.finfo(np.float64).eps)
RESOLVED = 1e-13  # part of a difference's energy that its own rounding can be


def difference_spectrum(before: Sequence[Matrix], after: Sequence[Matrix]) -> dict[str, float]:
    r"""What was added: rank and tail of the spectrum of the second less the first.

    ``delta_rank`` the effective rank :math:`\exp(-\sum p_i \ln p_i)`, :math:`p_i = \sigma_i /
    \sum_j \sigma_j` over the singular values of all slices: r for r directions of one
    strength, so that fine-tuning by an adapter of rank r gives at most r. 0 where nothing
    was added.

    ``delta_alpha`` exponent of the power law fitted to its tail, as ``alpha`` is in the
    convention ``auditor``; ``nan`` without a tail.

    Neither changes with the scale of the difference.

    Parameters
    ----------
    before, after
        (rows, cols) each, the slices of one layer: equal in number and shape, finite.

    References
    ----------
    Roy & Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007.
    """
    found = _spectrum(_differences(before, after))
    return {"delta_rank": effective_rank(found.values), "delta_alpha": found.alpha}


def difference(
    before: Sequence[Matrix], after: Sequence[Matrix], roundoff: float
) -> dict[str, float]:
    r"""What was added, in full: how many directions, how many entries, and what became of them.

    ``delta_rank``, ``delta_alpha`` as in `difference_spectrum`; ``delta_alpha_error`` the
    standard error of the latter.

    ``delta_directions`` the fewest directions without which no more is left than rounding
    explains: :math:`\sum_{i > k} \sigma_i^2 \le (0.35\, u\, \lVert W_2 \rVert_F)^2`; the
    largest of all slices. r where an adapter of rank r was merged, in any precision.

    ``delta_entries`` the share of entries that differ. ``delta_zeroed`` the share that became
    zero and was not: pruned.

    Parameters
    ----------
    before, after
        (rows, cols) each, the slices of one layer: equal in number and shape, finite.
    roundoff
        u, the larger spacing at 1 of the two types they are stored as; 0 for float64.
    """
    differences = _differences(before, after)
    found, count = _spectrum(differences), sum(part.size for part in differences)
    changed = sum(np.count_nonzero(part) for part in differences)
    zeroed = sum(
        np.count_nonzero((np.asarray(w) == 0.0) & (part != 0.0))
        for w, part in zip(after, differences, strict=True)
    )
    size = math.sqrt(sum(float(np.vdot(w, w)) for w in map(_wide, after)))
    return {
        "delta_rank": effective_rank(found.values),
        "delta_alpha": found.alpha,
        "delta_alpha_error": found.tail.sigma if found.tail else math.nan,
        "delta_directions": float(found.directions(UNIFORM * roundoff * size)),
        "delta_entries": float(changed / count),
        "delta_zeroed": float(zeroed / count),
    }


def effective_rank(values: FloatArray) -> float:
    """``exp`` of the entropy of the singular values over their sum; 0 where all are zero.

    Parameters
    ----------
    values : (k,) ascending, >= 0
        Squares of the singular values.

    Examples
    --------
    >>> round(effective_rank(np.array([0.0, 4.0, 4.0, 4.0])), 12)
    3.0
    """
    from scipy.special import entr  # noqa: PLC0415 - slow to import

    if values[-1] == 0.0:
        return 0.0
    sizes = np.sqrt(values / values[-1])
    return float(np.exp(entr(sizes / sizes.sum()).sum()))


@dataclass(frozen=True, slots=True, eq=False)
class _Difference:
    """Squared singular values of a difference, ascending, and their tail."""

    slices: tuple[FloatArray, ...]
    values: FloatArray  # of all slices
    tail: TailFit | None

    @property
    def alpha(self) -> float:
        return self.tail.alpha if self.tail else math.nan

    def directions(self, noise: float) -> int:
        """The most that a slice needs, so that less than `noise` is left of all."""
        floor = max(noise * noise / len(self.slices), RESOLVED * float(self.values.sum()))
        return max(int(np.count_nonzero(np.cumsum(one) > floor)) for one in self.slices)


def _spectrum(differences: Sequence[FloatArray]) -> _Difference:
    slices = tuple(_squares(part) for part in differences)
    values = np.sort(np.concatenate(slices))
    enough = values.size >= FIT.min_evals
    tail = fit_tail(values, n=max(differences[0].shape), settings=FIT) if enough else None
    return _Difference(slices, values, tail)


def _differences(before: Sequence[Matrix], after: Sequence[Matrix]) -> list[FloatArray]:
    return [np.subtract(w, v, dtype=np.float64) for v, w in zip(before, after, strict=True)]


def _squares(part: FloatArray) -> FloatArray:
    """Squared singular values, ascending; those that the Gram matrix cannot resolve are zero.

    A change of low rank has many of these: nothing here asks for their digits, which would
    take ten times as long.
    """
    exponent = math.frexp(max(float(part.max()), -float(part.min())))[1]
    scaled = np.ldexp(part, -exponent)
    tall = scaled if scaled.shape[0] >= scaled.shape[1] else scaled.T
    values = np.linalg.eigvalsh(tall.T @ tall)
    values[values <= EPS * len(tall) * values[-1]] = 0.0
    found: FloatArray = np.ldexp(values, 2 * exponent)
    return found


def _wide(matrix: Matrix) -> FloatArray:
    return np.asarray(matrix).astype(np.float64, copy=False)
