"""Robust statistics against slow references, and intervals by how often they hold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, theilslopes

from auditor.spectral.robust import (
    MOST,
    among,
    among_neighbours,
    median_interval,
    share_interval,
    slope,
    spread,
)


def slowly(values, nearest, i):
    """What is usual at a place, with scipy's line through the nearest others."""
    others = sorted((j for j in range(len(values)) if j != i), key=lambda j: (abs(j - i), j))
    found = theilslopes([values[j] for j in others[:nearest]], others[:nearest])
    rest = [values[j] - found.slope * j for j in others[:nearest]]
    return float(np.median(rest) + found.slope * i)


@pytest.mark.parametrize("size", [7, 8, 20])
def test_what_is_usual_is_on_theil_and_sens_line(rng, size):
    values = rng.normal(size=size)
    found = among_neighbours(values, nearest=6, least=0.1)
    for i, one in enumerate(found):
        assert one.usual == pytest.approx(slowly(values, 6, i))


@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_row_of_three_has_no_scores(size):
    assert among_neighbours([1.0] * size, nearest=6, least=0.1) == []


def test_neighbours_close_to_a_line_by_luck_are_not_sure(rng):
    """Of independent values none is five deviations off by the spread of all."""
    found = [
        one
        for _ in range(200)
        for one in among_neighbours(rng.normal(0.0, 0.5, 24), nearest=6, least=0.2)
    ]
    assert np.mean([abs(one.z) >= 5.0 for one in found]) < 0.001
    assert np.mean([abs(one.near) >= 5.0 for one in found]) > 0.01


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(-1e6, 1e6))
def test_scores_among_all_do_not_change_with_the_level(values, by):
    for a, b in zip(among(values, 1.0), among([x + by for x in values], 1.0), strict=True):
        assert math.isclose(a.z, b.z, abs_tol=1e-3)


def test_the_spread_of_normal_values_is_their_deviation(rng):
    assert spread(rng.normal(0.0, 3.0, 100_000), 0.0) == pytest.approx(3.0, rel=0.02)


@pytest.mark.parametrize("size", [6, 9, 40])
def test_the_interval_of_a_median_holds_for_a_skewed_distribution(rng, size):
    ends = [median_interval(rng.exponential(size=size).tolist()) for _ in range(2000)]
    assert np.mean([low <= math.log(2.0) <= high for low, high in ends]) >= 0.94


@pytest.mark.parametrize("size", [0, 5])
def test_five_values_have_no_interval_of_their_median(size):
    assert median_interval([1.0] * size) == (-math.inf, math.inf)


@pytest.mark.parametrize(("hits", "total"), [(0, 9), (3, 9), (9, 9), (250, 1000)])
def test_the_interval_of_a_share_is_exact(hits, total):
    low, high = binomtest(hits, total).proportion_ci(method="exact")
    assert share_interval(hits, total) == pytest.approx((low, high))


def test_of_very_many_points_a_part_gives_the_slope(rng):
    x = np.linspace(0.0, 1.0, 20 * MOST)
    found, low, high = slope(x.tolist(), (2.0 * x + rng.normal(0.0, 0.1, x.size)).tolist())
    assert low < 2.0 < high
    assert found == pytest.approx(2.0, abs=0.1)
