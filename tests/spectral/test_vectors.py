import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from auditor.spectral.eigenvalues import spectra
from auditor.spectral.vectors import VectorStatistics, vector_statistics

Array = NDArray[Any]


def of(*slices: Array) -> VectorStatistics:
    return vector_statistics(slices, spectra(slices))


def printed(v: Array) -> list[float]:
    """Entropy of the histogram, localisation and participation of a unit vector."""
    sizes = [abs(x) for x in v.tolist()]
    mean = sum(sizes) / len(sizes)
    low, high = min(sizes) - mean, max(sizes) - mean
    counts = [0] * 100
    for x in sizes:
        counts[min(99, int((x - mean - low) / (high - low) * 100))] += 1
    heights = [c / (len(sizes) * (high - low) / 100) + 1e-10 for c in counts]
    p = [h / sum(heights) for h in heights]
    entropy = -sum(x * math.log(x) for x in p)
    fourth = sum(x**4 for x in sizes) ** 0.25
    return [entropy, sum(sizes) / max(sizes), math.sqrt(sum(x * x for x in sizes)) / fourth]


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (30, 30)])
def test_agrees_with_the_singular_vectors_and_the_formulas_as_printed(shape, rng):
    w = rng.normal(size=shape)
    tall = w if shape[0] > shape[1] else w.T
    left, sizes, right = np.linalg.svd(tall, full_matrices=False)
    found = of(w)
    np.testing.assert_allclose(found.eigenvalues, np.sort(sizes**2), rtol=1e-9)
    np.testing.assert_allclose(found.right, [printed(v) for v in right[::-1]], rtol=1e-7)
    np.testing.assert_allclose(found.left, [printed(u) for u in left.T[::-1]], rtol=1e-7)


def test_a_vector_of_one_entry_and_one_of_equal_entries_are_the_two_ends(rng):
    one, spread = np.zeros(16), np.full(16, 0.25)
    one[3] = 1.0
    spread[::2] *= -1.0
    side = np.linalg.qr(rng.normal(size=(40, 2)))[0]
    [[_, loc_spread, part_spread], [_, loc_one, part_one]] = of(
        3.0 * np.outer(side[:, 0], one) + np.outer(side[:, 1], spread - spread[3] * one)
    ).right
    assert (loc_one, part_one) == pytest.approx((1.0, 1.0))
    assert (loc_spread, part_spread) == pytest.approx((15.0, 15**0.25))


def test_a_vector_of_equal_entries_has_no_entropy():
    w = np.outer(np.ones(40), np.tile([1.0, -1.0], 8))
    [[entropy, localisation, participation]] = of(w).right
    assert entropy == pytest.approx(0.0, abs=1e-8)
    assert (localisation, participation) == pytest.approx((16.0, 2.0))


def test_vectors_of_the_null_space_are_left_out(rng):
    w = rng.normal(size=(50, 7)) @ rng.normal(size=(7, 30))
    found = of(w)
    assert found.right.shape == found.left.shape == (7, 3)
    assert of(np.zeros((5, 4))).left.shape == (0, 3)


@pytest.mark.parametrize("scale", [-3.0, 1e-100, 1e100])
def test_scale_and_transposition_change_nothing(scale, rng):
    w = rng.normal(size=(30, 20))
    np.testing.assert_allclose(of(scale * w.T).right, of(w).right, rtol=1e-9)
    np.testing.assert_allclose(of(scale * w.T).left, of(w).left, rtol=1e-9)


def test_slices_keep_their_own_vectors(rng):
    one, two = rng.normal(size=(2, 12, 9))
    both = of(one, two)
    np.testing.assert_array_equal(both.right, np.concatenate([of(one).right, of(two).right]))


def test_a_matrix_wider_than_a_block_gives_the_same_vectors(rng, monkeypatch):
    w = rng.normal(size=(60, 40)).astype(np.float32)
    whole = of(w)
    monkeypatch.setattr("auditor.spectral.vectors.BLOCK", 8 * 60 * 7)
    np.testing.assert_allclose(of(w).left, whole.left, rtol=1e-7)
