import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.records import Settings
from auditor.spectral.eigenvalues import lapack, spectra
from auditor.spectral.powerlaw import fit_tail
from auditor.spectral.similarity import subspace_overlap
from auditor.spectral.twin import random_twin
from auditor.transforms import sharpened, smoothed
from tests.spectral.oracles import pareto, steady, weights


def orthogonal(rng, n):
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


def with_singular_values(rng, sizes, rows):
    cols = len(sizes)
    return orthogonal(rng, rows)[:, :cols] * sizes @ orthogonal(rng, cols)


def singular(matrix):
    return np.linalg.svd(matrix, compute_uv=False)


def rank(matrix):
    return int(np.count_nonzero(singular(matrix) > 1e-9 * singular(matrix)[0]))


# --- smooth -------------------------------------------------------------------------------


@steady
@given(weights, st.integers(1, 10))
def test_the_error_of_rank_k_is_that_of_eckart_and_young(matrix, k):
    [found] = smoothed([matrix], k)
    left_out = singular(matrix)[k:]
    assert np.linalg.norm(matrix - found) == pytest.approx(math.hypot(0.0, *left_out), abs=1e-9)
    assert np.linalg.norm(matrix - found, 2) == pytest.approx(max([0.0, *left_out]), abs=1e-9)


@steady
@given(weights, st.integers(1, 10))
def test_smoothing_again_changes_nothing(matrix, k):
    [once] = smoothed([matrix], k)
    [twice] = smoothed([once], k)
    np.testing.assert_allclose(twice, once, atol=1e-9)


def test_every_slice_gets_the_rank_that_was_asked_for(rng):
    slices = list(rng.standard_normal((3, 9, 6)))
    assert [rank(found) for found in smoothed(slices, 2)] == [2, 2, 2]


def test_a_slice_that_loses_nothing_stays_bit_by_bit(rng):
    slices = list(rng.standard_normal((2, 9, 6)).astype(np.float32))
    for keep in (6, 7, 1.0):
        assert all(found is w for found, w in zip(smoothed(slices, keep), slices, strict=True))


@pytest.mark.parametrize(
    ("share", "kept"), [(0.1, 1), (0.63, 1), (0.65, 2), (0.9, 2), (0.97, 3), (1.0, 4)]
)
def test_a_share_keeps_the_fewest_eigenvalues_that_hold_it(rng, share, kept):
    matrix = with_singular_values(rng, np.sqrt([64.0, 30.0, 5.0, 1.0]), 12)
    [found] = smoothed([matrix], share)
    assert rank(found) == kept
    assert (found**2).sum() >= share * (matrix**2).sum() * (1 - 1e-12)


def test_a_share_is_of_all_slices_together(rng):
    strong = with_singular_values(rng, np.array([10.0, 9.0, 8.0]), 6)
    weak = with_singular_values(rng, np.array([1.0, 0.5, 0.1]), 6)
    one, two = smoothed([strong, weak], 0.99)
    assert one is strong
    assert not two.any()


def test_alpha_min_keeps_the_tail_of_the_fit(rng):
    values = np.sort(np.concatenate([pareto(rng, 60, 2.5, xmin=5.0), rng.uniform(0.1, 4.0, 140)]))
    matrix = with_singular_values(rng, np.sqrt(values), 300)
    tail = fit_tail(np.sort(singular(matrix) ** 2), n=300, settings=Settings())
    assert tail is not None
    [found] = smoothed([matrix], "alpha_min")
    assert rank(found) == tail.size < 200


def test_detx_keeps_the_largest_up_to_where_their_product_is_one(rng):
    values = np.sort(rng.lognormal(0.0, 2.0, 50))[::-1]
    matrix = with_singular_values(rng, np.sqrt(values), 60)
    products = np.cumprod(values / values.mean())
    [found] = smoothed([matrix], "detX")
    assert rank(found) == int(np.argmax(products < 1.0)) + 1


@pytest.mark.parametrize(
    ("matrix", "keep"),
    [(np.eye(12), "detX"), (np.eye(12), "alpha_min"), (np.arange(12.0).reshape(4, 3), "alpha_min")],
    ids=["all equal", "no tail", "few eigenvalues"],
)
def test_a_layer_for_which_the_rule_is_undefined_stays(matrix, keep):
    assert smoothed([matrix], keep)[0] is matrix


@pytest.mark.parametrize("scale", [2.0**-500, 2.0**400])
@pytest.mark.parametrize("keep", [2, 0.8, "alpha_min", "detX"])
def test_smoothing_scales_with_the_weights(rng, scale, keep):
    matrix = with_singular_values(rng, np.sqrt(pareto(rng, 30, 2.0)), 40)
    [plain], [scaled] = smoothed([matrix], keep), smoothed([scale * matrix], keep)
    np.testing.assert_allclose(scaled / scale, plain, rtol=1e-9, atol=1e-12)


# --- sharpen ------------------------------------------------------------------------------


def trapped(rng, shape=(300, 200), size=60.0):
    """A signal of rank 3 in noise, and one huge entry that has nothing to do with it."""
    left, right = orthogonal(rng, shape[0])[:, :3], orthogonal(rng, shape[1])[:3]
    clean = 100.0 * left @ right + rng.standard_normal(shape)
    weight = clean.copy()
    weight[17, 42] += size
    return clean, weight


def traps(matrix):
    twin = random_twin([matrix], spectra([matrix]), seed=0, solve=lapack)
    return twin.traps


@pytest.mark.parametrize("shape", [(300, 200), (200, 300)])
def test_a_planted_trap_is_gone_and_the_signal_is_there(rng, shape):
    clean, weight = trapped(rng, shape)
    [found] = sharpened([weight], seed=0)
    assert len(traps(weight)) == 1
    assert traps(found) == ()
    assert abs(found[17, 42]) < 5.0
    assert subspace_overlap([clean], [found], [3]) > 0.99
    strongest = [singular(w)[:3] for w in (clean, found)]
    assert strongest[1] == pytest.approx(strongest[0], rel=0.03)
    assert np.linalg.norm(found - clean) < 0.15 * np.linalg.norm(clean)


def test_the_top_of_the_original_is_not_what_is_removed(rng):
    _, weight = trapped(rng)
    [found] = sharpened([weight], seed=0)
    assert singular(found)[0] > 0.95 * singular(weight)[0]


def test_a_matrix_without_traps_stays_bit_by_bit(rng):
    signal = trapped(rng)[0].astype(np.float32)
    few = rng.standard_normal((1, 40))
    for matrix in (signal, few, np.zeros((9, 9)), np.full((9, 9), 3.0)):
        assert sharpened([matrix], seed=0)[0] is matrix


def test_only_the_slice_with_the_trap_changes(rng):
    before, after = rng.standard_normal((2, 60, 50))
    _, weight = trapped(rng, (60, 50), size=40.0)
    found = sharpened([before, weight, after], seed=0)
    assert found[0] is before
    assert found[2] is after
    assert abs(found[1][17, 42]) < 10.0


def test_the_mean_of_the_entries_stays_and_is_no_trap(rng):
    shifted = rng.standard_normal((80, 60)) + 5.0
    assert sharpened([shifted], seed=0)[0] is shifted
    shifted[3, 4] += 50.0
    [found] = sharpened([shifted], seed=0)
    assert found.mean() == pytest.approx(5.0, abs=0.1)
    assert found[3, 4] == pytest.approx(5.0, abs=5.0)


@pytest.mark.parametrize("scale", [2.0**-400, 2.0**400])
def test_sharpening_scales_with_the_weights(rng, scale):
    _, weight = trapped(rng)
    [plain], [scaled] = sharpened([weight], seed=0), sharpened([scale * weight], seed=0)
    assert np.array_equal(scaled, scale * plain)


def test_the_seed_chooses_the_order_and_nothing_else(rng):
    _, weight = trapped(rng)
    [one], [same], [other] = (sharpened([weight], seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.linalg.norm(one - other) < 0.15 * np.linalg.norm(one)
