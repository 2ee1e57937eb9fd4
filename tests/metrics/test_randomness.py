import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from auditor.metrics import randomness
from auditor.records import FloatArray, Matrix
from auditor.spectral.eigenvalues import lapack
from auditor.spectral.spectrum import Spectrum
from auditor.spectral.twin import random_twin
from tests.metrics.spectra import spectrum

TWINS = (
    *randomness.TWIN_METRICS,
    *randomness.OWN_TWIN_METRICS,
    *randomness.REFERENCE_TWIN_METRICS,
)
OURS = (*randomness.BULK_METRICS, *randomness.TWIN_METRICS, *randomness.OWN_TWIN_METRICS)


def spectrum_of(*slices: Matrix) -> Spectrum:
    bare = spectrum(*slices)
    return replace(bare, twin=random_twin(slices, bare.slices, seed=0, solve=lapack))


def row(s: Spectrum) -> dict[str, float]:
    return {metric.name: metric.compute(s) for metric in OURS}


def planted(rng: np.random.Generator, strength: float) -> FloatArray:
    """Noise of σ = 1 and one singular value in units of the detection threshold."""
    left, right = (np.linalg.qr(rng.standard_normal((k, 1)))[0][:, 0] for k in (128, 96))
    signal: FloatArray = strength * (128 * 96) ** 0.25 * np.outer(left, right)
    return signal + rng.standard_normal((128, 96))


def test_noise_has_the_numbers_of_noise(rng):
    found = row(spectrum_of(rng.standard_normal((200, 100))))
    low, high = ((math.sqrt(200) + sign * math.sqrt(100)) ** 2 for sign in (-1, 1))
    assert found["num_spikes"] == 0.0
    assert found["sigma_mp"] == pytest.approx(1.0, rel=0.02)
    assert found["bulk_min"] == pytest.approx(low, rel=0.05)
    assert found["bulk_max"] == pytest.approx(high, rel=0.05)
    assert found["max_rand_eval"] == pytest.approx(high, rel=0.08)
    assert found["mp_softrank"] == pytest.approx(1.0, rel=0.08)
    assert found["ww_softrank"] == pytest.approx(1.0, rel=0.08)
    assert found["trap_strength"] < 1.0
    assert found["num_traps"] == 0.0
    assert found["random_like"] == 1.0
    assert found["kurtosis"] == pytest.approx(3.0, abs=4.0 * math.sqrt(24 / 20_000))


def test_a_planted_spike_shows_in_every_column_it_should(rng):
    found = row(spectrum_of(planted(rng, 10.0)))
    assert found["num_spikes"] == 1.0
    assert found["num_traps"] == 0.0
    assert found["random_like"] == 0.0
    assert math.isnan(found["kurtosis"])
    # [Benaych-Georges & Nadakuditi 2012]: θ = 10 thresholds becomes λ = (θ² + n)(θ² + m)/θ²
    square = 100.0 * math.sqrt(128 * 96)
    top = (square + 128) * (square + 96) / square
    assert found["ww_softrank"] == pytest.approx(found["max_rand_eval"] / top, rel=0.1)
    assert found["ww_maxdist"] == pytest.approx(top - found["max_rand_eval"], rel=0.1)
    assert found["mp_softrank"] == pytest.approx((128**0.5 + 96**0.5) ** 2 / top, rel=0.1)


def test_a_huge_entry_shows_as_a_trap(rng):
    w = rng.standard_normal((128, 96))
    w[3, 4] = 100.0
    found = row(spectrum_of(w))
    assert found["num_traps"] == 1.0
    edge = (128**0.5 + 96**0.5) ** 2
    assert found["trap_strength"] == pytest.approx(1e4 / edge, rel=0.1)


def test_distance_from_the_twin_is_that_of_sorted_vectors(rng):
    s = spectrum_of(*(planted(rng, 4.0) for _ in range(3)))
    assert s.twin is not None
    ours, theirs = np.sort(np.concatenate(s.slices)), np.sort(np.concatenate(s.twin.eigenvalues))
    expected = jensenshannon(ours, theirs)
    assert randomness.rand_distance(s) == pytest.approx(expected, rel=1e-9)


def test_a_trained_spectrum_is_farther_from_its_twin_than_noise(rng):
    noise, signal = (spectrum_of(planted(rng, x)) for x in (0.0, 10.0))
    for metric in (randomness.rand_distance, randomness.rand_deviation):
        assert metric(signal) > metric(noise)


def test_bulk_of_a_layer_is_that_of_its_widest_and_narrowest_slice(rng):
    found = row(spectrum_of(*(x * rng.standard_normal((128, 96)) for x in (1.0, 2.0, 4.0))))
    low, high = ((128**0.5 + sign * 96**0.5) ** 2 for sign in (-1, 1))
    assert found["sigma_mp"] == pytest.approx(2.0, rel=0.03)
    assert found["bulk_min"] == pytest.approx(low, rel=0.1)
    assert found["bulk_max"] == pytest.approx(16.0 * high, rel=0.05)


def test_mean_shift_is_in_units_of_the_detection_threshold(rng):
    w = 0.5 + 2.0 * rng.standard_normal((128, 96))
    expected = 0.25 * (128 * 96) ** 0.25
    assert randomness.mean_shift(spectrum_of(w)) == pytest.approx(expected, rel=0.1)


def test_columns_without_a_twin_are_undefined(rng):
    bare = replace(spectrum_of(rng.standard_normal((64, 60))), twin=None)
    undefined = {metric.name for metric in randomness.METRICS if math.isnan(metric.compute(bare))}
    assert undefined == {metric.name for metric in TWINS}


def test_columns_of_a_single_column_have_no_bulk(rng):
    found = row(spectrum_of(rng.standard_normal((64, 1))))
    for name in ("num_spikes", "sigma_mp", "mp_softrank", "bulk_min", "bulk_max", "trap_strength"):
        assert math.isnan(found[name])
    assert found["num_traps"] == 0.0


def test_columns_of_a_zero_layer_are_finite_or_undefined():
    found = row(spectrum_of(np.zeros((64, 60))))
    assert not any(math.isinf(value) for value in found.values())
    assert math.isnan(found["ww_softrank"])
    assert math.isnan(found["rand_distance"])
    assert math.isnan(found["random_like"])


SQUARED = {
    **{"W_scale": -1, "sigma_mp": 1, "bulk_min": 2, "bulk_max": 2},
    **{"max_rand_eval": 2, "ww_maxdist": 2},
}


@effort(max_examples=15, deadline=None)
@given(power=st.integers(-60, 60), seed=st.integers(0, 99))
def test_columns_scale_as_their_units_say_and_forget_orientation(power, seed):
    w = planted(np.random.default_rng(seed), 3.0)[:40, :25]
    plain, turned = row(spectrum_of(w)), row(spectrum_of(2.0**power * w.T))
    for name, value in plain.items():
        expected = value * 2.0 ** (power * SQUARED.get(name, 0))
        assert turned[name] == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), name
