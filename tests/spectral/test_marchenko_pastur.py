import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from auditor.records import FloatArray
from auditor.spectral.marchenko_pastur import Bulk, cdf, edge, fit_bulk, median


def spectrum(matrix: FloatArray) -> FloatArray:
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    values: FloatArray = np.maximum(np.linalg.eigvalsh(tall.T @ tall), 0.0)
    return values


def bulk_of(matrices: list[FloatArray], level: float = 0.05) -> Bulk:
    n, m = sorted(matrices[0].shape, reverse=True)
    bulk = fit_bulk([spectrum(w) for w in matrices], n, m, level=level)
    assert bulk is not None
    return bulk


def spiked(
    rng: np.random.Generator, shape: tuple[int, int], strengths: Sequence[float]
) -> FloatArray:
    """Gaussian noise of σ = 1 and singular values in units of the detection threshold."""
    n, m = shape
    left = np.linalg.qr(rng.standard_normal((n, len(strengths))))[0]
    right = np.linalg.qr(rng.standard_normal((m, len(strengths))))[0]
    signal = np.array(strengths) * (n * m) ** 0.25
    matrix: FloatArray = rng.standard_normal((n, m)) + (left * signal) @ right.T
    return matrix


def density(x: float, y: float) -> float:
    """The Marchenko-Pastur density as it is printed."""
    lower, upper = (1 - math.sqrt(y)) ** 2, (1 + math.sqrt(y)) ** 2
    return math.sqrt(max(0.0, (upper - x) * (x - lower))) / (2 * math.pi * y * x)


# --- the law ------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [1.0, 0.999, 0.7, 0.2, 0.01, 1e-4, 5e-7])
@pytest.mark.parametrize("part", [0.05, 0.3, 0.5, 0.95])
def test_distribution_function_is_the_integral_of_the_density(y, part):
    lower, upper = (1 - math.sqrt(y)) ** 2, (1 + math.sqrt(y)) ** 2
    x = lower + part * (upper - lower)
    start = math.log(max(lower, 1e-18))  # in log x, where a lower end near zero is no cliff
    mass, _ = quad(lambda t: density(math.exp(t), y) * math.exp(t), start, math.log(x), limit=200)
    assert cdf(x, y) == pytest.approx(mass, abs=1e-7)


@pytest.mark.parametrize("y", [1.0, 0.5, 0.01, 1e-6])
def test_distribution_function_runs_from_zero_to_one(y):
    assert cdf((1 - math.sqrt(y)) ** 2, y) == pytest.approx(0.0, abs=1e-9)
    assert cdf((1 + math.sqrt(y)) ** 2, y) == pytest.approx(1.0, abs=1e-9)


@settings(deadline=None)
@given(y=st.floats(1e-8, 1.0))
def test_half_of_the_law_lies_below_the_median(y):
    assert cdf(median(y), y) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(("level", "quantile"), [(0.05, 0.979), (0.01, 2.023), (0.001, 3.27)])
def test_edge_is_at_the_tracy_widom_quantile(level, quantile):
    a, b = math.sqrt(299), math.sqrt(200)
    spread = (a + b) * (1 / a + 1 / b) ** (1 / 3)
    assert (edge(300, 200, 1.0, level) - (a + b) ** 2) / spread == pytest.approx(quantile, abs=0.03)


@settings(deadline=None)
@given(level=st.floats(1e-4, 0.2), slices=st.integers(1, 50))
def test_level_of_the_edge_is_that_of_all_slices_together(level, slices):
    alone = 1.0 - (1.0 - level) ** (1.0 / slices)
    assert edge(64, 32, 0.5, level, slices) == pytest.approx(edge(64, 32, 0.5, alone))


def test_edge_is_undefined_for_a_single_row_or_column():
    assert math.isnan(edge(10, 1, 1.0, 0.05))
    assert math.isnan(edge(1, 1, 1.0, 0.05))


# --- the fit ------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(300, 300), (400, 200), (2000, 100), (100, 1000)])
@pytest.mark.parametrize("sigma", [1e-3, 7.0])
def test_sigma_of_noise_is_recovered(rng, shape, sigma):
    bulk = bulk_of([sigma * rng.standard_normal(shape)])
    assert bulk.sigma[0] == pytest.approx(sigma, rel=0.02)
    n, m = max(shape), min(shape)
    assert bulk.upper[0] == pytest.approx(sigma**2 * (math.sqrt(n) + math.sqrt(m)) ** 2, rel=0.04)
    width = 4 * sigma**2 * math.sqrt(n * m)
    assert bulk.upper[0] - bulk.lower[0] == pytest.approx(width, rel=0.04)


@pytest.mark.parametrize("shape", [(300, 300), (600, 150)])
@pytest.mark.parametrize("count", [1, 4, 30])
def test_every_planted_spike_is_found_and_sigma_stays(rng, shape, count):
    bulk = bulk_of([spiked(rng, shape, np.linspace(2.0, 40.0, count).tolist())], level=0.001)
    assert bulk.num_spikes == count
    assert bulk.sigma[0] == pytest.approx(1.0, rel=0.02)


def test_signal_below_the_detection_threshold_makes_no_spike(rng):
    assert bulk_of([spiked(rng, (300, 300), [0.5, 0.5, 0.5])]).num_spikes == 0


@pytest.mark.parametrize("shape", [(64, 64), (256, 64), (64, 12)])
def test_noise_rarely_has_a_spike(rng, shape):
    found = [bulk_of([rng.standard_normal(shape)]).num_spikes > 0 for _ in range(200)]
    assert sum(found) <= 18  # 5 % of 200 and 2.6 standard deviations


@pytest.mark.parametrize("shape", [(16, 16), (16, 8), (12, 10)])
def test_a_layer_of_many_small_slices_of_noise_rarely_has_a_spike(rng, shape):
    layers = [[rng.standard_normal(shape) for _ in range(9)] for _ in range(200)]
    found = [bulk_of(layer).num_spikes > 0 for layer in layers]
    assert sum(found) <= 18  # scaled by the median alone, 29-36 % of such layers have one


@pytest.mark.parametrize("shape", [(16, 16), (32, 8)])
def test_a_strong_spike_is_found_in_a_small_slice_among_others(rng, shape):
    found = 0
    for _ in range(50):
        layer = [rng.standard_normal(shape) for _ in range(8)]
        found += bulk_of([*layer, spiked(rng, shape, [4.0])]).spikes[-1] == 1
    assert found >= 48


def test_slices_of_different_scale_are_each_held_against_their_own_bulk(rng):
    sigmas = np.geomspace(0.01, 0.08, 9)
    bulk = bulk_of([s * rng.standard_normal((96, 96)) for s in sigmas])
    assert bulk.num_spikes <= 1
    assert bulk.sigma == pytest.approx(sigmas, rel=0.04)


def test_a_spike_counts_in_the_slice_that_has_it(rng):
    quiet = 0.01 * spiked(rng, (96, 96), [3.0])
    assert bulk_of([rng.standard_normal((96, 96)), quiet]).spikes == (0, 1)


def test_columns_of_zeros_do_not_move_sigma(rng):
    w = rng.standard_normal((300, 200))
    w[:, ::3] = 0.0
    bulk = bulk_of([w])
    assert bulk.sigma[0] == pytest.approx(1.0, rel=0.02)
    assert bulk.num_spikes == 0


def test_a_slice_without_two_positive_eigenvalues_has_no_bulk(rng):
    rank_one = np.outer(rng.standard_normal(64), rng.standard_normal(64))
    bulk = bulk_of([rank_one, rng.standard_normal((64, 64))])
    assert math.isnan(bulk.sigma[0])
    assert bulk.spikes[0] == 0
    assert bulk.sigma[1] == pytest.approx(1.0, rel=0.04)


@pytest.mark.parametrize("values", [np.zeros(8), np.eye(1, 8, 7)[0]], ids=["zero", "rank 1"])
def test_nothing_is_fitted_where_no_slice_has_a_bulk(values):
    assert fit_bulk([values], 16, 8) is None


def test_nothing_is_fitted_to_a_single_column():
    assert fit_bulk([np.array([3.0])], 16, 1) is None


def test_tiny_slices_claim_no_spikes(rng):
    layers = [[rng.standard_normal((3, 3)) for _ in range(9)] for _ in range(50)]
    assert not any(bulk_of(layer).num_spikes for layer in layers)


@settings(max_examples=30, deadline=None)
@given(exponent=st.floats(-9.0, 9.0), seed=st.integers(0, 999))
def test_spikes_do_not_depend_on_scale_and_sigma_follows_it(exponent, seed):
    values = spectrum(spiked(np.random.default_rng(seed), (60, 40), [3.0, 1.1]))
    scale = 10.0**exponent
    plain, scaled = fit_bulk([values], 60, 40), fit_bulk([values * scale**2], 60, 40)
    assert plain is not None
    assert scaled is not None
    assert scaled.spikes == plain.spikes
    assert scaled.sigma[0] == pytest.approx(plain.sigma[0] * scale, rel=1e-9)
