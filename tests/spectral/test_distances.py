import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from auditor.records import FloatArray, Matrix
from auditor.spectral.distances import (
    density_distance,
    js_distance,
    spectral_distances,
    weight_distances,
)


def slices(
    rng: np.random.Generator,
    dtype: type[np.floating[Any]] = np.float64,
    shape: tuple[int, int] = (7, 5),
    count: int = 3,
) -> list[Matrix]:
    return [rng.standard_normal(shape).astype(dtype) for _ in range(count)]


def histograms(one: FloatArray, two: FloatArray) -> tuple[list[FloatArray], FloatArray]:
    """Fractions on 100 bins of the joint range of log10, and the middles of the bins."""
    a, b = np.log10(one), np.log10(two)
    grid = np.linspace(min(a.min(), b.min()), max(a.max(), b.max()), 101)
    middles = (grid[1:] + grid[:-1]) / 2
    return [np.histogram(x, grid)[0] / x.size for x in (a, b)], middles


# --- weights ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_weight_distances_are_those_of_the_flattened_layer(rng, dtype):
    before, after = slices(rng, dtype), slices(rng, dtype)
    a, b = (np.concatenate([w.astype(np.float64).ravel() for w in x]) for x in (before, after))
    far = weight_distances(before, after)
    cosine = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert far["delta_W"] == pytest.approx(np.linalg.norm(a - b), rel=1e-12)
    assert far["relative"] == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(a), rel=1e-12)
    assert far["cosine"] == pytest.approx(cosine, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_identical_weights_are_at_distance_exactly_zero(rng, dtype):
    before = slices(rng, dtype, shape=(301, 173))
    far = weight_distances(before, [w.copy() for w in before])
    assert far == {"delta_W": 0.0, "relative": 0.0, "cosine": 0.0}


def test_a_small_rotation_has_an_exact_cosine():
    angle = 1e-7  # 1 - a·b has no correct digit left here
    far = weight_distances([np.array([[1.0, 0.0]])], [np.array([[1.0, angle]])])
    assert far["cosine"] == pytest.approx(angle**2 / 2, rel=1e-6)


@pytest.mark.parametrize(("factor", "cosine"), [(3.0, 0.0), (-3.0, 2.0)])
def test_cosine_depends_on_direction_only(rng, factor, cosine):
    before = slices(rng)
    far = weight_distances(before, [factor * w for w in before])
    assert far["cosine"] == pytest.approx(cosine, abs=1e-12)
    assert far["relative"] == pytest.approx(abs(factor - 1.0))


@pytest.mark.parametrize("scale", [1e-170, 1e-300, 1e150, 1e300])
def test_squares_neither_vanish_nor_overflow(rng, scale):
    before, after = slices(rng), slices(rng)
    plain = weight_distances(before, after)
    scaled = weight_distances([scale * w for w in before], [scale * w for w in after])
    assert scaled["delta_W"] == pytest.approx(scale * plain["delta_W"], rel=1e-9)
    assert scaled["relative"] == pytest.approx(plain["relative"], rel=1e-9)
    assert scaled["cosine"] == pytest.approx(plain["cosine"], rel=1e-9)


def test_distances_from_and_to_zero_are_undefined_where_they_divide_by_it(rng):
    some, none = slices(rng), slices(rng)
    none = [np.zeros_like(w) for w in none]
    away, back, still = (
        weight_distances(*pair) for pair in ((none, some), (some, none), (none, none))
    )
    assert math.isnan(away["relative"])
    assert math.isnan(away["cosine"])
    assert back["relative"] == 1.0
    assert math.isnan(back["cosine"])
    assert still["delta_W"] == 0.0


def test_matrices_larger_than_a_block_are_summed_whole(rng):
    before = [rng.standard_normal((1500, 1000)).astype(np.float32)]
    after = [before[0] + np.float32(0.5)]
    assert weight_distances(before, after)["delta_W"] == pytest.approx(
        0.5 * math.sqrt(1.5e6), rel=1e-6
    )


def test_layers_of_different_shape_are_refused(rng):
    with pytest.raises(ValueError, match="differ in shape"):
        weight_distances(slices(rng), slices(rng, shape=(5, 7)))


# --- spectra ------------------------------------------------------------------------------


def test_spectral_distances_are_those_of_histograms_of_the_logarithm(rng):
    one, two = rng.lognormal(0.0, 1.0, 300), rng.lognormal(0.7, 1.5, 300)
    far = spectral_distances([one[:100], one[100:]], [two[:100], two[100:]], 400)
    (p, q), middles = histograms(one, two)
    assert far["esd_js"] == pytest.approx(jensenshannon(p, q), rel=1e-9)
    moved = wasserstein_distance(middles, middles, p, q)
    assert far["esd_wasserstein"] == pytest.approx(moved, rel=1e-9)


def test_a_spectrum_moved_by_a_decade_is_a_decade_away(rng):
    values = rng.lognormal(0.0, 0.3, 500)
    far = spectral_distances([values], [10.0 * values], 500)
    assert far["esd_wasserstein"] == pytest.approx(1.0, abs=0.03)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=40))
def test_identical_spectra_are_at_distance_exactly_zero(values):
    side = [np.sort(np.array(values))]
    far = spectral_distances(side, side, 50)
    assert far == {"esd_js": 0.0, "esd_wasserstein": 0.0, "esd_zeros": 0.0}


def test_zeros_are_counted_apart_and_are_in_no_bin():
    full = np.array([1.0, 2.0, 3.0, 4.0])
    collapsed = np.array([0.0, 1e-16, 3.0, 4.0])
    far = spectral_distances([full], [collapsed], 4)
    assert far["esd_zeros"] == 2.0
    (p, q), _ = histograms(full, collapsed[2:])
    assert far["esd_js"] == pytest.approx(jensenshannon(p, q))


def test_distance_between_something_and_nothing_is_undefined():
    far = spectral_distances([np.ones(4)], [np.zeros(4)], 4)
    assert math.isnan(far["esd_js"])
    assert math.isnan(far["esd_wasserstein"])
    assert far["esd_zeros"] == 4.0
    assert math.isnan(density_distance(np.zeros(3), np.ones(3), 3))


def test_density_distance_is_the_jensen_shannon_distance_of_the_histograms(rng):
    one, two = rng.lognormal(0.0, 1.0, 200), rng.lognormal(0.2, 1.0, 200)
    (p, q), _ = histograms(one, two)
    assert density_distance(one, two, 300) == pytest.approx(jensenshannon(p, q), rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.floats(0.0, 1e9), st.floats(0.0, 1e9)), min_size=2, max_size=30
    ).filter(lambda pairs: all(sum(side) > 1e-9 for side in zip(*pairs, strict=True)))
)
def test_jensen_shannon_distance_agrees_with_scipy_and_is_bounded(pairs):
    p, q = (np.array(side) for side in zip(*pairs, strict=True))
    ours = js_distance(p, q)
    with np.errstate(invalid="ignore"):  # rounding takes scipy's divergence below zero
        theirs = np.nan_to_num(jensenshannon(p, q))
    assert ours == pytest.approx(theirs, abs=1e-7)
    assert 0.0 <= ours <= math.sqrt(math.log(2.0)) + 1e-12
    assert ours == pytest.approx(js_distance(q, p), abs=1e-9)


def test_jensen_shannon_distance_bears_the_smallest_numbers():
    p, q = np.array([1.0, 5e-324]), np.array([1.0, 0.0])
    assert js_distance(p, q) == pytest.approx(0.0, abs=1e-12)


def test_jensen_shannon_distance_of_zeros_is_undefined():
    assert math.isnan(js_distance(np.zeros(3), np.ones(3)))
