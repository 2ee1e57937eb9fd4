"""Low-rank adapters: what a pair of thin matrices adds to a weight."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.records import FloatArray, Matrix


def product_shape(down: tuple[int, ...], up: tuple[int, ...]) -> tuple[int, ...] | None:
    """Shape of the weight that factors add to; None where they do not fit together.

    Parameters
    ----------
    down
        (r, in), of a convolution (r, in, *kernel).
    up
        (out, r), of a convolution (out, r, 1, …).

    Examples
    --------
    >>> product_shape((4, 320), (640, 4)), product_shape((4, 320, 3, 3), (640, 4, 1, 1))
    ((640, 320), (640, 320, 3, 3))
    """
    fits = len(down) == len(up) >= 2 and down[0] == up[1] and math.prod(up[2:]) == 1
    return (up[0], *down[1:]) if fits and 0 not in down and 0 not in up else None


@np.errstate(over="ignore", invalid="ignore")
def thin(down: NDArray[Any], up: NDArray[Any], scale: float) -> tuple[FloatArray, ...]:
    r"""Matrices as small as the rank with the singular values of ``scale * up @ down``.

    With :math:`B = QR` they are :math:`RA`, (r, in), or with :math:`A^T = QR`
    :math:`BR^T`, (out, r): the product's longer side is kept, and of its singular values all
    that are not zero by construction.

    Parameters
    ----------
    down, up
        A, (r, in) or (r, in, *kernel), and B, (out, r): float, finite.
    scale
        What the product is multiplied with.

    Returns
    -------
    tuple of (r, in) or (out, r) float64
        One for every position of the kernel; the whole product where r is no smaller than
        it.

    Examples
    --------
    >>> [part.shape for part in thin(np.ones((2, 7)), np.ones((5, 2)), 1.0)]
    [(2, 7)]
    """
    b, positions = _factors(down, up)
    out, rank = b.shape
    if rank >= min(out, positions.shape[2]):
        return tuple(scale * (b @ a) for a in positions)
    if positions.shape[2] >= out:
        return tuple(scale * (_triangle(b) @ a) for a in positions)
    return tuple(scale * (b @ _triangle(a.T).T) for a in positions)


def dense(down: NDArray[Any], up: NDArray[Any], scale: float) -> tuple[Matrix, ...]:
    """``scale * up @ down``, (out, in), for every position of the kernel; float64."""
    b, positions = _factors(down, up)
    return tuple(scale * (b @ a) for a in positions)


@np.errstate(over="ignore", invalid="ignore")
def merged(base: NDArray[Any], down: NDArray[Any], up: NDArray[Any], scale: float) -> FloatArray:
    """``base + scale * up @ down``, in float64.

    Parameters
    ----------
    base
        (out, in), of a convolution (out, in, *kernel): the weight that the factors change.
    down, up, scale
        As in `thin`.
    """
    product = np.stack(dense(down, up, scale), axis=2, dtype=np.float64).reshape(base.shape)
    product += np.asarray(base)
    return product


def renormed(weight: FloatArray, magnitudes: NDArray[Any]) -> FloatArray:
    r"""Each output's weights at the length that is stored for them: DoRA.

    .. math:: W_{o \cdot} \, m_o / \lVert W_{o \cdot} \rVert

    Parameters
    ----------
    weight : (out, ...)
    magnitudes : (out,), or (out, 1, ...)

    Returns
    -------
    array of the shape of `weight`
        A row of length 0 becomes ``nan``.

    References
    ----------
    Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", 2024, arXiv:2402.09353, eq. 5.
    """
    rows = weight.reshape(len(weight), -1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factor = magnitudes.reshape(-1).astype(np.float64) / np.linalg.norm(rows, axis=1)
        found: FloatArray = (rows * factor[:, None]).reshape(weight.shape)
    return found


def _triangle(matrix: FloatArray) -> FloatArray:
    """R of ``matrix = QR``."""
    return np.asarray(np.linalg.qr(matrix, mode="r"))


def _factors(down: NDArray[Any], up: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """B, (out, r), and A at every position of the kernel, (positions, r, in), in float64."""
    rank, inputs = down.shape[:2]
    a = np.moveaxis(down.reshape(rank, inputs, -1).astype(np.float64), 2, 0)
    return up.reshape(up.shape[0], rank).astype(np.float64), a
