import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from auditor import metrics
from auditor.audit import measure
from auditor.records import Layer, Measurement, Settings
from auditor.spectral.eigenvalues import lapack
from auditor.spectral.matrices import cut

Array = NDArray[Any]

OURS = Settings()
REFERENCE = Settings(convention="weightwatcher")
SCALE_DEPENDENT = {
    metric.name
    for metric in metrics.ALL
    if "weight" in metric.unit or metric.name == "weak_rank_loss"
} | {"alpha_weighted", "log_alpha_norm"}


def layer(array: Array, name: str = "blocks.0.weight", dtype: str = "") -> Layer:
    found = cut(name, array, dtype or array.dtype.name)
    assert isinstance(found, Layer)
    return found


def measured(array: Array, settings: Settings = OURS, **about: str) -> Measurement:
    return measure(layer(array, **about), settings).measurement


@pytest.fixture
def trained(rng):
    """Noise and, on top of it, directions whose strengths fall as a power."""
    n, m = 90, 60
    left, right = (np.linalg.qr(rng.normal(size=(side, m)))[0] for side in (n, m))
    return rng.normal(size=(n, m)) + (left * (40.0 / np.arange(1, m + 1))) @ right.T


def test_a_layer_gets_every_column_its_shape_and_its_spectrum(trained):
    found = measure(layer(trained), OURS)
    measurement = found.measurement
    assert measurement.status == "success"
    assert (measurement.n, measurement.m, measurement.num_evals) == (90, 60, 60)
    assert list(measurement.metrics) == [metric.name for metric in metrics.columns(OURS)]
    assert all(type(value) is float for value in measurement.metrics.values())
    undefined = {name for name, value in measurement.metrics.items() if not math.isfinite(value)}
    assert undefined <= {"pl_pvalue", "kurtosis"}  # of layers judged, of random-like ones
    assert [values.shape for values in found.eigenvalues] == [(60,)]
    assert measurement.spectrum is not None
    assert measurement.spectrum.twin


def test_slices_keep_their_own_eigenvalues_and_are_pooled_in_numbers(rng):
    found = measure(layer(rng.normal(size=(8, 6, 3, 3))), OURS)
    assert [values.shape for values in found.eigenvalues] == [(6,)] * 9
    pooled = np.concatenate(found.eigenvalues)
    assert found.measurement.num_evals == pooled.size
    assert found.measurement.metrics["norm"] == pytest.approx(pooled.sum())
    assert found.measurement.metrics["lambda_max"] == pooled.max()


def test_the_same_values_give_the_same_numbers_under_any_name(trained):
    first = measured(trained, name="a.0.weight")
    assert measured(trained.copy(), name="b.7.other") == first


def test_orientation_changes_no_number(trained):
    first, turned = measured(trained), measured(trained.T.copy())
    for name, value in first.metrics.items():
        assert turned.metrics[name] == pytest.approx(value, rel=1e-7, nan_ok=True), name


@pytest.mark.parametrize("scale", [1e-6, 2.0**-30, 1e5])
def test_scale_changes_only_what_is_in_units_of_weight(scale, trained):
    first, scaled = measured(trained), measured(scale * trained)
    assert scaled.status == first.status
    for name in first.metrics.keys() - SCALE_DEPENDENT:
        expected = pytest.approx(first.metrics[name], rel=1e-6, nan_ok=True)
        assert scaled.metrics[name] == expected, name
    assert scaled.metrics["norm"] == pytest.approx(scale**2 * first.metrics["norm"])


def test_the_seed_changes_what_is_drawn_and_nothing_else(trained):
    first, other = measured(trained), measured(trained, replace(OURS, seed=1))
    assert other.metrics["alpha"] == first.metrics["alpha"]
    assert other.metrics["alpha_sd"] != first.metrics["alpha_sd"]
    assert other.metrics["max_rand_eval"] != first.metrics["max_rand_eval"]


def test_the_stored_type_decides_what_counts_as_rounding():
    w = np.diag(np.concatenate((np.ones(20), np.full(20, 1e-4))))
    assert measured(w, dtype="float64").metrics["matrix_rank"] == 40.0
    assert measured(w, dtype="bfloat16").metrics["matrix_rank"] == 20.0


def test_a_layer_of_zeros_has_status_zero_and_no_logarithm():
    found = measured(np.zeros((20, 10), np.float32))
    assert found.status == "zero"
    assert (found.metrics["norm"], found.metrics["matrix_rank"]) == (0.0, 0.0)
    assert math.isnan(found.metrics["log_spectral_norm"])
    assert math.isnan(found.metrics["alpha"])
    assert (found.traps, found.spectrum) == ((), None)


@pytest.mark.parametrize("shape", [(7, 30), (1, 30), (30, 1), (1, 1)])
def test_too_few_eigenvalues_leave_only_the_fit_undefined(shape, rng):
    found = measured(rng.normal(size=shape))
    assert found.status == "too few eigenvalues"
    assert math.isnan(found.metrics["alpha"])
    assert math.isnan(found.metrics["alpha_hill"])
    assert found.metrics["norm"] > 0.0
    assert found.metrics["matrix_rank"] == min(shape)


def test_a_matrix_of_rank_one_has_no_tail(rng):
    found = measured(np.outer(rng.normal(size=40), rng.normal(size=30)))
    assert found.status == "no tail"
    assert found.metrics["matrix_rank"] == 1.0
    assert found.metrics["entropy"] == 0.0
    assert math.isnan(found.metrics["alpha"])


@pytest.mark.parametrize("w", [np.eye(40), np.tile(np.eye(20), (2, 1)), np.ones((30, 20))])
def test_equal_eigenvalues_have_no_tail(w):
    assert measured(w).status == "no tail"


@pytest.mark.parametrize("n", [64, 96])
def test_an_orthogonal_layer_has_no_tail(n, rng):
    assert measured(np.linalg.qr(rng.normal(size=(n, 64)))[0]).status == "no tail"


@pytest.mark.parametrize("shape", [(12, 10), (12, 10, 3), (12, 10, 3, 3)])
def test_the_reference_halves_eigenvalues_of_two_dimensional_convolutions_only(shape, rng):
    w = rng.normal(size=shape)
    ours, theirs = measured(w).metrics["norm"], measured(w, REFERENCE).metrics["norm"]
    assert theirs == pytest.approx(ours / 2 if len(shape) == 4 else ours)


def test_without_a_twin_there_are_no_traps_and_no_columns_of_it(trained):
    found = measured(trained, replace(OURS, randomize=False))
    assert "num_traps" not in found.metrics
    assert found.traps == ()
    assert found.spectrum is not None
    assert found.spectrum.twin == ()


def test_a_planted_huge_entry_is_a_trap_that_is_named(rng):
    w = rng.normal(size=(80, 50))
    w[17, 31] = 60.0
    found = measured(w)
    assert found.metrics["num_traps"] >= 1.0
    assert (17, 31, 60.0) in found.traps[0].entries


def test_the_eigensolver_is_the_callers(trained):
    asked = []

    def solve(gram):
        asked.append(gram.shape[-1])
        return lapack(gram)

    assert measure(layer(trained), OURS, solve).measurement == measured(trained)
    assert set(asked) == {60}
