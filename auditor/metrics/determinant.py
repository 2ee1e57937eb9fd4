r"""Where the product of the largest eigenvalues passes 1, beside where the tail begins.

The exact renormalisation group (ERG) reading of a layer's spectrum takes as its effective
part the largest eigenvalues whose product is 1 once their mean is: a second answer to where
the tail begins, which a power-law fit of a well-trained layer should agree with.

References
----------
Martin & Hinrichs, "SETOL: a semi-empirical theory of (deep) learning", 2025.
"""

import math

import numpy as np

from auditor.metrics.base import Metric
from auditor.metrics.tail import num_pl_spikes
from auditor.spectral.spectrum import Spectrum


def detX_num(s: Spectrum) -> float:
    r"""Number of largest eigenvalues whose product first falls below 1, their mean being 1.

    .. math:: \min \{k : \sum_{i \le k} \ln \tilde\lambda_{(i)} < 0\}, \quad
              \tilde\lambda = \lambda \, n / \sum_j \lambda_j

    largest first, over the n eigenvalues of all slices; n where the product never does.
    Unchanged by scaling. ``nan`` where all eigenvalues are equal.
    """
    values = s.eigenvalues
    if values[0] == values[-1]:
        return math.nan
    shares = values[::-1] / values.mean()
    positive = shares[shares > 0.0]
    below = np.flatnonzero(np.cumsum(np.log(positive)) < 0.0)
    first = int(below[0]) if below.size else positive.size  # the next is 0, if there is one
    return float(min(first + 1, values.size))


def detX_val(s: Spectrum) -> float:
    """Smallest of the eigenvalues that `detX_num` counts; ``nan`` where it is undefined."""
    count = detX_num(s)
    return math.nan if math.isnan(count) else float(s.eigenvalues[-int(count)])


def ERG_gap(s: Spectrum) -> float:
    """Eigenvalues that `detX_num` counts beyond those of the tail.

    Near 0 the two beginnings of the tail agree; below 0 the power law takes in more.
    Undefined without a tail and where all eigenvalues are equal.
    """
    return detX_num(s) - num_pl_spikes(s)


METRICS = (
    Metric(detX_num, "Eigenvalues to det X = 1", "eigenvalues"),
    Metric(detX_val, "Eigenvalue at det X = 1", "weight²"),
    Metric(ERG_gap, "ERG gap", "eigenvalues"),
)
