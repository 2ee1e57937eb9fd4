r"""How large a layer is.

Norms are squared, as in the tool this field compares its numbers with: `norm` is
:math:`\lVert W \rVert_F^2` and `spectral_norm` is :math:`\lVert W \rVert_2^2`, both sums over
eigenvalues of :math:`W^\top W`. Each is unchanged by transposing W; scaling W by c scales
them by c².
"""

import math

from auditor.metrics.base import Metric
from auditor.spectral.spectrum import Spectrum


def norm(s: Spectrum) -> float:
    r"""Squared Frobenius norm of the layer, the sum of its eigenvalues.

    .. math:: \lVert W \rVert_F^2 = \sum_i \lambda_i

    Over all slices; 0 for an all-zero layer.
    """
    return float(s.eigenvalues.sum())


def log_norm(s: Spectrum) -> float:
    """Decimal logarithm of the squared Frobenius norm; ``nan`` for an all-zero layer."""
    return _log10(norm(s))


def spectral_norm(s: Spectrum) -> float:
    r"""Squared spectral norm of the layer, its largest eigenvalue.

    .. math:: \lVert W \rVert_2^2 = \lambda_{\max}

    The largest of all slices; 0 for an all-zero layer.
    """
    return s.largest


def log_spectral_norm(s: Spectrum) -> float:
    """Decimal logarithm of the squared spectral norm; ``nan`` for an all-zero layer."""
    return _log10(s.largest)


def lambda_max(s: Spectrum) -> float:
    """Largest eigenvalue: the squared spectral norm by its other name."""
    return s.largest


def sv_max(s: Spectrum) -> float:
    """Largest singular value over all slices: how much the layer can stretch its input."""
    return math.sqrt(s.largest)


def sv_min(s: Spectrum) -> float:
    """Smallest singular value over all slices.

    0 where the layer loses a direction: singular values that are rounding noise count as 0.
    """
    return math.sqrt(float(s.eigenvalues[0]))


def _log10(value: float) -> float:
    return math.log10(value) if value > 0.0 else math.nan


METRICS = (
    Metric(norm, "Squared Frobenius norm", "weight²"),
    Metric(log_norm, "Log norm", "log10(weight²)"),
    Metric(spectral_norm, "Squared spectral norm", "weight²"),
    Metric(log_spectral_norm, "Log spectral norm", "log10(weight²)"),
    Metric(lambda_max, "Largest eigenvalue", "weight²"),
    Metric(sv_max, "Largest singular value", "weight"),
    Metric(sv_min, "Smallest singular value", "weight"),
)
