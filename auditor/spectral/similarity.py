"""How alike two versions of a layer act.

The distances that cost more than a pass over the entries: products of the two matrices, and
the subspaces of their strongest directions.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from auditor.records import FloatArray, Matrix

BLOCK = 1 << 20  # entries taken to float64 at a time: 8 MB
LOWEST_EXPONENT = -1000  # 2**1000 is still finite


def cka_distance(before: Sequence[Matrix], after: Sequence[Matrix]) -> float:
    r"""How differently two versions of a layer map inputs: one less linear CKA of their rows.

    .. math:: 1 - \lVert X^T Y \rVert_F^2 / (\lVert X^T X \rVert_F \lVert Y^T Y \rVert_F)

    X and Y are the matrices (out × in), each column less its mean [1]. 0 to 1, the mean over
    the slices where it is defined. Unchanged by scaling a version and by any rotation of its
    inputs. Equal slices are at exactly 0. ``nan`` where no slice defines it: one whose rows
    are all equal in a version does not.

    Parameters
    ----------
    before, after
        (out, in) each, the slices of one layer: equal in number and shape, finite.

    References
    ----------
    .. [1] Kornblith, Norouzi, Lee & Hinton, "Similarity of neural network representations
           revisited", ICML 2019, arXiv:1905.00414, Eq. 3 and 4.
    """
    pairs = zip(before, after, strict=True)
    sides = (tuple(_side(matrix, _mean_row(matrix)) for matrix in pair) for pair in pairs)
    return _mean(1.0 - _alignment(one, two) for one, two in sides)


def ww_cka(before: Sequence[Matrix], after: Sequence[Matrix]) -> float:
    r"""The reference's CKA: not squared, not centred, a similarity.

    .. math:: \lVert W_1^T W_2 \rVert_F / \sqrt{\lVert W_1^T W_1 \rVert_F
              \lVert W_2 W_2^T \rVert_F}

    0 to 1, the mean over the slices where it is defined; unchanged by scaling a version.
    Equal slices give exactly 1. ``nan`` where every slice is zero in a version; the reference
    counts such a slice as 0.

    Parameters
    ----------
    before, after
        (rows, cols) each, the slices of one layer: equal in number and shape, finite.
    """
    pairs = zip(before, after, strict=True)
    return _mean(math.sqrt(_alignment(_side(one), _side(two))) for one, two in pairs)


def subspace_overlap(
    before: Sequence[Matrix], after: Sequence[Matrix], sizes: Sequence[int]
) -> float:
    r"""Mean squared cosine of the angles between the strongest directions of the inputs.

    .. math:: \lVert V_1^T V_2 \rVert_F^2 / k

    V the k right singular vectors of a slice with the largest singular values. 1 where they
    span the same subspace, about k/in where they have nothing to do with each other.
    The mean over the slices with k of at least 1 that are not zero; ``nan`` where there is
    none.

    Directions are those of the Gram matrix in float64: sharp to rounding where the k-th
    eigenvalue is above 1e-10 of the largest.

    Parameters
    ----------
    before, after
        (out, in) each, the slices of one layer: equal in number and shape, finite.
    sizes
        k of every slice; 0 leaves it out.

    References
    ----------
    Björck & Golub, "Numerical methods for computing angles between linear subspaces",
    Math. Comp. 27(123), 1973.
    """
    triples = zip(before, after, sizes, strict=True)
    return _mean(_overlap(one, two, min(k, *one.shape)) for one, two, k in triples if k > 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """A matrix less a row, in float64 and in a unit in which no product overflows or vanishes."""

    matrix: Matrix
    shift: FloatArray | None = None  # (1, cols)
    factor: float = 1.0  # a power of two, which is exact

    @property
    def is_tall(self) -> bool:
        rows, cols = self.matrix.shape
        return int(rows) >= int(cols)

    def blocks(self) -> Iterator[FloatArray]:
        """A part of the longer side at a time, that side first."""
        step = max(1, BLOCK // min(self.matrix.shape))
        for start in range(0, max(self.matrix.shape), step):
            part = slice(start, start + step)
            where = (part, slice(None)) if self.is_tall else (slice(None), part)
            block = self.matrix[where].astype(np.float64)
            if self.shift is not None:
                block -= self.shift[:, where[1]]
            block *= self.factor
            yield block if self.is_tall else block.T


def _side(matrix: Matrix, shift: FloatArray | None = None) -> _Side:
    plain = _Side(matrix, shift)
    if matrix.dtype.itemsize < 8:  # the fourth power of every float32 fits
        return plain
    largest = max(float(np.abs(block).max()) for block in plain.blocks())
    exponent = max(math.frexp(largest)[1], LOWEST_EXPONENT)
    return _Side(matrix, shift, math.ldexp(1.0, -exponent))


def _mean_row(matrix: Matrix) -> FloatArray:
    """Mean of the rows, (1, cols): exactly the first where all are equal."""
    first = matrix[:1].astype(np.float64)
    total = np.zeros_like(first)
    step = max(1, BLOCK // matrix.shape[1])
    for start in range(0, matrix.shape[0], step):
        total += (matrix[start : start + step] - first).sum(axis=0)
    mean: FloatArray = first + total / matrix.shape[0]
    return mean


def _gram(side: _Side) -> FloatArray:
    """``XᵀX`` of a tall matrix, ``XXᵀ`` of a wide one: the smaller."""
    return _sum(block.T @ block for block in side.blocks())


def _product(one: _Side, two: _Side) -> FloatArray:
    """``XᵀY`` of tall matrices, ``XYᵀ`` of wide ones."""
    return _sum(a.T @ b for a, b in zip(one.blocks(), two.blocks(), strict=True))


def _sum(parts: Iterator[FloatArray]) -> FloatArray:
    total = next(parts)
    for part in parts:
        total += part
    return total


def _alignment(one: _Side, two: _Side) -> float:
    """``‖XᵀY‖² / (‖XᵀX‖·‖YᵀY‖)``, 0 to 1; ``nan`` where one is zero."""
    a, b = _gram(one), _gram(two)
    size = math.sqrt(_squares(a) * _squares(b))
    if size == 0.0:
        return math.nan
    if np.array_equal(one.matrix, two.matrix):
        return 1.0
    # of wide matrices ‖XᵀY‖² is the inner product of XXᵀ and YYᵀ, which are smaller
    both = _squares(_product(one, two)) if one.is_tall else float(np.vdot(a, b))
    return min(1.0, max(0.0, both / size))


def _overlap(one: Matrix, two: Matrix, k: int) -> float:
    """``‖V₁ᵀV₂‖² / k`` of one slice."""
    if not one.any() or not two.any():
        return math.nan
    if np.array_equal(one, two):
        return 1.0
    a, b = _side(one), _side(two)
    (left, first), (right, second) = _directions(a, k), _directions(b, k)
    if not a.is_tall:  # v = Wᵀu/σ
        left, right = left / first, _product(a, b) @ (right / second)
    cosines = left.T @ right
    return min(1.0, _squares(cosines) / k)


def _directions(side: _Side, k: int) -> tuple[FloatArray, FloatArray]:
    """The k strongest singular vectors of the smaller side, (m, k), with singular values."""
    values, vectors = np.linalg.eigh(_gram(side))
    floor = np.finfo(np.float64).eps * values[-1]
    return vectors[:, -k:], np.sqrt(np.maximum(values[-k:], floor))


def _squares(matrix: FloatArray) -> float:
    return float(np.vdot(matrix, matrix))


def _mean(values: Iterable[float]) -> float:
    """Mean of what is defined, ``nan`` where nothing is."""
    defined = [value for value in values if not math.isnan(value)]
    return fmean(defined) if defined else math.nan
