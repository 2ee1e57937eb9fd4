r"""Free cumulants of a layer, and what it adds to the logarithm of the HCIZ integral.

That integral (Harish-Chandra, Itzykson, Zuber) is over all layers with a spectrum like this
one's. A heavy-tailed spectrum and a Gaussian-like one give it different logarithms: two
columns, and neither ever switches to the other's formula.

References
----------
Martin & Hinrichs, "SETOL: a semi-empirical theory of (deep) learning", arXiv:2507.17912,
2025.
"""

import math

from auditor.metrics.base import Metric
from auditor.spectral.free_cumulants import free_cumulants
from auditor.spectral.spectrum import Spectrum


def free_cumulant_1(s: Spectrum) -> float:
    """First free cumulant of λ/N, its mean: the mean square of the entries.

    N is the larger side of a slice, as in the three that follow.
    """
    return _cumulant(s, 1)


def free_cumulant_2(s: Spectrum) -> float:
    """Second free cumulant of λ/N, its variance; σ⁴/Q for iid entries of variance σ²."""
    return _cumulant(s, 2)


def free_cumulant_3(s: Spectrum) -> float:
    """Third free cumulant of λ/N, its third central moment; σ⁶/Q² for iid entries."""
    return _cumulant(s, 3)


def free_cumulant_4(s: Spectrum) -> float:
    r"""Fourth free cumulant of λ/N; σ⁸/Q³ for iid entries of variance σ².

    .. math:: \mu_4 - 2 \mu_2^2

    in central moments. Far above σ⁸/Q³ where a few eigenvalues stand out.
    """
    return _cumulant(s, 4)


def log_capacity_heavy(s: Spectrum) -> float:
    r"""Contribution of the layer if its spectrum is heavy-tailed; ``nan`` without a tail.

    .. math:: \alpha \log_{10} \lambda_{\max}
    """
    return s.tail.alpha * math.log10(s.largest) if s.tail else math.nan


def log_capacity_gauss(s: Spectrum) -> float:
    r"""Contribution of the layer if its entries are Gaussian; ``nan`` for a layer of zeros.

    .. math:: \log_{10} \sum_i \lambda_i
    """
    return math.log10(float(s.eigenvalues.sum())) if s.largest > 0.0 else math.nan


def _cumulant(s: Spectrum, order: int) -> float:
    return free_cumulants(s.eigenvalues / s.n)[order - 1]


METRICS = (
    Metric(free_cumulant_1, "First free cumulant", "weight²"),
    Metric(free_cumulant_2, "Second free cumulant", "weight⁴"),
    Metric(free_cumulant_3, "Third free cumulant", "weight⁶"),
    Metric(free_cumulant_4, "Fourth free cumulant", "weight⁸"),
    Metric(log_capacity_heavy, "Log capacity, heavy-tailed", "log10(weight²)"),
    Metric(log_capacity_gauss, "Log capacity, Gaussian", "log10(weight²)"),
)
