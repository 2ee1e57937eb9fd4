"""A version as a whole: its layers together, against the baseline, against its history."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from auditor.checks.base import Case
from auditor.checks.whole import AlphaDistribution, MedianShift, ShareOutOfRange, UnusualDistance
from auditor.records import Comparison, LayerChange, Severity, Trend
from tests.render.factory import compared, layer, version

ERROR = 0.2


ANY = layer("any")


def layers(alphas, **given):
    """A layer a block with an α and its interval."""
    return tuple(
        replace(
            ANY,
            name=f"h.{i}.w",
            index=i,
            measured=replace(ANY.measured, metrics={**ANY.metrics, **near(alpha), **given}),
        )
        for i, alpha in enumerate(map(float, alphas))
    )


def near(alpha):
    ends = (alpha - 1.96 * ERROR, alpha + 1.96 * ERROR)
    return {"alpha": alpha, "alpha_lo": ends[0], "alpha_hi": ends[1]}


def against(now, before, stood=()):
    then = {one.name: one for one in before}
    return Case(now, comparison=compared(now, then, version(number="1")), stood=stood)


# --- share out of range -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "severity"),
    [(3, 3, None), (4, 4, Severity.INFO), (6, 6, Severity.WARNING)],
    ids=["a third", "above it", "wholly above it"],
)
def test_both_sides_of_the_range_count(low, high, severity):
    alphas = [1.4] * low + [8.0] * high + [3.0] * (20 - low - high)
    found = list(ShareOutOfRange()(Case(layers(alphas))))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_layers_out_of_range_whose_twin_explains_them_are_untrained_and_do_not_count():
    assert not list(ShareOutOfRange()(Case(layers([1.4] * 20, random_like=1.0))))


def test_a_heavy_tail_that_is_no_power_law_does_not_count_as_one():
    assert not list(ShareOutOfRange()(Case(layers([1.4] * 20, pl_pvalue=0.01))))


# --- shift of the median ------------------------------------------------------------------


@pytest.mark.parametrize(("shift", "found"), [(0.6, True), (-0.6, True), (0.1, False)])
def test_a_common_shift_is_found_with_an_interval_about_it(rng, shift, found):
    before = rng.uniform(2.5, 5.0, 30)
    after = before + shift + rng.normal(0.0, 0.2, 30)
    findings = list(MedianShift()(against(layers(after), layers(before))))
    assert bool(findings) == found
    for finding in findings:
        low, high = finding.interval or (0.0, 0.0)
        assert low < shift < high


def test_layers_that_move_apart_have_no_common_shift(rng):
    before = rng.uniform(2.5, 5.0, 40)
    after = before + np.where(np.arange(40) % 2, 1.0, -1.0)
    assert not list(MedianShift()(against(layers(after), layers(before))))


def test_frozen_layers_count_as_layers_that_did_not_move(rng):
    before = rng.uniform(2.5, 5.0, 30)
    after = before + 0.6 * (np.arange(30) < 10)
    assert not list(MedianShift()(against(layers(after), layers(before))))


def standing(check, name, now, before):
    """The finding of a check in a baseline that nobody accepted, as it is read from an audit."""
    (found,) = check(against(now, before))
    return (replace(found, check=name),)


def test_a_shift_that_stays_is_held_against_what_it_was(rng):
    first = rng.uniform(2.5, 5.0, 30)
    shifted = layers(first - 0.8)
    stood = standing(MedianShift(), "median_shift", shifted, layers(first))
    (finding,) = MedianShift()(against(shifted, shifted, stood))
    assert finding.value == pytest.approx(-0.8)
    assert not list(MedianShift()(against(layers(first), shifted, stood))), "back"
    assert list(MedianShift()(against(layers(first), shifted))), "a shift, were it accepted"


# --- distribution -------------------------------------------------------------------------


def test_a_distribution_that_spreads_about_its_median_is_another(rng):
    before = rng.normal(3.5, 0.3, 60)
    after = 3.5 + 3.0 * (before - 3.5)
    case = against(layers(after), layers(before))
    assert list(AlphaDistribution()(case))
    assert not list(MedianShift()(case))


@pytest.mark.parametrize("seed", range(20))
def test_samples_of_one_distribution_are_silent(seed):
    rng = np.random.default_rng(seed)
    case = against(layers(rng.normal(3.5, 0.3, 60)), layers(rng.normal(3.5, 0.3, 60)))
    assert not list(AlphaDistribution()(case))


def test_thousands_of_layers_do_not_make_a_small_difference_a_large_one(rng):
    before = rng.normal(3.5, 0.5, 3000)
    case = against(layers(before + 0.1), layers(before))
    assert not list(AlphaDistribution()(case))
    assert list(AlphaDistribution(min_distance=0.05)(case))


def test_a_distribution_that_stays_is_held_against_what_it_was(rng):
    first = rng.normal(3.5, 0.3, 300)
    spread = layers(3.5 + 3.0 * (first - 3.5))
    stood = standing(AlphaDistribution(), "alpha_distribution", spread, layers(first))
    assert len(stood[0].evidence["before"]) == 200
    assert list(AlphaDistribution()(against(spread, spread, stood)))
    assert not list(AlphaDistribution()(against(layers(first), spread, stood))), "back"


# --- distance beyond the history ----------------------------------------------------------


def moved(distance, earlier):
    one = layer("fc")
    change = LayerChange("fc", one, {"relative": distance})
    history = [
        Trend(str(i), datetime(2026, 1, 1 + i, tzinfo=UTC), "PASS", 3.0, 1.0, far, 0)
        for i, far in enumerate(earlier)
    ]
    comparison = Comparison(version(number="1"), (change,))
    return list(UnusualDistance()(Case((one,), comparison=comparison, history=history)))


USUAL = [0.02, 0.021, 0.019, 0.022, 0.02]


@pytest.mark.parametrize(("distance", "found"), [(0.064, True), (0.05, False), (0.0001, False)])
def test_a_distance_far_above_the_models_own_history_is_named(distance, found):
    """The least spread is a tenth of a decade: five of them are a factor of 3.2."""
    assert bool(moved(distance, USUAL)) == found


def test_a_history_that_varies_makes_less_unusual():
    assert not moved(0.2, [0.001, 0.3, 0.02, 0.1, 0.005])


def test_four_distances_are_no_history():
    """A registration of the same weights is no distance, nor is a first version."""
    assert not moved(9.0, [*USUAL[:4], 0.0, math.nan])


@pytest.mark.parametrize("distance", [0.0, math.nan])
def test_what_did_not_move_or_cannot_be_compared_is_not_unusual(distance):
    assert not moved(distance, USUAL)


@pytest.mark.parametrize("check", [MedianShift(), AlphaDistribution(), UnusualDistance()])
def test_without_a_baseline_nothing_moved(check):
    assert not list(check(Case(layers([3.0] * 20))))
