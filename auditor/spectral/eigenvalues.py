"""From a matrix to its eigenvalues, and no further."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy import linalg

from auditor.records import FloatArray, Matrix

Eigensolver = Callable[[FloatArray], FloatArray]  # symmetric (m, m) -> (m,) ascending

EPS = float(np.finfo(np.float64).eps)
BLOCK = 64 * 2**20  # bytes of a matrix taken to float64 at a time
UNRESOLVED = 1e-13  # λ/λ_max below which the Gram matrix does not show the first digits of λ
COARSE = 1e-10  # below which it shows less than five
SMALL = 512  # columns up to which five are asked for: singular values cost four eigensolves
LOWEST_EXPONENT = -1000  # 2**1000 is still finite


def lapack(gram: FloatArray) -> FloatArray:
    """Eigenvalues of a symmetric (m, m) float64 matrix, ascending.

    By numpy, which lets other threads run meanwhile: with scipy's ``eigh``, as fast on one
    thread, they stand still for the whole solve, 0.2 s at m = 1536.
    """
    return np.asarray(np.linalg.eigvalsh(gram), dtype=np.float64)


def eigenvalues(matrix: Matrix, solve: Eigensolver = lapack) -> FloatArray:
    r"""Eigenvalues of ``W.T @ W``, the squares of the singular values.

    They are those of the Gram matrix of the smaller side, summed in float64 over blocks of
    rows. That resolves :math:`\lambda` to about :math:`10^{-15} \lambda_{\max}`: where the
    smallest is below :math:`10^{-13} \lambda_{\max}` (for up to 512 columns
    :math:`10^{-10} \lambda_{\max}`) singular values are computed instead. Those that are
    rounding noise, :math:`\sigma \le n \epsilon \sigma_{\max}`, become 0.

    The same for W and its transpose to rounding; scaling W by c scales them by c², for a
    power of two exactly, for weights from 1e-300 to 1e144 without overflow in between.

    Parameters
    ----------
    matrix : (rows, cols)
        Finite, not empty, any float type.
    solve
        Eigenvalues of a symmetric float64 matrix, ascending.

    Returns
    -------
    (min(rows, cols),) float64
        Ascending, >= 0, in units of weight squared. Rows and columns of zeros give
        eigenvalues that are exactly 0.
    """
    dense = _without_zeros(matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T)
    values = np.zeros(min(matrix.shape))
    if dense.size:
        largest = max(float(dense.max()), -float(dense.min()))
        exponent = max(math.frexp(largest)[1], LOWEST_EXPONENT)
        found = _solved(dense, 2.0**-exponent, solve)
        values[values.size - found.size :] = np.ldexp(found, 2 * exponent)
    return values


def _without_zeros(tall: Matrix) -> Matrix:
    """The matrix without rows and columns of zeros, larger side first: pruned units."""
    rows, cols = tall.any(axis=1), tall.any(axis=0)
    if rows.all() and cols.all():
        return tall
    dense = tall[np.ix_(rows, cols)]
    return dense if dense.shape[0] >= dense.shape[1] else dense.T


def _solved(tall: Matrix, scale: float, solve: Eigensolver) -> FloatArray:
    """Eigenvalues of ``(scale·W).T @ (scale·W)``, no entry of scale·W above 1."""
    gram = np.zeros((tall.shape[1], tall.shape[1]))
    for block in _blocks(tall, scale):
        gram += block.T @ block
    values = np.maximum(solve(gram), 0.0)
    floor = COARSE if values.size <= SMALL else UNRESOLVED
    if values[0] >= floor * values[-1]:
        return values
    return _squared_singular_values(tall, scale)


def _squared_singular_values(tall: Matrix, scale: float) -> FloatArray:
    """The same to full precision: singular values of the triangular factor of all blocks."""
    factor: FloatArray = np.empty((0, tall.shape[1]))
    for block in _blocks(tall, scale):
        factor = np.concatenate((factor, block))
        if block.shape[0] < tall.shape[0]:
            triangle = linalg.qr(factor, mode="r", check_finite=False)[0]
            factor = np.asarray(triangle[: tall.shape[1]])
    singular = np.linalg.svd(factor, compute_uv=False)[::-1]
    noise = tall.shape[0] * EPS * singular[-1]
    return np.where(singular > noise, np.square(singular), 0.0)


def _blocks(tall: Matrix, scale: float) -> Iterator[FloatArray]:
    """Blocks of rows in float64, at least as high as wide, times `scale`."""
    height = max(tall.shape[1], BLOCK // (8 * tall.shape[1]))
    for start in range(0, tall.shape[0], height):
        block = tall[start : start + height].astype(np.float64)
        block *= scale
        yield block
