"""Free cumulants of a spectrum: what adds up when independent random matrices are added.

References
----------
.. [1] Nica & Speicher, "Lectures on the combinatorics of free probability", Cambridge
       University Press, 2006.
"""

import math

import numpy as np

from auditor.records import FloatArray

ORDERS = 4


def free_cumulants(values: FloatArray) -> tuple[float, ...]:
    r"""The first four free cumulants of the distribution of `values`, ([1] Lecture 11).

    In the moments m they are sums over non-crossing partitions,

    .. math:: \kappa_1 = m_1, \quad \kappa_2 = m_2 - m_1^2, \quad
              \kappa_3 = m_3 - 3 m_1 m_2 + 2 m_1^3, \\
              \kappa_4 = m_4 - 4 m_1 m_3 - 2 m_2^2 + 10 m_1^2 m_2 - 5 m_1^4,

    and those above the first are unchanged by adding a constant: in central moments, which
    do not cancel, :math:`\kappa_4 = \mu_4 - 2 \mu_2^2`. For the Marchenko-Pastur law of
    :math:`\lambda/n`, entries of variance s² and y = m/n, :math:`\kappa_k = s^{2k} y^{k-1}`.

    Parameters
    ----------
    values : (k,)
        Not empty, >= 0.

    Returns
    -------
    tuple of float
        κ₁ to κ₄, the j-th in units of the values to the power j; infinite or ``nan`` where
        that power overflows.
    """
    largest = float(np.max(values))
    if largest == 0.0:
        return (0.0,) * ORDERS
    shares = values / largest
    mean = float(shares.mean())
    second, third, fourth = (float(np.mean((shares - mean) ** k)) for k in (2, 3, 4))
    scaled = (mean, second, third, fourth - 2.0 * second * second)
    return tuple(
        value * math.prod([largest] * order) for order, value in enumerate(scaled, start=1)
    )
