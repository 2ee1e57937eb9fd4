"""The eigenvalue spectrum (ESD) of a layer, with what is fitted to it, each once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from auditor.records import FloatArray, Matrix, Settings
from auditor.spectral.alternatives import Ratios, likelihood_ratios
from auditor.spectral.entries import Entries
from auditor.spectral.marchenko_pastur import Bulk, fit_bulk
from auditor.spectral.powerlaw import TailFit, fit_tail, tail_of
from auditor.spectral.reference_nulls import fit_density
from auditor.spectral.twin import Twin
from auditor.spectral.uncertainty import Interval, goodness_of_fit, interval
from auditor.spectral.vectors import VectorStatistics, vector_statistics

OVERTRAINED, UNDERTRAINED = 2.0, 6.0  # α that rules judge by

# Spacing of a stored type at 1. Blocks of q8_0 add as much noise to Gaussian weights (0.0054 of
# their size) as that spacing would. Coarser blocks are left out: theirs drowns directions that
# trained weights do have, up to 40 % of them for 4 bits, and each would count as lost.
ROUNDOFF = {
    "float32": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float8_e4m3fn": 2.0**-3,
    "float8_e5m2": 2.0**-2,
    "q8_0": 0.0188,
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
    matrices: tuple[Matrix, ...] = ()  # the slices' weights, where a metric looks at vectors
    entries: Entries | None = None  # what the weights themselves tell; None for a product

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
        """95 % interval of α; None without a tail or with `settings.bootstrap` of 0.

        None too for a truncated power law: no rule judges its α.
        """
        if self.tail is None or self.settings.bootstrap == 0 or self.settings.fit == "TPL":
            return None
        return interval(self.eigenvalues, self.tail, n=self.n, settings=self.settings)

    @cached_property
    def goodness(self) -> float | None:
        """p-value of the power law; None without an interval. Costs as much as that does."""
        if self.tail is None or self.interval is None:
            return None
        return goodness_of_fit(self.eigenvalues, self.tail, n=self.n, settings=self.settings)

    @property
    def plausibility(self) -> float | None:
        """`goodness`, only where α's interval is one that rules judge, or where asked for.

        Rules judge intervals that lie wholly below 2 or wholly above 6.
        """
        if self.interval is None or self.settings.goodness_of_fit:
            return self.goodness
        is_between = self.interval.hi >= OVERTRAINED and self.interval.lo <= UNDERTRAINED
        return None if is_between else self.goodness

    @cached_property
    def ratios(self) -> Ratios | None:
        """The power law against other laws, where `settings.goodness_of_fit` asks for it.

        Only there, for they cost more than all the rest of a layer.
        """
        if self.tail is None or not self.settings.goodness_of_fit:
            return None
        return likelihood_ratios(tail_of(self.eigenvalues, self.tail))

    @cached_property
    def bulk(self) -> Bulk | None:
        """Marchenko-Pastur bulk, made once per layer; None where it is undefined."""
        if self.is_reference:
            return fit_density(self.eigenvalues, self.n, self.m)
        return fit_bulk(self.slices, self.n, self.m)

    @cached_property
    def twin_bulk(self) -> Bulk | None:
        """That of the twin, in the reference's convention only."""
        if self.twin is None or not self.is_reference:
            return None
        return fit_density(np.sort(np.concatenate(self.twin.eigenvalues)), self.n, self.m)

    @cached_property
    def vectors(self) -> VectorStatistics | None:
        """Statistics of the singular vectors, made once per layer; None without `matrices`."""
        if not self.matrices:
            return None
        return vector_statistics(self.matrices, self.slices)


def roundoff(dtype: str) -> float:
    """Spacing at 1 of a stored type, 2**-23 for float32; 0 for float64 and all other types."""
    return ROUNDOFF.get(dtype, 0.0)
