"""From matrices to their eigenvalues, and no further."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from auditor.records import FloatArray, Matrix
from auditor.spectral.entries import not_zero

Stack = NDArray[Any]  # of float64 or float32
Eigensolver = Callable[[Stack], Stack]  # symmetric (..., m, m) -> (..., m) ascending

EPS = float(np.finfo(np.float64).eps)
BLOCK = 64 * 2**20  # bytes of a matrix, or of several small ones, taken up at a time
UNRESOLVED = 1e-13 / EPS  # λ/λ_max in eps below which a Gram matrix lacks the first digits of λ
COARSE = 1e-10 / EPS  # below which it shows less than five
SMALL = 512  # columns up to which five are asked for: singular values cost four eigensolves
SPARE = 22  # powers of two that 2**-exponent stays below the largest number


def lapack(gram: Stack) -> Stack:
    """Eigenvalues of symmetric (..., m, m) matrices, ascending, in their own precision.

    By numpy, which lets other threads run meanwhile: with scipy's ``eigh``, as fast on one
    thread, they stand still for the whole solve, 0.2 s at m = 1536.
    """
    return np.linalg.eigvalsh(gram)


def eigenvalues(
    matrix: Matrix, solve: Eigensolver = lapack, *, precision: DTypeLike = np.float64
) -> FloatArray:
    """Eigenvalues of ``W.T @ W`` of one matrix, as `spectra` gives them of several."""
    return spectra((matrix,), solve, precision=precision)[0]


def spectra(
    slices: Sequence[Matrix], solve: Eigensolver = lapack, *, precision: DTypeLike = np.float64
) -> tuple[FloatArray, ...]:
    r"""Eigenvalues of ``W.T @ W``, the squares of the singular values, of every slice.

    They are those of the Gram matrix of the smaller side, summed over blocks of rows; small
    slices are taken many at a time. That resolves :math:`\lambda` to about
    :math:`10^{-15} \lambda_{\max}`: in a slice whose smallest is below
    :math:`10^{-13} \lambda_{\max}` (for up to 512 columns :math:`10^{-10} \lambda_{\max}`)
    singular values are computed instead. Those that are rounding noise,
    :math:`\sigma \le n \epsilon \sigma_{\max}`, become 0.

    The same for W and its transpose to rounding; scaling W by c scales them by c², for a
    power of two exactly, for weights from 1e-300 to 1e144 without overflow in between.

    Parameters
    ----------
    slices : each (rows, cols)
        One or more of one shape, finite, not empty, any float type.
    solve
        Eigenvalues of symmetric matrices in `precision`, ascending.
    precision
        ``float64``, or ``float32`` for half the memory: singular values then take over below
        :math:`5 \cdot 10^{-5} \lambda_{\max}`, large eigenvalues have six digits, and one of
        :math:`10^{-8} \lambda_{\max}` has two.

    Returns
    -------
    tuple of (min(rows, cols),) float64
        Ascending, >= 0, in units of weight squared. Rows and columns of zeros give
        eigenvalues that are exactly 0.
    """
    dtype: np.dtype[Any] = np.dtype(precision)
    together = max(1, BLOCK // (2 * dtype.itemsize * slices[0].size))  # and their Gram matrices
    found: list[FloatArray] = []
    for start in range(0, len(slices), together):
        group = slices[start : start + together]
        found += _stacked(group, solve, dtype) if len(group) > 1 else [_own(group[0], solve, dtype)]
    return tuple(found)


def _stacked(group: Sequence[Matrix], solve: Eigensolver, dtype: np.dtype[Any]) -> list[FloatArray]:
    """Of all slices at once, but alone of those that need more than their Gram matrix."""
    exponents = np.array([_exponent(matrix, dtype) for matrix in group])
    stack = np.empty((len(group), *group[0].shape), dtype)
    for place, matrix, exponent in zip(stack, group, exponents, strict=True):
        place[...] = _scaled(matrix, exponent, dtype)
    tall = stack if stack.shape[1] >= stack.shape[2] else stack.mT
    values = np.maximum(solve(tall.mT @ tall), 0.0)
    is_zero = tall == 0.0
    whole = ~(is_zero.all(axis=1).any(axis=1) | is_zero.all(axis=2).any(axis=1))
    fine = whole & (values[:, 0] >= _resolution(dtype, values.shape[1]) * values[:, -1])
    scaled = np.ldexp(values.astype(np.float64), 2 * exponents[:, np.newaxis])
    return [scaled[i] if fine[i] else _own(matrix, solve, dtype) for i, matrix in enumerate(group)]


def _own(matrix: Matrix, solve: Eigensolver, dtype: np.dtype[Any]) -> FloatArray:
    """Of one slice."""
    dense = _without_zeros(matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T)
    values = np.zeros(min(matrix.shape))
    if dense.size:
        exponent = _exponent(dense, dtype)
        found = _solved(dense, exponent, solve, dtype)
        values[values.size - found.size :] = np.ldexp(found.astype(np.float64), 2 * exponent)
    return values


def _without_zeros(tall: Matrix) -> Matrix:
    """The matrix without rows and columns of zeros, larger side first: pruned units."""
    rows, cols = not_zero(tall), not_zero(tall.T)
    if rows.all() and cols.all():
        return tall
    dense = tall[np.ix_(rows, cols)]
    return dense if dense.shape[0] >= dense.shape[1] else dense.T


def _solved(tall: Matrix, exponent: int, solve: Eigensolver, dtype: np.dtype[Any]) -> Stack:
    """Eigenvalues of ``X.T @ X`` for ``X = W / 2**exponent``."""
    values = np.maximum(solve(_gram(tall, exponent, dtype)), 0.0)
    if values[0] >= _resolution(dtype, values.size) * values[-1]:
        return values
    return _squared_singular_values(tall, exponent, dtype)


def _gram(tall: Matrix, exponent: int, dtype: np.dtype[Any]) -> Stack:
    """``X.T @ X``, of blocks at least as high as wide: few sums for many products."""
    height = max(tall.shape[1], _height(tall, dtype))
    parts = (
        _squared(_scaled(tall[start : start + height], exponent, dtype))
        for start in range(0, tall.shape[0], height)
    )
    total = next(parts)
    for part in parts:
        total += part
    return total


def _squared(block: Matrix) -> Stack:
    return block.T @ block


def _resolution(dtype: np.dtype[Any], columns: int) -> float:
    """λ/λ_max from which on the eigenvalues of a Gram matrix are good enough."""
    is_exact = dtype.itemsize == 8 and columns <= SMALL
    return float(np.finfo(dtype).eps) * (COARSE if is_exact else UNRESOLVED)


def _squared_singular_values(tall: Matrix, exponent: int, dtype: np.dtype[Any]) -> FloatArray:
    """The same to full precision: singular values of the triangular factor of all blocks."""
    columns = tall.shape[1]
    height = max(columns // 2, _height(tall, dtype) // 4)
    factor: Stack = np.empty((0, columns), dtype)
    for start in range(0, tall.shape[0], height):
        part = tall[start : start + height]
        factor = np.concatenate((factor, _scaled(part, exponent, dtype)))
        if len(factor) > columns:
            factor = np.asarray(np.linalg.qr(factor, mode="r"))
    singular = np.linalg.svd(factor, compute_uv=False)[::-1].astype(np.float64)
    noise = tall.shape[0] * float(np.finfo(dtype).eps) * singular[-1]
    return np.where(singular > noise, np.square(singular), 0.0)


def _height(tall: Matrix, dtype: np.dtype[Any]) -> int:
    """Rows of a block."""
    return max(1, BLOCK // int(dtype.itemsize * tall.shape[1]))


def _exponent(matrix: Matrix, dtype: np.dtype[Any]) -> int:
    """The power of two above every entry; 0 for entries whose squares fit `dtype` anyway."""
    if matrix.dtype.itemsize < dtype.itemsize:
        return 0
    largest = max(float(matrix.max()), -float(matrix.min()))
    return max(math.frexp(largest)[1], int(np.finfo(matrix.dtype).minexp) + SPARE)


def _scaled(matrix: Matrix, exponent: int, dtype: np.dtype[Any]) -> Matrix:
    """Entries over ``2**exponent``; the matrix itself where that changes nothing."""
    part = matrix if exponent == 0 else matrix * matrix.dtype.type(2.0 ** -int(exponent))
    return part.astype(dtype, copy=False)
