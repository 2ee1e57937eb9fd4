"""The random twin: a layer with its entries in random order.

Whatever the order of the entries carried is gone from it: what layer and twin share, the
entries alone explain. Ours is the twin of the matrix with its longer side as rows, centred,
its entries sorted before one permutation per shape puts them in order. So it is the same
twin for every name, file format and orientation, and scales with the matrix.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from auditor.records import FloatArray, Matrix, Trap
from auditor.spectral.eigenvalues import EPS, Eigensolver, spectra
from auditor.spectral.likeness import Closer, Likeness, compare
from auditor.spectral.marchenko_pastur import edge
from auditor.spectral.moments import kurtosis
from auditor.spectral.shuffle import TOGETHER, Entries, Stack, take_entries
from auditor.spectral.traps import name_entries

TRAP_LEVEL = 0.001  # chance of one trap or more in a layer of iid Gaussian entries
LARGE = 0.5  # of the square from which on an entry is huge
MIN_EVALS = 50  # below, whether a layer is random-like is not decided


@dataclass(frozen=True, eq=False)
class Twin:
    """Spectrum of a layer's entries in random order, and what is read off it."""

    eigenvalues: tuple[FloatArray, ...]  # per slice, each (m,), ascending
    others: tuple[FloatArray, ...] = ()  # of one more twin, where that is the one compared with
    edges: tuple[float, ...] = ()  # per slice: beyond it is a trap; nan for one row or column
    traps: tuple[Trap, ...] = ()  # strongest first
    mean_shift: float = math.nan  # |mean|/σ·(n·m)^¼, largest over slices
    likeness: Likeness | None = None  # None where it is not decided
    kurtosis: float = math.nan  # of the entries, where the layer is random-like

    @cached_property
    def compared(self) -> FloatArray:
        """The eigenvalues that the layer's are compared with: all slices together, ascending."""
        return np.sort(np.concatenate(self.others or self.eigenvalues))

    @property
    def largest(self) -> float:
        """Largest eigenvalue over all slices."""
        return max(float(values[-1]) for values in self.eigenvalues)

    @property
    def random_like(self) -> bool | None:
        """Whether the layer cannot be told from it; None where that is not decided."""
        return self.likeness.is_random if self.likeness else None

    @property
    def strength(self) -> float:
        """Largest eigenvalue over its slice's edge; ``nan`` where no slice has an edge."""
        pairs = zip(self.eigenvalues, self.edges, strict=False)
        return max((float(v[-1]) / e for v, e in pairs if e > 0.0), default=math.nan)


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

    Whether the layer is *random-like* is decided by `likeness.compare`, from 50 eigenvalues.

    Parameters
    ----------
    slices
        (rows, cols) each, all of one shape, finite, as stored.
    eigenvalues
        Of ``W.T @ W`` of each slice, ascending, in units of weight squared.
    seed
        Chooses the permutations, >= 0.
    solve
        Gives the eigenvalues of symmetric matrices.

    Returns
    -------
    Twin
        Of all the entries, however many: that of a sample of the rows has another ratio of
        sides, so that its bulk is wider than the layer's and an untrained layer would differ
        from it. It takes as much memory as the slice has, for the entries as stored.
    """
    layer = _Layer(slices, seed, solve)
    parts = [part for group in layer.groups() for part in _twins(layer, group)]
    shuffled = tuple(part.eigenvalues for part in parts)
    shifts = np.array([part.mean_shift for part in parts])
    likeness = None
    if sum(values.size for values in eigenvalues) >= MIN_EVALS:
        has_large = any(part.has_large for part in parts)
        closer = Closer(shifts, has_large, layer.draw, layer.bare)
        likeness = compare(eigenvalues, shuffled, max(slices[0].shape), closer)
    return Twin(
        eigenvalues=shuffled,
        edges=tuple(part.edge for part in parts),
        traps=tuple(sorted((t for p in parts for t in p.traps), key=_strength, reverse=True)),
        mean_shift=float(np.fmax.reduce(shifts)),
        likeness=likeness,
        kurtosis=kurtosis(slices) if likeness and likeness.is_random else math.nan,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _SliceTwin:
    eigenvalues: FloatArray
    edge: float
    traps: tuple[Trap, ...]
    mean_shift: float
    has_large: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    slices: Sequence[Matrix]
    seed: int
    solve: Eigensolver

    def groups(self) -> Iterator[range]:
        """Slices that are taken up together."""
        count = max(1, TOGETHER // self.slices[0].size)
        for first in range(0, len(self.slices), count):
            yield range(first, min(first + count, len(self.slices)))

    def entries(self, group: range) -> Entries:
        return take_entries([self.slices[i] for i in group])

    def draw(self, i: int) -> tuple[FloatArray, ...]:
        """Eigenvalues of the i-th further twin, the mean kept."""
        found: list[FloatArray] = []
        for group in self.groups():
            entries = self.entries(group)
            matrices = entries.mix((self.seed, i), group.start)
            found += self.solved(entries, matrices, centred=False)
        return tuple(found)

    def bare(self) -> tuple[FloatArray, ...]:
        """Eigenvalues of the layer centred and with the mean in place of large entries."""
        found: list[FloatArray] = []
        for group in self.groups():
            entries = self.entries(group)
            bare = entries.bare([self.slices[i] for i in group], LARGE)
            units = _units(entries)
            del entries  # as many bytes as the slices, and not needed any more
            found += [unit * v for unit, v in zip(units, spectra(bare, self.solve), strict=True)]
        return tuple(found)

    def solved(self, entries: Entries, matrices: Stack, *, centred: bool) -> list[FloatArray]:
        """Eigenvalues in units of weight squared."""
        values = np.maximum(self.solve(entries.gram(matrices, centred=centred)), 0.0)
        return list(values * _units(entries)[:, np.newaxis])


def _twins(layer: _Layer, group: range) -> Iterator[_SliceTwin]:
    """Those of a group of slices."""
    entries = layer.entries(group)
    matrices = entries.shuffled((layer.seed, 0), group.start)
    found = layer.solved(entries, matrices, centred=True)
    sigmas = np.ldexp(entries.sigma, entries.exponents)
    large = entries.has_beyond(LARGE)
    for i, values in enumerate(found):
        limit = edge(entries.n, entries.m, float(sigmas[i]), TRAP_LEVEL, len(layer.slices))
        resolved = EPS * entries.n * values[-1]  # below it a gigantic entry's rounding noise begins
        count = int(np.count_nonzero((values > limit) & (values > resolved)))
        which = (
            name_entries(layer.slices[group[i]], matrices[i], entries.only(i), count=count)
            if count
            else []
        )
        traps = (
            Trap(value, limit, entry)
            for value, entry in zip(values[::-1].tolist(), which, strict=False)
        )
        yield _SliceTwin(values, limit, tuple(traps), float(entries.mean_shift[i]), bool(large[i]))


def _units(entries: Entries) -> FloatArray:
    """Of the eigenvalues, a slice each: the squares of the entries' units."""
    units: FloatArray = np.ldexp(1.0, 2 * entries.exponents)
    return units


def _strength(trap: Trap) -> float:
    return trap.eigenvalue / trap.edge if trap.edge > 0.0 else math.inf
