"""A layer in, every number about it out."""

import math

import numpy as np

from auditor.metrics import columns
from auditor.records import FloatArray, Layer, Measured, Measurement, Settings
from auditor.spectral.eigenvalues import Eigensolver, lapack, spectra
from auditor.spectral.entries import entries_of
from auditor.spectral.histogram import histogram
from auditor.spectral.phases import phase_of
from auditor.spectral.reference_nulls import reference_twin
from auditor.spectral.spectrum import Spectrum, roundoff
from auditor.spectral.twin import Twin, random_twin

HALF = 0.5  # the reference halves every eigenvalue of a Conv2d, times its kernel if not pooled


def measure(layer: Layer, settings: Settings, solve: Eigensolver = lapack) -> Measured:
    """Measure one layer: the same values and settings give the same numbers.

    Parameters
    ----------
    layer
        Its name and digest do not enter the numbers, its `kind` only in the reference's
        convention, where eigenvalues of a Conv2d are halved.
    settings
        Convention, seed, and which of the costlier columns are wanted.
    solve
        Eigenvalues of a symmetric float64 matrix; LAPACK's by default.

    Returns
    -------
    Measured
        With status ``success``; ``zero`` where all eigenvalues are, ``too few eigenvalues``
        for a fit, or ``no tail``: alpha and what rests on it is then ``nan``.
    """
    values = _eigenvalues(layer, settings, solve)
    twin = _twin(layer, values, settings, solve)
    n, m = max(layer.slices[0].shape), min(layer.slices[0].shape)
    matrices = layer.slices if settings.vectors else ()
    rounded = 0.0 if layer.product else roundoff(layer.dtype)  # a product is not stored
    s = Spectrum(values, n, m, rounded, settings, twin, matrices, entries_of(layer))
    metrics = {metric.name: metric.compute(s) for metric in columns(settings)}
    shuffled = np.concatenate(twin.eigenvalues) if twin else None
    measurement = Measurement(
        status=_status(s),
        n=n,
        m=m,
        num_evals=s.eigenvalues.size,
        metrics=metrics,
        traps=twin.traps if twin else (),
        spectrum=histogram(s.eigenvalues, shuffled),
        phase=phase_of(s, metrics),
    )
    return Measured(measurement, values)


def _eigenvalues(layer: Layer, settings: Settings, solve: Eigensolver) -> tuple[FloatArray, ...]:
    """Of every slice, in the units of the convention."""
    found = spectra(layer.slices, solve, precision=settings.precision)
    factor = _factor(layer, settings)
    return tuple(factor * values for values in found) if factor != 1.0 else found


def _factor(layer: Layer, settings: Settings) -> float:
    """What the convention multiplies eigenvalues by."""
    if settings.convention != "weightwatcher" or layer.kind != "conv2d":
        return 1.0
    return HALF if settings.pool else HALF * math.prod(layer.shape[2:])


def _twin(
    layer: Layer, values: tuple[FloatArray, ...], settings: Settings, solve: Eigensolver
) -> Twin | None:
    """The layer with its entries in random order, where one is wanted and means something.

    Of two factors it does not: the entries of their product are not drawn one by one.
    """
    if not settings.randomize or layer.product or not any(v[-1] > 0.0 for v in values):
        return None
    if settings.convention == "weightwatcher":
        return reference_twin(
            layer.slices,
            _factor(layer, settings),
            components=math.prod(layer.shape) // max(layer.slices[0].shape),
            seed=settings.seed,
            solve=solve,
        )
    if min(layer.slices[0].shape) < 2:
        return None
    return random_twin(layer.slices, values, seed=settings.seed, solve=solve)


def _status(s: Spectrum) -> str:
    if s.largest == 0.0:
        return "zero"
    if s.eigenvalues.size < s.settings.min_evals:
        return "too few eigenvalues"
    return "success" if s.tail else "no tail"
