"""What may not change the numbers of a layer, from its weights to its columns."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from auditor.audit import measure
from auditor.records import Layer, Measurement, Settings, Skip
from auditor.spectral.matrices import cut
from tests.parity.models import trained

Array = NDArray[Any]

OURS = Settings(bootstrap=10)
SPECTRAL = Settings(bootstrap=10, randomize=False)  # what entries do not enter
CONVENTIONS = ["auditor", "weightwatcher"]
COUNTS = {"matrix_rank", "rank_loss", "weak_rank_loss_rel", "num_pl_spikes", "num_spikes"}
NOISY = {"pl_pvalue", "alpha_sd", "alpha_lo", "alpha_hi"}  # ties of D fall either way in a refit

few = settings(deadline=None, derandomize=True, max_examples=25)
seeds = st.integers(0, 2**32 - 1)
shapes = st.sampled_from([(60, 40), (40, 60), (30, 30), (24, 16, 3, 3), (12, 20, 5)])


def measured(array: Array, given: Settings = OURS) -> Measurement:
    layer = cut("blocks.0.weight", array, array.dtype.name)
    assert isinstance(layer, Layer)
    return measure(layer, given).measurement


def rotation(rng: np.random.Generator, side: int) -> Array:
    return np.linalg.qr(rng.normal(size=(side, side)))[0]


def assert_alike(found: Measurement, expected: Measurement, *, rel: float = 1e-6) -> None:
    """Equal status, shape and counts, other numbers to rounding."""
    assert (found.status, found.n, found.m) == (expected.status, expected.n, expected.m)
    assert found.metrics.keys() == expected.metrics.keys()
    for name, value in expected.metrics.items():
        close = 0.0 if name in COUNTS else 1e-3 if name in NOISY else rel
        wanted = pytest.approx(value, rel=close, abs=1e-9 * (close > 0), nan_ok=True)
        assert found.metrics[name] == wanted, name


@pytest.mark.parametrize("convention", CONVENTIONS)
@few
@given(seed=seeds, shape=shapes)
def test_the_order_of_outputs_and_inputs_changes_no_number(convention, seed, shape):
    rng = np.random.default_rng(seed)
    given = replace(OURS, convention=convention, randomize=convention == "auditor")
    weights = trained(rng, *shape)
    mixed = rng.permutation(rng.permutation(weights, axis=0), axis=1)
    assert_alike(measured(mixed, given), measured(weights, given))


@pytest.mark.parametrize("convention", CONVENTIONS)
@few
@given(seed=seeds, sides=st.tuples(st.integers(2, 60), st.integers(2, 60)))
def test_rotating_inputs_and_outputs_changes_no_number_of_the_spectrum(convention, seed, sides):
    rng = np.random.default_rng(seed)
    given = replace(SPECTRAL, convention=convention)
    weights = trained(rng, *sides)
    turned = rotation(rng, sides[0]) @ weights @ rotation(rng, sides[1])
    assert_alike(measured(turned, given), measured(weights, given))


@few
@given(seed=seeds)
def test_the_order_of_kernel_positions_changes_no_number_of_the_spectrum(seed):
    rng = np.random.default_rng(seed)
    weights = trained(rng, 24, 16, 3, 3)
    for other in (weights[..., ::-1], weights.swapaxes(2, 3), np.rot90(weights, axes=(2, 3))):
        assert_alike(measured(other, SPECTRAL), measured(weights, SPECTRAL))


@few
@given(seed=seeds, shape=shapes, power=st.integers(-20, 20))
def test_a_power_of_two_scales_norms_exactly_and_changes_nothing_else(seed, shape, power):
    weights = trained(np.random.default_rng(seed), *shape)
    first, scaled = measured(weights), measured(weights * 2.0**power)
    assert scaled.metrics["norm"] == first.metrics["norm"] * 4.0**power
    assert scaled.metrics["sv_max"] == first.metrics["sv_max"] * 2.0**power
    for name in ("alpha", "alpha_lo", "alpha_hi", "D", "num_pl_spikes", "matrix_rank", "entropy"):
        assert scaled.metrics[name] == first.metrics[name], name


@few
@given(seed=seeds, shape=shapes, is_strided=st.booleans())
def test_how_values_lie_in_memory_changes_nothing(seed, shape, is_strided):
    weights = trained(np.random.default_rng(seed), *shape)
    other = np.repeat(weights, 2, axis=0)[::2] if is_strided else np.asfortranarray(weights)
    assert_alike(measured(other), measured(weights), rel=1e-12)


def test_two_runs_give_the_same_numbers_to_the_last_bit(rng):
    weights = trained(rng, 48, 32, 3, 3)
    assert repr(measured(weights)) == repr(measured(weights.copy()))


@pytest.mark.wide
@pytest.mark.parametrize("shape", [(768, 768), (2304, 768), (256, 256, 3, 3)])
def test_the_number_of_threads_changes_no_number(shape, rng):
    weights = trained(rng, *shape).astype(np.float32)
    found = {}
    for threads in (1, 2):
        with threadpool_limits(threads):
            found[threads] = measured(weights)
    assert_alike(found[2], found[1])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("shape", [(30, 20), (8, 6, 3, 3), (1, 30)])
def test_one_value_that_is_no_number_is_counted_and_nothing_measured(bad, shape, rng):
    weights = rng.normal(size=shape)
    weights[(0,) * len(shape)] = bad
    found = cut("blocks.0.weight", weights, "float64")
    assert isinstance(found, Skip)
    assert (found.reason, found.non_finite) == ("non-finite", 1)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("shape", [(30, 20), (8, 6, 3, 3), (1, 30), (30, 1), (1, 1)])
def test_zeros_and_single_rows_have_norms_and_no_fit(convention, shape, rng):
    given = replace(SPECTRAL, convention=convention)
    zeros, thin = measured(np.zeros(shape), given), measured(rng.normal(size=shape), given)
    assert (zeros.status, zeros.metrics["norm"]) == ("zero", 0.0)
    assert math.isnan(zeros.metrics["alpha"])
    assert thin.metrics["norm"] > 0.0
    assert math.isnan(thin.metrics["alpha"]) == (thin.num_evals < given.min_evals)
    for found in (zeros, thin):
        assert not any(math.isinf(value) for value in found.metrics.values())


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_rows_that_come_twice_double_eigenvalues_and_leave_alpha(convention, rng):
    given = replace(SPECTRAL, convention=convention)
    weights = trained(rng, 60, 40)
    once, twice = measured(weights, given), measured(np.concatenate((weights, weights)), given)
    assert twice.metrics["norm"] == pytest.approx(2 * once.metrics["norm"])
    assert twice.metrics["alpha"] == pytest.approx(once.metrics["alpha"])
    assert twice.metrics["matrix_rank"] == once.metrics["matrix_rank"] == 40


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_columns_that_come_twice_are_no_further_dimensions(convention, rng):
    given = replace(SPECTRAL, convention=convention)
    weights = trained(rng, 90, 40)
    doubled = measured(np.concatenate((weights, weights), axis=1), given)
    assert doubled.metrics["matrix_rank"] == 40
    assert doubled.metrics["rank_loss"] == 40
    assert doubled.metrics["alpha"] == pytest.approx(measured(weights, given).metrics["alpha"])


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_one_direction_has_rank_one_and_no_tail(convention, rng):
    found = measured(
        np.outer(rng.normal(size=40), rng.normal(size=30)), replace(SPECTRAL, convention=convention)
    )
    assert found.status == "no tail"
    assert found.metrics["matrix_rank"] == 1
    assert found.metrics["stable_rank"] == pytest.approx(1.0)
    assert math.isnan(found.metrics["alpha"])
