"""Weights made simpler on purpose: what a layer is without its bulk, or without its traps."""

import math
from collections.abc import Sequence

import numpy as np

from auditor.metrics.determinant import detX_val
from auditor.records import FloatArray, Matrix, Settings
from auditor.spectral.marchenko_pastur import EPS, edge
from auditor.spectral.shuffle import take_entries
from auditor.spectral.spectrum import Spectrum
from auditor.spectral.twin import TRAP_LEVEL

Keep = int | float | str  # a rank, a share of the sum of eigenvalues, or a RULE
RULES = ("detX", "alpha_min")


def smoothed(slices: Sequence[Matrix], keep: Keep) -> list[Matrix]:
    """The best approximation of every slice by its strongest directions alone.

    No matrix of the rank that is kept is nearer, in the Frobenius and in the spectral norm [1].

    Parameters
    ----------
    slices : each (rows, cols)
        Of one layer: of one shape, finite, any float type.
    keep
        A whole number k: rank k of every slice. A fraction p: the fewest eigenvalues, of all
        slices together, that sum to at least p of all; 1.0 is all of them. ``alpha_min``:
        those in the tail of the power-law fit, λ ≥ xmin. ``detX``: the largest up to where
        their product is 1.

    Returns
    -------
    list
        A slice that loses nothing as it is, by identity, and so are all where the rule is
        undefined: no tail, all eigenvalues equal. Else float64.

    References
    ----------
    .. [1] Eckart & Young, "The approximation of one matrix by another of lower rank",
           Psychometrika 1(3), 1936; Mirsky, Quart. J. Math. 11(1), 1960.
    """
    largest = max(max(float(w.max()), -float(w.min())) for w in slices)
    exponent = math.frexp(largest)[1]  # in units of 2**exponent no square overflows
    parts = [
        np.linalg.svd(np.ldexp(w.astype(np.float64), -exponent), full_matrices=False)
        for w in slices
    ]
    counts = _counts([part.S for part in parts], max(slices[0].shape), keep)
    return [
        matrix
        if count >= part.S.size
        else np.ldexp((part.U[:, :count] * part.S[:count]) @ part.Vh[:count], exponent)
        for matrix, part, count in zip(slices, parts, counts, strict=True)
    ]


def sharpened(slices: Sequence[Matrix], *, seed: int) -> list[Matrix]:
    """Every slice without its correlation traps.

    A trap is an eigenvalue of the slice with its entries centred and in random order that is
    beyond the Marchenko-Pastur edge at 0.1 % of the layer: huge entries make it. Its singular
    triplet is taken off there, and the entries are put back in their places, which leaves
    what stands in their order as it was. The triplet also has a share in the entries that
    happened to be in the row and the column of the huge one: some n + m of n·m, at random,
    come near the mean.

    Parameters
    ----------
    slices : each (rows, cols)
        Of one layer: of one shape, finite, any float type.
    seed
        Chooses the orders, >= 0.

    Returns
    -------
    list
        A slice without traps as it is, by identity. Else float64.
    """
    level = TRAP_LEVEL, len(slices)
    return [_without_traps(matrix, (seed, i), level) for i, matrix in enumerate(slices)]


def _counts(sizes: Sequence[FloatArray], n: int, keep: Keep) -> list[int]:
    """How many singular values of every slice are kept."""
    if isinstance(keep, int):
        return [keep] * len(sizes)
    spectra = tuple(np.square(each[::-1]) for each in sizes)
    floor = _floor(Spectrum(spectra, n, len(sizes[0]), 0.0, Settings()), keep)
    return [int(np.count_nonzero(values >= floor)) for values in spectra]


def _floor(spectrum: Spectrum, keep: float | str) -> float:
    """The smallest eigenvalue that is kept; 0 where the rule is undefined."""
    if keep == "alpha_min":
        return spectrum.tail.xmin if spectrum.tail else 0.0
    if keep == "detX":
        value = detX_val(spectrum)
        return 0.0 if math.isnan(value) else value
    descending = spectrum.eigenvalues[::-1]
    sums = np.cumsum(descending)
    return float(descending[np.searchsorted(sums, float(keep) * sums[-1])])


def _without_traps(matrix: Matrix, key: tuple[int, int], level: tuple[float, int]) -> Matrix:
    """One slice without the eigenvalues beyond the edge of its random order."""
    entries = take_entries([matrix])
    order = np.random.default_rng((*key, entries.n, entries.m)).permutation(matrix.size)
    scaled = np.ravel(matrix)[order] * entries.factors[0] - entries.mean[0]
    twin = scaled.reshape(entries.n, entries.m)
    values, vectors = np.linalg.eigh(twin.T @ twin)
    limit = edge(entries.n, entries.m, float(entries.sigma[0]), *level)
    traps = vectors[:, (values > limit) & (values > EPS * entries.n * values[-1])]
    if traps.size == 0:
        return matrix
    twin -= (twin @ traps) @ traps.T
    result = np.empty(matrix.size)
    result[order] = twin.ravel() + entries.mean[0]
    return np.ldexp(result, int(entries.exponents[0])).reshape(matrix.shape)
