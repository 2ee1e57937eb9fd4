import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.correlation import FEWEST, fit, relate
from tests.spectral.oracles import steady

points = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=FEWEST, max_size=30
).filter(lambda found: all(len(set(side)) > 1 for side in zip(*found, strict=True)))


def columns(pairs):
    x, y = (np.array(side, dtype=np.float64) for side in zip(*pairs, strict=True))
    return x, y


def kendall(x, y):
    """τ-b by its definition: concordant less discordant pairs, over the pairs without ties."""
    pairs = list(combinations(range(len(x)), 2))
    dx, dy = (np.sign([side[i] - side[j] for i, j in pairs]) for side in (x, y))
    return float((dx * dy).sum() / math.sqrt(np.count_nonzero(dx) * np.count_nonzero(dy)))


@steady
@given(points)
def test_line_and_order_are_those_of_their_definitions(pairs):
    x, y = columns(pairs)
    found = fit(x, y)
    slope, intercept = np.polyfit(x, y, 1)
    left = y - (intercept + slope * x)
    assert found.models == len(pairs)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept), abs=1e-9)
    assert found.rmse == pytest.approx(math.sqrt(np.mean(left**2)), abs=1e-9)
    assert found.r2 == pytest.approx(1 - left.var() / y.var(), abs=1e-9)
    assert found.tau == pytest.approx(kendall(x, y), abs=1e-12)
    assert 0.0 <= found.tau_p <= 1.0
    assert 0.0 <= found.slope_p <= 1.0


def test_a_line_with_an_order_is_found_exactly():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    found = fit(x, 7.0 - 2.0 * x)
    assert (found.slope, found.intercept) == pytest.approx((-2.0, 7.0))
    assert (found.r2, found.rmse, found.tau) == pytest.approx((1.0, 0.0, -1.0))
    assert found.tau_p == pytest.approx(2 / math.factorial(5))  # one of all orders, two-sided


def test_models_without_a_number_are_left_out(rng):
    x, y = rng.normal(size=(2, 9))
    x[2], y[5], x[7] = math.nan, math.nan, math.inf
    keep = [0, 1, 3, 4, 6, 8]
    assert fit(x, y) == fit(x[keep], y[keep])
    assert fit(x, y).models == 6


@pytest.mark.parametrize(
    ("x", "y"),
    [([], []), ([1, 2], [1, 2]), ([3, 3, 3], [1, 2, 3]), ([1, 2, 3], [5, 5, 5])],
    ids=["nothing", "two models", "one metric", "one quality"],
)
def test_nothing_is_fitted_to_what_has_no_line(x, y):
    found = fit(np.array(x, dtype=np.float64), np.array(y, dtype=np.float64))
    assert found.models == len(x)
    numbers = (found.slope, found.intercept, found.slope_p, found.r2)
    assert all(map(math.isnan, (*numbers, found.rmse, found.tau, found.tau_p)))


# --- groups -------------------------------------------------------------------------------


def depths(sign):
    """Three groups along a rising line; within each the metric goes with `sign`."""
    groups = [name for name in "abc" for _ in range(6)]
    offset = np.repeat([0.0, 10.0, 20.0], 6)
    inner = np.tile(np.arange(6.0), 3) / 6.0
    return offset + sign * inner, offset + inner, groups


def test_a_sign_that_turns_round_within_groups_is_flagged():
    metric, quality, groups = depths(-1.0)
    [found] = relate(quality, {"m": metric}, groups)
    assert found.overall.slope > 0.0
    assert found.overall.tau > 0.0
    assert [found.groups[name].tau for name in "abc"] == pytest.approx([-1.0] * 3)
    assert found.is_reversed


def test_a_sign_that_stays_is_not():
    metric, quality, groups = depths(1.0)
    [found] = relate(quality, {"m": metric}, groups)
    assert found.overall.tau > 0.0
    assert not found.is_reversed


def test_neither_half_of_the_groups_nor_none_are_most_of_them():
    metric, quality, groups = depths(-1.0)
    metric[:6] = metric[:6][::-1]
    [half] = relate(quality[:12], {"m": metric[:12]}, groups[:12])
    assert [np.sign(half.groups[name].tau) for name in "ab"] == [1.0, -1.0]
    assert not half.is_reversed
    [alone] = relate(quality, {"m": metric})
    assert alone.groups == {}
    assert not alone.is_reversed


def test_groups_too_small_for_a_line_are_listed_and_have_no_sign():
    metric, quality, groups = depths(-1.0)
    groups[:4] = ["d", "d", "e", "e"]
    [found] = relate(quality, {"m": metric}, groups)
    assert list(found.groups) == ["d", "e", "a", "b", "c"]
    assert math.isnan(found.groups["d"].tau)
    assert found.is_reversed


def test_one_chance_series_in_twenty_looks_significant(rng):
    fits = [fit(*rng.normal(size=(2, 12))) for _ in range(400)]
    for found in ([one.slope_p for one in fits], [one.tau_p for one in fits]):
        assert 0.02 < np.mean(np.array(found) <= 0.05) < 0.08
