"""The eigenvalue spectrum (ESD) of a layer."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from auditor.records import FloatArray, Settings
from auditor.spectral.marchenko_pastur import Bulk, fit_bulk
from auditor.spectral.powerlaw import TailFit, fit_tail
from auditor.spectral.twin import Twin

Eigensolver = Callable[[FloatArray], FloatArray]  # symmetric (m, m) -> (m,) ascending


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

    @cached_property
    def tail(self) -> TailFit | None:
        """Power law fitted to the upper tail, made once per layer; None where there is none."""
        return fit_tail(self.eigenvalues, n=self.n, settings=self.settings)

    @cached_property
    def bulk(self) -> Bulk | None:
        """Marchenko-Pastur bulk, made once per layer; None where it is undefined."""
        return fit_bulk(self.slices, self.n, self.m)
