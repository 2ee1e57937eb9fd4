import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from auditor.metrics.rank import (
    entropy,
    matrix_rank,
    rank_loss,
    stable_rank,
    weak_rank_loss,
    weak_rank_loss_rel,
)
from tests.metrics.spectra import of, spectrum
from tests.spectral import oracles


def rounded(w: NDArray[Any], dtype: str) -> NDArray[Any]:
    """`w` as it is stored; bfloat16 keeps the upper half of a float32."""
    if dtype != "bfloat16":
        return w.astype(dtype)
    bits = np.ascontiguousarray(w, np.float32).view(np.uint32)
    return ((bits + 0x8000) & 0xFFFF0000).view(np.float32)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_identity_uses_every_dimension_evenly(n):
    s = spectrum(np.eye(n))
    assert (stable_rank(s), matrix_rank(s), entropy(s)) == pytest.approx((n, n, 1.0))
    assert rank_loss(s) == 0.0


def test_a_layer_of_zeros_has_rank_zero_and_no_evenness():
    s = spectrum(np.zeros((3, 4)))
    assert (matrix_rank(s), rank_loss(s), weak_rank_loss(s)) == (0.0, 3.0, 3.0)
    assert all(math.isnan(metric(s)) for metric in (stable_rank, entropy, weak_rank_loss_rel))


@oracles.steady
@given(w=oracles.weights)
def test_ranks_are_bounded_and_blind_to_scale_and_transposition(w):
    s, other = spectrum(w), spectrum(-3.0 * w.T)
    assert matrix_rank(s) == matrix_rank(other) == np.linalg.matrix_rank(w)
    assert matrix_rank(s) + rank_loss(s) == min(w.shape)
    if not w.any():
        return
    assert 1 - 1e-12 <= stable_rank(s) <= matrix_rank(s) + 1e-9
    assert -1e-12 <= entropy(s) <= 1 + 1e-12
    assert stable_rank(other) == pytest.approx(stable_rank(s), rel=1e-9)
    assert entropy(other) == pytest.approx(entropy(s), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_finds_the_planted_rank_through_the_rounding_of_the_stored_type(dtype, rng):
    w = rng.normal(size=(256, 5)) @ rng.normal(size=(5, 192))
    assert matrix_rank(spectrum(rounded(w, dtype), dtype=dtype)) == 5
    full = rounded(rng.normal(size=(256, 192)), dtype)
    assert matrix_rank(spectrum(full, dtype=dtype)) == 192


def test_the_rounding_of_bfloat16_would_hide_a_planted_rank_from_the_reference(rng):
    w = rounded(rng.normal(size=(64, 5)) @ rng.normal(size=(5, 48)), "bfloat16")
    assert matrix_rank(spectrum(w, dtype="bfloat16")) == 5
    assert matrix_rank(spectrum(w, dtype="bfloat16", convention="weightwatcher")) == 48


def test_slices_lose_rank_one_by_one():
    s = spectrum(np.diag([1.0, 1.0, 0.0]), np.diag([1e-9, 1e-9, 1e-9]))
    assert (matrix_rank(s), rank_loss(s)) == (2.0 + 3.0, 1.0)


def test_weak_directions_are_counted_in_units_and_relative_to_the_largest():
    values = np.array([1e-9, 1e-5, 1.0, 100.0])
    assert weak_rank_loss(of(values)) == 1.0
    assert weak_rank_loss_rel(of(values)) == 2.0
    assert weak_rank_loss(of(1e-7 * values)) == 3.0
    assert weak_rank_loss_rel(of(1e-7 * values)) == 2.0


def test_entropy_is_shannons_over_its_maximum(rng):
    values = rng.random(20)
    p = values / values.sum()
    printed = -sum(x * math.log(x) for x in p) / math.log(20)
    assert entropy(of(values)) == pytest.approx(printed, rel=1e-12)


def test_entropy_of_one_direction_is_zero(rng):
    assert entropy(spectrum(np.ones((1, 5)))) == 0.0
    assert entropy(spectrum(np.outer(rng.normal(size=6), rng.normal(size=4)))) == 0.0


def test_zeros_add_nothing_to_entropy_but_count_in_its_maximum():
    values = np.array([0.0, 0.0, 1.0, 1.0])
    assert entropy(of(values)) == pytest.approx(math.log(2) / math.log(4))
    assert entropy(of(values, convention="weightwatcher")) == pytest.approx(1.0, abs=1e-7)
