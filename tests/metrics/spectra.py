"""Spectra to ask a metric about."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.records import FloatArray, Settings
from auditor.spectral.eigenvalues import eigenvalues
from auditor.spectral.spectrum import Spectrum, roundoff


def spectrum(*slices: NDArray[Any], dtype: str = "float64", **settings: Any) -> Spectrum:
    """The spectrum of a layer of these slices, stored as `dtype`."""
    n, m = max(slices[0].shape), min(slices[0].shape)
    values = tuple(eigenvalues(matrix) for matrix in slices)
    return Spectrum(values, n, m, roundoff(dtype), Settings(**settings))


def of(values: FloatArray, **settings: Any) -> Spectrum:
    """A spectrum of given eigenvalues, of one square matrix."""
    ascending = np.sort(np.asarray(values, dtype=np.float64))
    return Spectrum((ascending,), ascending.size, ascending.size, 0.0, Settings(**settings))
