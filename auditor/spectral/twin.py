"""The random twin: a layer with its entries in random order.

Whatever the order of the entries carried is gone from it: what layer and twin share, the
entries alone explain. Ours is the twin of the matrix with its longer side as rows, centred,
its entries sorted before one permutation per shape puts them in order. So it is the same
twin for every name, file format and orientation, and scales with the matrix.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from auditor.records import FloatArray, Matrix, Trap
from auditor.spectral.distances import density_distance
from auditor.spectral.eigenvalues import Eigensolver
from auditor.spectral.marchenko_pastur import EPS, edge, fit_bulk
from auditor.spectral.shuffle import Entries, take_entries
from auditor.spectral.traps import name_entries

TRAP_LEVEL = 0.001  # chance of one trap or more in a layer of iid Gaussian entries
SPIKE_LEVEL = 0.01  # chance that a random layer has a spike, and so is not random-like
MAX_ROWS = 50_000  # above, the twin is of a sample of the rows
MIN_EVALS = 50  # below, whether a layer is random-like is not decided
DRAWS = 20  # further twins, that say how far twins are from each other
FIRST = 4  # of them are enough to see that a layer is nothing like a twin
FAR = 12.0  # standard deviations of the first draws
NEAR = 2.58  # standard deviations of all draws: 99 %


@dataclass(frozen=True, slots=True, eq=False)
class Twin:
    """Spectrum of a layer's entries in random order, and what is read off it."""

    eigenvalues: tuple[FloatArray, ...]  # per slice, each (m,), ascending
    edges: tuple[float, ...]  # per slice: beyond it is a trap; nan for one row or column
    traps: tuple[Trap, ...]  # strongest first
    mean_shift: float  # |mean|/σ·(n·m)^¼, largest over slices; nan where all entries are equal
    random_like: bool | None  # None where it is not decided
    sampled_rows: int | None = None  # made from so many rows of each slice; None: from all

    @property
    def pooled(self) -> FloatArray:
        """All slices together, ascending."""
        return np.sort(np.concatenate(self.eigenvalues))

    @property
    def largest(self) -> float:
        """Largest eigenvalue over all slices."""
        return max(float(values[-1]) for values in self.eigenvalues)

    @property
    def strength(self) -> float:
        """Largest eigenvalue over its slice's edge; ``nan`` where no slice has an edge."""
        pairs = zip(self.eigenvalues, self.edges, strict=True)
        return max((float(v[-1]) / e for v, e in pairs if e > 0.0), default=math.nan)


@dataclass(frozen=True, slots=True, eq=False)
class _SliceTwin:
    eigenvalues: FloatArray
    edge: float
    traps: tuple[Trap, ...]
    mean_shift: float


def random_twin(
    slices: Sequence[Matrix],
    eigenvalues: Sequence[FloatArray],
    *,
    seed: int,
    solve: Eigensolver,
) -> Twin:
    """Make the twin of a layer, find its traps, and decide whether the layer is like it.

    A *trap* is an eigenvalue of the twin beyond the Marchenko-Pastur edge at 0.1 % of the
    layer, for the variance of the entries without the huge ones (`shuffle.Entries`); the sum
    of squares knows it far better than a fit to the bulk does. Measured from 16 by 16 to 300
    by 300, one slice or nine: none in 6900 Gaussian layers, and 96-100 % of single entries
    at twice the detection threshold ``σ·(n·m)^¼`` found, all by the right place. Slices of 8
    by 8 show only entries far larger than that.

    A layer is *random-like* where it has no more spikes than its mean explains (one a slice
    whose `mean_shift` exceeds 1: entries of that mean in any order have it), and its mean
    `density_distance` to 20 further twins, which keep the mean, is at most the mean plus 2.58
    standard deviations (99 %) of the distance of each of them to the others. Spikes count
    here at 1 % of the layer: at 5 % one untrained layer in sixteen would be missed. Measured:
    95-100 % of Gaussian and uniform layers are random-like, with or without a mean. Not
    decided below 50 eigenvalues and where no bulk can be fitted.

    Parameters
    ----------
    slices
        (rows, cols) each, all of one shape, finite, as stored.
    eigenvalues
        Of ``W.T @ W`` of each slice, ascending, in units of weight squared.
    seed
        Chooses the permutations, >= 0.
    solve
        Gives the eigenvalues of a symmetric matrix.

    Returns
    -------
    Twin
        Above 50,000 rows of a seeded sample of the rows, the same for all slices, its
        eigenvalues times rows/sampled rows so that they compare with the layer's.
    """
    layer = _Layer(slices, seed, solve)
    parts = [_slice_twin(layer, i) for i in range(len(slices))]
    shifts = [part.mean_shift for part in parts if not math.isnan(part.mean_shift)]
    twin = Twin(
        eigenvalues=tuple(part.eigenvalues for part in parts),
        edges=tuple(part.edge for part in parts),
        traps=tuple(sorted((t for p in parts for t in p.traps), key=_strength, reverse=True)),
        mean_shift=max(shifts, default=math.nan),
        random_like=None,
        sampled_rows=MAX_ROWS if layer.sampled else None,
    )
    bulk = fit_bulk(eigenvalues, layer.rows, min(slices[0].shape), level=SPIKE_LEVEL)
    if bulk is None or sum(values.size for values in eigenvalues) < MIN_EVALS:
        return twin
    if bulk.num_spikes > sum(shift > 1.0 for shift in shifts):
        return replace(twin, random_like=False)
    own = layer.own() if layer.sampled else np.concatenate(list(eigenvalues))
    return replace(twin, random_like=_is_near(layer, own))


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    slices: Sequence[Matrix]
    seed: int
    solve: Eigensolver

    @property
    def rows(self) -> int:
        return int(max(self.slices[0].shape))

    @property
    def sampled(self) -> bool:
        return self.rows > MAX_ROWS

    def sample(self, i: int) -> Matrix:
        """Rows of a slice, longer side as rows, those with the five largest entries first."""
        matrix = self.slices[i]
        if not self.sampled:
            return matrix
        matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
        size = np.maximum(matrix.max(axis=1), -matrix.min(axis=1))
        order = np.random.default_rng((self.seed, i, *matrix.shape)).permutation(self.rows)
        largest = np.argsort(-size, kind="stable")[:5]
        rest = order[~np.isin(order, largest)]
        chosen: Matrix = matrix[np.concatenate([largest, rest])[:MAX_ROWS]]
        return chosen

    def own(self) -> FloatArray:
        """Eigenvalues of the rows that the twin is made from."""
        samples = [self.sample(i) for i in range(len(self.slices))]
        return np.concatenate([self.spectrum(take_entries(s), s, shift=0.0) for s in samples])

    def pooled(self, draws: range) -> list[FloatArray]:
        """Eigenvalues of one more twin a draw, all slices together, means kept."""
        twins: list[list[FloatArray]] = [[] for _ in draws]
        for i in range(len(self.slices)):
            entries = take_entries(self.sample(i))
            for twin, draw in zip(twins, draws, strict=True):
                matrix = entries.shuffled((self.seed, i, draw), keep=False)
                twin.append(self.spectrum(entries, matrix, shift=0.0))
        return [np.concatenate(twin) for twin in twins]

    def spectrum(self, entries: Entries, matrix: Matrix, *, shift: float) -> FloatArray:
        """Eigenvalues, as if it had all the rows of the layer, in units of weight squared."""
        values = np.maximum(self.solve(entries.gram(matrix, shift=shift)), 0.0)
        return np.ldexp(values, 2 * entries.exponent) * (self.rows / entries.n)


def _slice_twin(layer: _Layer, i: int) -> _SliceTwin:
    entries = take_entries(layer.sample(i))
    matrix = entries.shuffled((layer.seed, i, 0))
    values = layer.spectrum(entries, matrix, shift=entries.mean)
    sigma = math.ldexp(entries.sigma, entries.exponent) * math.sqrt(layer.rows / entries.n)
    limit = edge(entries.n, entries.m, sigma, TRAP_LEVEL, len(layer.slices))
    resolved = EPS * entries.n * values[-1]  # below it a gigantic entry's rounding noise begins
    count = int(np.count_nonzero((values > limit) & (values > resolved)))
    named = name_entries(layer.slices[i], matrix, entries, count=count) if count else []
    found = zip(values[::-1].tolist(), named, strict=False)
    return _SliceTwin(
        eigenvalues=values,
        edge=limit,
        traps=tuple(Trap(value, limit, which) for value, which in found),
        mean_shift=entries.mean_shift,
    )


def _strength(trap: Trap) -> float:
    return trap.eigenvalue / trap.edge if trap.edge > 0.0 else math.inf


def _is_near(layer: _Layer, own: FloatArray) -> bool:
    """Whether a layer is as near to twins as they are to each other."""
    twins = layer.pooled(range(1, FIRST + 1))
    if not _within(own, twins, layer.rows, FAR):
        return False
    twins += layer.pooled(range(FIRST + 1, DRAWS + 1))
    return _within(own, twins, layer.rows, NEAR)


def _within(own: FloatArray, twins: list[FloatArray], n: int, deviations: float) -> bool:
    """Whether the mean distance to the twins is in the range of theirs to the others."""
    apart = np.zeros((len(twins), len(twins)))
    for i, j in combinations(range(len(twins)), 2):
        apart[i, j] = apart[j, i] = density_distance(twins[i], twins[j], n)
    usual = apart.sum(axis=1) / (len(twins) - 1)
    distance = np.mean([density_distance(own, twin, n) for twin in twins])
    return bool(distance <= usual.mean() + deviations * usual.std(ddof=1))
