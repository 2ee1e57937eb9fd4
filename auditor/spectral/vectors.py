"""How evenly the singular vectors of a layer are spread over their entries.

A vector that a few of its entries make up is localised: it acts on a few units only. The
vectors of a random matrix are spread, with Gaussian entries.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.records import FloatArray, Matrix
from auditor.spectral.distances import positive

BINS = 100
PADDING = 1e-10  # what the reference adds to every density
EQUAL = 1e-12  # entries that differ by less than this part of the largest are equal
BLOCK = 64 * 2**20  # bytes of vectors, and of weights as float64, at a time
LOWEST_EXPONENT = -1000  # 2**1000 is still finite
STATISTICS = ("vec_entropy", "loc_ratio", "part_ratio")


@dataclass(frozen=True, slots=True, eq=False)
class VectorStatistics:
    """Of the singular vectors of a layer: a row a vector, a column each of `STATISTICS`."""

    eigenvalues: FloatArray  # (k,) of the vectors
    right: FloatArray  # (k, 3), vectors on the smaller side of the matrix
    left: FloatArray  # (k, 3), on its larger side


def vector_statistics(
    matrices: Sequence[Matrix], eigenvalues: Sequence[FloatArray]
) -> VectorStatistics:
    """Entropy, localisation and participation of every singular vector, slice by slice.

    A matrix is taken with its larger side as rows, so that a transpose changes nothing: its
    right vectors have as many entries as the smaller side, its left ones as the larger. A
    square one is taken transposed, as the reference does: right are those on its rows.
    Vectors of eigenvalues that are zero to rounding, at most ``eps64 · n · λ_max`` of their
    slice, are left out: they are any basis of the null space.

    Parameters
    ----------
    matrices : (rows, cols) each
        The slices of a layer.
    eigenvalues : (min(rows, cols),) each, ascending
        Theirs, in any unit. A vector belongs to the eigenvalue of its rank.
    """
    found = [positive(values, max(matrices[0].shape)) for values in eigenvalues]
    slices = [
        _of_slice(matrix, values.size) for matrix, values in zip(matrices, found, strict=True)
    ]
    return VectorStatistics(
        eigenvalues=np.concatenate(found),
        right=np.concatenate([right for right, _ in slices]),
        left=np.concatenate([left for _, left in slices]),
    )


def _of_slice(matrix: Matrix, count: int) -> tuple[FloatArray, FloatArray]:
    """Statistics of the `count` last right and left vectors, ascending."""
    tall = matrix if matrix.shape[0] > matrix.shape[1] else matrix.T
    largest = max(float(tall.max()), -float(tall.min()))
    scale = 2.0 ** -max(math.frexp(largest)[1], LOWEST_EXPONENT)
    gram = np.zeros((tall.shape[1], tall.shape[1]))
    for block in _rows(tall, scale):
        gram += block.T @ block
    right = np.linalg.eigh(gram)[1][:, tall.shape[1] - count :]
    parts = list(_columns(right, tall.shape[0]))
    none = np.empty((0, len(STATISTICS)))
    return (
        np.concatenate([none, *map(_statistics, parts)]),
        np.concatenate([none, *(_statistics(_images(tall, scale, part)) for part in parts)]),
    )


def _images(tall: Matrix, scale: float, right: FloatArray) -> FloatArray:
    """Left vectors, of any length, of these right ones: ``W v``."""
    return np.concatenate([block @ right for block in _rows(tall, scale)])


def _rows(tall: Matrix, scale: float) -> Iterator[FloatArray]:
    """Blocks of rows in float64, times `scale`, which keeps every square finite."""
    height = max(1, BLOCK // (8 * tall.shape[1]))
    for start in range(0, tall.shape[0], height):
        yield tall[start : start + height].astype(np.float64) * scale


def _columns(right: FloatArray, rows: int) -> Iterator[FloatArray]:
    """Blocks of vectors, few enough that as many of `rows` entries fit."""
    width = max(1, BLOCK // (8 * rows))
    for start in range(0, right.shape[1], width):
        yield right[:, start : start + width]


def _statistics(vectors: FloatArray) -> FloatArray:
    """(columns, 3) of the columns of `vectors`."""
    sizes = np.abs(vectors) / np.linalg.norm(vectors, axis=0)
    fourth = np.sqrt(np.sqrt(np.sum(sizes**4, axis=0)))
    localisation = sizes.sum(axis=0) / sizes.max(axis=0)
    return np.column_stack((_entropies(sizes), localisation, 1.0 / fourth))


def _entropies(sizes: FloatArray) -> FloatArray:
    """Entropy of the histogram of each column, natural logarithm."""
    rows, columns = sizes.shape
    lowest, highest = sizes.min(axis=0), sizes.max(axis=0)
    widths = highest - lowest
    widths[widths <= EQUAL * highest] = 1.0
    places = np.minimum((sizes - lowest) * (BINS / widths), BINS - 1).astype(np.intp)
    places += BINS * np.arange(columns)
    counts = np.bincount(places.ravel(), minlength=BINS * columns).reshape(columns, BINS)
    density = counts * (BINS / (rows * widths))[:, np.newaxis] + PADDING
    p = density / density.sum(axis=1, keepdims=True)
    return np.asarray(-np.sum(p * np.log(p), axis=1))
