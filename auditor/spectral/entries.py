"""What is told from the entries of a layer alone: rows and columns of zeros, a single value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.records import Layer, Matrix

FEW = 8  # part of the rows, as a divisor, that is copied to be looked at


@dataclass(frozen=True, slots=True)
class Entries:
    """Counts over all matrices of a layer; positions of a kernel are one matrix together."""

    dead_rows: int  # rows that are zero in every entry
    dead_columns: int
    constant: int  # matrices of which every entry is the same, and not zero


def entries_of(layer: Layer) -> Entries | None:
    """The counts of a layer; None for a product, of which only the factors are stored.

    Rows and columns are those of the stored tensor. An output of a convolution is dead where
    it is zero at every position of the kernel. Most often one row and one column tell, and
    nothing else is read.
    """
    if layer.product:
        return None
    parts = list(_parts(layer))
    return Entries(
        dead_rows=sum(_dead(part) for part in parts),
        dead_columns=sum(_dead([matrix.T for matrix in part]) for part in parts),
        constant=sum(map(_is_constant, parts)),
    )


def not_zero(matrix: Matrix) -> NDArray[np.bool_]:
    """Which rows are not all zero; most often the entries in their middle tell."""
    found: NDArray[np.bool_] = matrix[:, matrix.shape[1] // 2] != 0.0
    rest = np.flatnonzero(~found)
    if rest.size * FEW > found.size:
        return np.asarray(matrix.any(axis=1))
    if rest.size:
        found[rest] = matrix[rest].any(axis=1)
    return found


def _parts(layer: Layer) -> Iterator[Sequence[Matrix]]:
    """The slices, those together that are positions of one kernel."""
    for start in range(0, len(layer.slices), layer.positions):
        yield layer.slices[start : start + layer.positions]


def _dead(part: Sequence[Matrix]) -> int:
    """Rows that are zero in every slice; no further slice is read once there are none left."""
    alive = not_zero(part[0])
    for matrix in part[1:]:
        if alive.all():
            break
        alive |= not_zero(matrix)
    return int(np.count_nonzero(~alive))


def _is_constant(part: Sequence[Matrix]) -> bool:
    """Whether two or more entries are one value, and not zero."""
    value = float(part[0][0, 0])
    several = sum(matrix.size for matrix in part) > 1
    return bool(several and value != 0.0) and all(_holds(matrix, value) for matrix in part)


def _holds(matrix: Matrix, value: float) -> bool:
    """Whether every entry is a value; most often the first row tells."""
    if (matrix[0] != value).any():
        return False
    return bool(matrix.min() == value == matrix.max())
