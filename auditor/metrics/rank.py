"""How many dimensions of a layer carry its energy."""

import math

import numpy as np

from auditor.metrics.base import Metric
from auditor.records import FloatArray
from auditor.spectral.eigenvalues import EPS
from auditor.spectral.spectrum import Spectrum

ROUNDING_NOISE = 0.43  # 1.5 × what entries rounded to spacing u of their size add, see matrix_rank
WEAK = 1e-6
PADDING = 1e-10  # what the reference adds to every share of the energy


def stable_rank(s: Spectrum) -> float:
    r"""Energy of the layer, counted in copies of its strongest direction.

    .. math:: \lVert W \rVert_F^2 / \lVert W \rVert_2^2 = \sum_i \lambda_i / \lambda_{\max}

    Between 1 and the number of eigenvalues; unchanged by scaling, transposing or rotating
    W. ``nan`` for an all-zero layer.

    References
    ----------
    Rudelson & Vershynin, "Sampling from large matrices", J. ACM 54(4), 2007.

    Examples
    --------
    >>> from auditor.records import Settings
    >>> stable_rank(Spectrum((np.array([1.0, 1.0, 4.0]),), n=5, m=3, roundoff=0.0,
    ...                      settings=Settings()))
    1.5
    """
    if s.largest == 0.0:
        return math.nan
    return float(np.sum(s.eigenvalues / s.largest))


def matrix_rank(s: Spectrum) -> float:
    r"""Number of singular values that are told from zero, summed over slices.

    A singular value of an (N, M) slice counts where it exceeds

    .. math:: \max\big(N \epsilon \sigma_{\max},\;
              0.43\, u\, \lVert W \rVert_F (1/\sqrt N + 1/\sqrt M)\big),

    u the spacing of the stored dtype at 1 (2⁻⁷ for bfloat16, 2⁻²³ for float32): one and a
    half times the spectral norm of rounding each entry. Unchanged by scaling and
    transposing W; 0 for an all-zero layer. In the reference's convention the first term
    alone, with σ_max over all slices.
    """
    if s.is_reference:
        return float(_count(s.eigenvalues, s.n * EPS * math.sqrt(s.largest)))
    return float(sum(_ranks(s)))


def rank_loss(s: Spectrum) -> float:
    """Dimensions the slices lack to full rank: M less the rank of a slice, summed."""
    return float(sum(s.m - rank for rank in _ranks(s)))


def weak_rank_loss(s: Spectrum) -> float:
    """Number of eigenvalues below 1e-6, in units of weight squared: depends on scale."""
    return float(np.count_nonzero(s.eigenvalues < WEAK))


def weak_rank_loss_rel(s: Spectrum) -> float:
    """Number of eigenvalues below a millionth of the largest.

    Unchanged by scaling. ``nan`` for an all-zero layer.
    """
    if s.largest == 0.0:
        return math.nan
    return float(np.count_nonzero(s.eigenvalues / s.largest < WEAK))


def entropy(s: Spectrum) -> float:
    r"""Evenness of the energy over the eigenvalues: 1 all equal, 0 all in one.

    .. math:: -\sum_i p_i \ln p_i / \ln n, \quad p_i = \lambda_i / \sum_j \lambda_j

    over the n eigenvalues of all slices, zeros adding nothing. Unchanged by scaling and
    transposing W. 0 for a single eigenvalue or a rank of at most 1; ``nan`` for an all-zero
    layer. In the reference's convention 1e-10 is added to every p and the divisor is the
    logarithm of the rank.
    """
    if s.largest == 0.0:
        return math.nan
    rank = matrix_rank(s)
    if rank <= 1.0:
        return 0.0
    shares = s.eigenvalues / s.eigenvalues.sum()
    if s.is_reference:
        return _uncertainty(shares + PADDING) / math.log(rank)
    return _uncertainty(shares[shares > 0.0]) / math.log(shares.size)


def _uncertainty(p: FloatArray) -> float:
    return -float(np.sum(p * np.log(p)))


def _ranks(s: Spectrum) -> list[int]:
    """The rank of every slice."""
    return [_count(values, _tolerance(s, values)) for values in s.slices]


def _tolerance(s: Spectrum, values: FloatArray) -> float:
    """Below it a singular value of a slice cannot be told from rounding."""
    computed = s.n * EPS * math.sqrt(float(values[-1]))
    if s.is_reference:
        return computed
    frobenius = math.sqrt(float(values.sum()))
    stored = ROUNDING_NOISE * s.roundoff * frobenius * (1.0 / math.sqrt(s.n) + 1.0 / math.sqrt(s.m))
    return max(computed, stored)


def _count(values: FloatArray, tolerance: float) -> int:
    """How many singular values exceed a tolerance."""
    return int(np.count_nonzero(np.sqrt(values) > tolerance))


METRICS = (
    Metric(stable_rank, "Stable rank", "dimensions"),
    Metric(matrix_rank, "Rank", "dimensions"),
    Metric(rank_loss, "Rank loss", "dimensions"),
    Metric(weak_rank_loss, "Eigenvalues below 1e-6", "dimensions"),
    Metric(weak_rank_loss_rel, "Weak directions", "dimensions"),
    Metric(entropy, "Entropy"),
)
