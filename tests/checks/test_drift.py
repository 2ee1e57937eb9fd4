import math
from dataclasses import replace

import pytest

from auditor.checks.base import BEFORE, Case
from auditor.checks.drift import CHECKS, AlphaShift, FrozenLayers, LargeChange, NoChange
from auditor.policy.levels import LEVELS
from auditor.records import Comparison, Finding, LayerChange, Level, Severity, Skip
from tests.render.factory import layer, version


def case(**distances):
    change = LayerChange("fc", layer("fc"), {"relative": 0.0, "cosine": 0.0, **distances})
    return Case((layer("fc"),), comparison=Comparison(version(number="1"), (change,)))


@pytest.mark.parametrize(("relative", "found"), [(0.51, True), (0.5, False), (float("nan"), False)])
def test_a_large_change_is_named(relative, found):
    assert bool(list(LargeChange()(case(relative=relative)))) == found


@pytest.mark.parametrize(
    ("shift", "error", "found"),
    [(-0.6, 0.1, True), (0.6, 0.1, True), (0.6, 0.3, False), (0.4, 0.01, False)],
    ids=["down", "up", "within its error", "small"],
)
def test_alpha_shift_needs_size_and_significance(shift, error, found):
    assert bool(list(AlphaShift()(case(d_alpha=shift, d_alpha_error=error)))) == found


def test_a_shift_that_stands_is_what_the_next_version_is_held_against():
    """α fell from 4 to 3, and stays: nobody accepted it, so the shift is still there."""
    now = layer("fc", alpha=3.0)
    change = LayerChange("fc", now, {"d_alpha": 0.0, "d_alpha_error": 0.1})
    comparison = Comparison(version(number="2"), (change,))
    fallen = Finding(
        Severity.INFO, "fc: α moved", check="alpha_shift", layer="fc", evidence={BEFORE: 4.0}
    )
    (finding,) = AlphaShift()(Case((now,), comparison=comparison, stood=(fallen,)))
    assert (finding.value, finding.evidence) == (-1.0, {BEFORE: 4.0})
    assert not list(AlphaShift()(Case((now,), comparison=comparison)))


# --- what did not change ------------------------------------------------------------------------


def moved(**relative):
    """Layers by name, each this far from the baseline's."""
    layers = [layer(name) for name in relative]
    changes = [
        LayerChange(one.name, one, {"relative": far})
        for one, far in zip(layers, relative.values(), strict=True)
    ]
    return Case(layers, comparison=Comparison(version(number="1"), tuple(changes)))


def test_a_version_without_any_change_is_one_finding():
    (finding,) = NoChange()(moved(fc1=0.0, fc2=0.0))
    assert finding.message == "none of the 2 layers differs from the baseline's"
    assert finding.layer is None
    assert not list(FrozenLayers()(moved(fc1=0.0, fc2=0.0)))


def test_layers_that_came_or_went_are_a_change():
    same = moved(fc1=0.0)
    grown = replace(same, comparison=replace(same.comparison, added=("fc2",)))
    assert not list(NoChange()(grown))


@pytest.mark.parametrize("about", [{"non_finite": 3}, {"read": False}])
def test_a_layer_without_numbers_may_have_changed(about):
    lost = Skip("fc2.weight", (8, 8), "without numbers", **about)
    assert not list(NoChange()(replace(moved(fc1=0.0), skipped=(lost,))))
    bias = Skip("fc1.bias", (8,), "vector", non_finite=3)
    assert list(NoChange()(replace(moved(fc1=0.0), skipped=(bias,))))


def test_a_layer_that_cannot_be_compared_is_no_layer_that_did_not_change():
    assert not list(NoChange()(moved(fc1=0.0, fc2=math.nan)))


def test_frozen_layers_are_counted_as_information():
    case = moved(**{f"h{i}": 0.0 for i in range(8)}, head=0.02)
    (finding,) = FrozenLayers()(case)
    assert finding.message == "8 of 9 layers did not change: h0, h1, h2, h3, h4 and 3 more"
    assert all(level is Level.OFF for level in LEVELS["frozen_layers"])
    assert not list(NoChange()(case))


def test_layers_that_were_expected_to_change_are_named_one_by_one():
    findings = list(NoChange(expected=("head*", "h1"))(moved(h0=0.0, h1=0.0, head=0.02)))
    assert [finding.layer for finding in findings] == ["h1"]
    assert "was expected to change" in findings[0].message


def test_a_model_that_moved_everywhere_has_neither():
    case = moved(fc1=0.01, fc2=0.02)
    assert not [*NoChange(expected=("*",))(case), *FrozenLayers()(case)]


def test_nothing_to_compare_with_changes_nothing():
    assert not [f for check in CHECKS for f in check()(Case((layer("fc"),)))]
