"""How far two versions of a layer are apart: entry by entry, and in their spectra."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.records import FloatArray, Matrix

BINS = 100
BLOCK = 1 << 20  # entries taken to float64 at a time: 8 MB
EPS = float(np.finfo(np.float64).eps)


def weight_distances(before: Sequence[Matrix], after: Sequence[Matrix]) -> dict[str, float]:
    r"""Distances between the entries of two versions, all slices together.

    ``delta_W``  :math:`\lVert W_1 - W_2 \rVert_F`, in units of weight.
    ``relative`` :math:`\lVert W_1 - W_2 \rVert_F / \lVert W_1 \rVert_F`; ``nan`` where the
    first is zero. Two seeds of one training differ by about 1.4.
    ``cosine``   :math:`1 - \langle W_1, W_2 \rangle / (\lVert W_1 \rVert \lVert W_2 \rVert)`,
    0 to 2, unchanged by scaling either; ``nan`` where one is zero.

    Identical versions have distance exactly 0. Accumulated in float64, a block of entries
    at a time, and scaled so that no square overflows or vanishes.

    Raises
    ------
    ValueError
        If the slices differ in number or shape.
    """
    if [s.shape for s in before] != [s.shape for s in after]:
        raise ValueError(
            f"slices {[s.shape for s in before]} and {[s.shape for s in after]} differ in "
            "shape; compare only layers of one shape"
        )
    exponent = math.frexp(max(map(_largest, (*before, *after)), default=0.0))[1]
    squares = np.zeros(3)  # of the difference, of the first, of the second
    for first, second in zip(before, after, strict=True):
        for a, b in zip(_blocks(first, exponent), _blocks(second, exponent), strict=True):
            squares += [np.vdot(x, x) for x in (a - b, a, b)]
    delta, one, two = np.sqrt(squares).tolist()
    return {
        "delta_W": float(np.ldexp(delta, exponent)),
        "relative": delta / one if one else math.nan,
        "cosine": _cosine(delta, one, two),
    }


def _cosine(delta: float, one: float, two: float) -> float:
    """1 - cos by the law of cosines: exact where the two nearly agree, 1 - a·b is not."""
    if one == 0.0 or two == 0.0:
        return math.nan
    ratio = (delta - (one - two)) / one * ((delta + (one - two)) / two) / 2.0
    return min(2.0, max(0.0, ratio))


def _largest(matrix: Matrix) -> float:
    if matrix.size == 0:
        return 0.0
    return max(abs(float(matrix.max())), abs(float(matrix.min())))


def _blocks(matrix: Matrix, exponent: int) -> Iterator[FloatArray]:
    """Rows as float64, a block at a time, times ``2**-exponent``, which is exact."""
    rows = max(1, BLOCK // max(1, matrix.shape[1]))
    for start in range(0, matrix.shape[0], rows):
        block = matrix[start : start + rows].astype(np.float64)
        yield np.ldexp(block, -exponent)


def spectral_distances(
    before: Sequence[FloatArray], after: Sequence[FloatArray], n: int
) -> dict[str, float]:
    """Distances between the spectra of two versions, all slices pooled.

    Both spectra become histograms of log10(eigenvalue) on 100 bins over their joint range;
    eigenvalues of at most ``eps64 · n · λ_max`` of their own spectrum are zeros and in no
    bin.

    ``esd_js`` Jensen-Shannon distance of the histograms, 0 to √(ln 2).
    ``esd_wasserstein`` 1-Wasserstein distance of the histograms, in decades.
    ``esd_zeros`` zeros of the second less zeros of the first.

    Identical spectra have distance exactly 0. ``nan`` where just one of them is all zeros.
    """
    one, two = (np.concatenate(list(side)) for side in (before, after))
    a, b = positive(one, n), positive(two, n)
    zeros = float((two.size - b.size) - (one.size - a.size))
    if a.size == 0 or b.size == 0:
        apart = 0.0 if a.size == b.size else math.nan
        return {"esd_js": apart, "esd_wasserstein": apart, "esd_zeros": zeros}
    pair = _log_histograms(a, b)
    moved = float(np.abs(np.cumsum(pair.one - pair.two)).sum() * pair.width)
    return {"esd_js": js_distance(pair.one, pair.two), "esd_wasserstein": moved, "esd_zeros": zeros}


def density_distance(one: FloatArray, two: FloatArray, n: int) -> float:
    """Jensen-Shannon distance of two spectra as histograms of log10(eigenvalue).

    100 bins over the joint range, zeros to rounding left out; ``nan`` where a spectrum has
    nothing else.
    """
    a, b = positive(one, n), positive(two, n)
    if a.size == 0 or b.size == 0:
        return math.nan
    pair = _log_histograms(a, b)
    return js_distance(pair.one, pair.two)


def js_distance(p: FloatArray, q: FloatArray) -> float:
    r"""Jensen-Shannon *distance* of two vectors of non-negative numbers, each over its sum.

    .. math:: \sqrt{\tfrac12 \sum p \ln\frac{2p}{p + q} + \tfrac12 \sum q \ln\frac{2q}{p + q}}

    0 for proportional vectors, √(ln 2) for disjoint ones; ``nan`` where a sum is zero.

    References
    ----------
    Endres & Schindelin, "A new metric for probability distributions", IEEE Trans. Inf.
    Theory 49(7), 2003.
    """
    if p.sum() <= 0.0 or q.sum() <= 0.0:
        return math.nan
    p, q = p / p.sum(), q / q.sum()
    divergence = (_from_middle(p, q) + _from_middle(q, p)) / 2.0
    return math.sqrt(max(0.0, divergence))


def _from_middle(p: FloatArray, q: FloatArray) -> float:
    """Relative entropy of p to the middle of p and q; no quotient is by an underflow."""
    some = p > 0.0
    return float(np.sum(p[some] * np.log(2.0 * (p[some] / (p + q)[some]))))


def positive(eigenvalues: FloatArray, n: int) -> FloatArray:
    """What is not zero to rounding: eigenvalues above ``eps64 · n · λ_max``."""
    if eigenvalues.size == 0:
        return eigenvalues
    above: FloatArray = eigenvalues[eigenvalues > EPS * n * eigenvalues.max()]
    return above


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    one: FloatArray  # fractions of the first sample a bin
    two: FloatArray
    width: float  # of a bin, in decades


def _log_histograms(one: FloatArray, two: FloatArray) -> _Pair:
    """Two positive samples on one grid of log10."""
    a, b = np.log10(one), np.log10(two)
    lo, hi = float(min(a.min(), b.min())), float(max(a.max(), b.max()))
    if hi <= lo:
        return _Pair(np.ones(1), np.ones(1), 0.0)
    return _Pair(_fractions(a, lo, hi), _fractions(b, lo, hi), (hi - lo) / BINS)


def _fractions(logs: FloatArray, lo: float, hi: float) -> FloatArray:
    counts = np.histogram(logs, bins=BINS, range=(lo, hi))[0]
    return counts.astype(np.float64) / logs.size
