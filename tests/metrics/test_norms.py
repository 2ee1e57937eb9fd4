import math

import numpy as np
import pytest
from hypothesis import given

from auditor.metrics.norms import (
    lambda_max,
    log_norm,
    log_spectral_norm,
    norm,
    spectral_norm,
    sv_max,
    sv_min,
)
from tests.metrics.spectra import spectrum
from tests.spectral import oracles

NORMS = [norm, spectral_norm, lambda_max]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (norm, 9.0 + 16.0),
        (log_norm, math.log10(25.0)),
        (spectral_norm, 16.0),
        (lambda_max, 16.0),
        (log_spectral_norm, math.log10(16.0)),
        (sv_max, 4.0),
        (sv_min, 3.0),
    ],
    ids=lambda f: getattr(f, "__name__", ""),
)
def test_diagonal_matrix_shows_what_is_meant(metric, value):
    assert metric(spectrum(np.diag([3.0, -4.0]))) == pytest.approx(value)


@oracles.steady
@given(w=oracles.weights)
def test_norms_are_those_of_the_textbook(w):
    s = spectrum(w)
    assert norm(s) == pytest.approx(np.linalg.norm(w) ** 2, rel=1e-12)
    assert sv_max(s) == pytest.approx(np.linalg.norm(w, 2), rel=1e-9)
    assert sv_min(s) == pytest.approx(np.linalg.norm(w, -2), abs=1e-6 * sv_max(s))


@pytest.mark.parametrize("metric", NORMS, ids=lambda f: f.__name__)
def test_scaling_the_weights_scales_a_norm_by_the_square(metric, rng):
    w = rng.normal(size=(6, 9))
    assert metric(spectrum(-3.0 * w.T)) == pytest.approx(9.0 * metric(spectrum(w)))


def test_slices_add_to_the_norm_and_the_extremes_are_those_of_all():
    s = spectrum(np.diag([1.0, 2.0]), np.diag([5.0, 0.5]))
    assert norm(s) == pytest.approx(1.0 + 4.0 + 25.0 + 0.25)
    assert (sv_max(s), sv_min(s)) == pytest.approx((5.0, 0.5))


def test_a_layer_of_zeros_has_norm_zero_and_no_logarithm():
    s = spectrum(np.zeros((3, 4)))
    assert (norm(s), spectral_norm(s), sv_max(s), sv_min(s)) == (0.0, 0.0, 0.0, 0.0)
    assert math.isnan(log_norm(s))
    assert math.isnan(log_spectral_norm(s))
