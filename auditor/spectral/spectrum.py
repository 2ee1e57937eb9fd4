"""The eigenvalue spectrum (ESD) of a layer."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg

from auditor.records import FloatArray, Matrix, Settings
from auditor.spectral.marchenko_pastur import Bulk, fit_bulk
from auditor.spectral.powerlaw import Interval, TailFit, fit_tail, goodness_of_fit, interval
from auditor.spectral.twin import Twin

Eigensolver = Callable[[FloatArray], FloatArray]  # symmetric (m, m) -> (m,) ascending

EPS = float(np.finfo(np.float64).eps)
BLOCK = 64 * 2**20  # bytes of a matrix taken to float64 at a time
UNRESOLVED = 1e-13  # λ/λ_max below which the Gram matrix does not show the first digits of λ
COARSE = 1e-10  # below which it shows less than five
SMALL = 512  # columns up to which five are asked for: singular values cost four eigensolves
LOWEST_EXPONENT = -1000  # 2**1000 is still finite
OVERTRAINED, UNDERTRAINED = 2.0, 6.0  # α that rules judge by

ROUNDOFF = {  # spacing of a stored type at 1
    "float32": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float8_e4m3fn": 2.0**-3,
    "float8_e5m2": 2.0**-2,
}


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues of ``W.T @ W`` of every slice of a layer, no 1/N, with what shaped them."""

    slices: tuple[FloatArray, ...]  # each (m,), ascending, >= 0, in units of weight squared
    n: int  # larger side of a slice
    m: int  # smaller side of a slice
    roundoff: float  # spacing of the stored dtype at 1; 0 for float64
    settings: Settings
    twin: Twin | None = None  # where `settings.randomize`

    @cached_property
    def eigenvalues(self) -> FloatArray:
        """All slices pooled, ascending: shape (slices * m,)."""
        return np.sort(np.concatenate(self.slices))

    @property
    def largest(self) -> float:
        """Largest eigenvalue: the square of the spectral norm."""
        return float(self.eigenvalues[-1])

    @property
    def is_reference(self) -> bool:
        """Whether numbers follow the reference's conventions, for comparing with its own."""
        return self.settings.convention == "weightwatcher"

    @cached_property
    def tail(self) -> TailFit | None:
        """Power law fitted to the upper tail, made once per layer; None where there is none.

        None too where the layer has fewer than `settings.min_evals` eigenvalues.
        """
        if self.eigenvalues.size < self.settings.min_evals:
            return None
        return fit_tail(self.eigenvalues, n=self.n, settings=self.settings)

    @cached_property
    def interval(self) -> Interval | None:
        """95 % interval of α; None without a tail or with `settings.bootstrap` of 0."""
        if self.tail is None or self.settings.bootstrap == 0:
            return None
        return interval(self.eigenvalues, self.tail, n=self.n, settings=self.settings)

    @cached_property
    def plausibility(self) -> float | None:
        """p-value of the power law, only where α's interval is one that rules judge.

        That is wholly below 2 or wholly above 6; elsewhere None, for it costs as many fits
        as the interval does.
        """
        if self.tail is None or self.interval is None:
            return None
        if self.interval.hi >= OVERTRAINED and self.interval.lo <= UNDERTRAINED:
            return None
        return goodness_of_fit(self.eigenvalues, self.tail, n=self.n, settings=self.settings)

    @cached_property
    def bulk(self) -> Bulk | None:
        """Marchenko-Pastur bulk, made once per layer; None where it is undefined."""
        return fit_bulk(self.slices, self.n, self.m)


def roundoff(dtype: str) -> float:
    """Spacing at 1 of a stored type, 2**-23 for float32; 0 for float64 and unknown types."""
    return ROUNDOFF.get(dtype, 0.0)


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
