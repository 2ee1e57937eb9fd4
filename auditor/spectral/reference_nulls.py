"""The reference tool's Marchenko-Pastur fit and its random twin, for comparing with its numbers.

Other quantities than ours under the same names: one bulk is fitted to the density of all
slices together, and the twin's entries are not centred.
"""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from auditor.records import FloatArray, Matrix
from auditor.spectral.eigenvalues import Eigensolver, spectra
from auditor.spectral.marchenko_pastur import Bulk
from auditor.spectral.shuffle import take_entries
from auditor.spectral.twin import Twin

BANDWIDTH = 0.1
POINTS = 1000
THIN = 0.01  # where the density is lower it does not count
MISFIT = 1000.0  # residual where the bulk ends before the mode, begins after it, or ends too late
FEW = 100  # eigenvalues below which the twin is five twins
REPLICAS = 5


def fit_density(eigenvalues: FloatArray, n: int, m: int) -> Bulk | None:
    r"""Fit one bulk to the density of all eigenvalues, scaled to a mean of 1.

    The density is a kernel estimate with a triangular kernel of half-width 0.1 at 1000 points
    of ``[0, max + 0.5]``; s is the best of a grid of ``[0.05, 2)·s₀`` in steps of ``0.01·s₀``,
    s₀ that of a bulk which ends at the largest eigenvalue, and then polished. Square matrices
    are fitted by a quarter circle of radius 2 to the singular values. An eigenvalue is a spike
    beyond :math:`\lambda_+ + \sqrt{Q^{-1/2} \lambda_+^{2/3} m^{-2/3}}`.

    Parameters
    ----------
    eigenvalues
        All slices together, ascending.
    n, m
        Larger and smaller side of a slice.

    Returns
    -------
    Bulk or None
        As if the layer were one slice: `sigma` that of the scaled entries, the rest in units of
        weight squared. None where nothing can be fitted, as for eigenvalues of 0.
    """
    scale = float(eigenvalues.mean())
    if scale == 0.0:
        return None
    scaled, ratio = eigenvalues / scale, math.sqrt(m / n)
    found = _sigma(scaled, ratio)
    if found is None:
        return None
    upper, lower = (found * (1.0 + ratio)) ** 2, (found * (1.0 - ratio)) ** 2
    limit = upper + math.sqrt(ratio * upper ** (2 / 3) * m ** (-2 / 3))
    return Bulk(
        sigma=(found,),
        lower=(lower * scale,),
        upper=(upper * scale,),
        edges=(limit * scale,),
        spikes=(int(np.count_nonzero(scaled > limit)),),
    )


def _sigma(scaled: FloatArray, ratio: float) -> float | None:
    """Standard deviation whose bulk is nearest to the density."""
    from scipy.optimize import fmin  # noqa: PLC0415 - slow to import

    is_square = ratio == 1.0
    points, density = _density(np.sqrt(scaled) if is_square else scaled)
    some = density > THIN
    points, density = points[some], density[some]
    if points.size == 0:
        return None
    law = _quarter_circle if is_square else partial(_marchenko_pastur, ratio=ratio)

    def misfit(sigma: FloatArray) -> float:
        return float(np.sum(np.square(law(points, density, float(sigma[0])))))

    first = math.sqrt(float(scaled[-1])) / (1.0 + ratio)
    grid = np.mgrid[0.05 * first : 2.0 * first : 0.01 * first]
    start = grid[np.argmin([misfit(np.array([sigma])) for sigma in grid])]
    return float(fmin(misfit, start, disp=False)[0])


def _density(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points, and the kernel estimate of the density of ascending values there."""
    points = np.linspace(0.0, values[-1] + 0.5, POINTS)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    low, here, high = (
        np.searchsorted(values, points + reach) for reach in (-BANDWIDTH, 0.0, BANDWIDTH)
    )
    below = (here - low) * (BANDWIDTH - points) + (sums[here] - sums[low])
    above = (high - here) * (BANDWIDTH + points) - (sums[high] - sums[here])
    return points, (below + above) / (BANDWIDTH**2 * values.size)


def _marchenko_pastur(
    points: FloatArray, density: FloatArray, sigma: float, *, ratio: float
) -> FloatArray:
    """Residuals of the law; of the density itself outside its bulk."""
    lower, upper = (sigma * (1.0 - ratio)) ** 2, (sigma * (1.0 + ratio)) ** 2
    mode = points[np.argmax(density)]
    if upper < mode or upper > points[-1] or lower > mode:
        return np.full(points.size, MISFIT)
    inside = np.maximum((upper - points) * (points - lower), 0.0)
    below = 2.0 * math.pi * sigma**2 * ratio**2 * points
    law = np.divide(np.sqrt(inside), below, where=inside > 0.0, out=np.zeros(points.size))
    residuals: FloatArray = law - density
    return residuals


def _quarter_circle(points: FloatArray, density: FloatArray, sigma: float) -> FloatArray:
    """Residuals of a quarter circle whose height alone depends on sigma."""
    law: FloatArray = np.sqrt(np.maximum(4.0 - points**2, 0.0)) / (math.pi * sigma**2)
    return law - density


def reference_twin(
    slices: Sequence[Matrix], factor: float, *, components: int, seed: int, solve: Eigensolver
) -> Twin:
    """Make the reference's twin: as stored, in random order, the mean kept.

    Parameters
    ----------
    slices
        (rows, cols) each, all of one shape, finite.
    factor
        What the convention multiplies eigenvalues by.
    components
        Eigenvalues of the whole layer: below 100 the twin is five twins together.
    seed
        Chooses the permutations, >= 0.
    solve
        Gives the eigenvalues of symmetric matrices.

    Returns
    -------
    Twin
        Without edges or traps; its `others` are those of one more twin, which the layer is
        compared with.
    """
    replicas = REPLICAS if components < FEW else 1
    drawn = [_shuffled(slices, (seed, draw), solve) for draw in range(replicas + 1)]
    *kept, other = ([factor * values for values in twin] for twin in drawn)
    return Twin(eigenvalues=tuple(values for twin in kept for values in twin), others=tuple(other))


def _shuffled(
    slices: Sequence[Matrix], key: tuple[int, int], solve: Eigensolver
) -> tuple[FloatArray, ...]:
    """Eigenvalues of one twin."""
    matrices = [take_entries([matrix]).mix(key, i)[0] for i, matrix in enumerate(slices)]
    return spectra(matrices, solve)
