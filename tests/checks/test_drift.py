import pytest

from auditor.checks.base import Case
from auditor.checks.drift import AlphaShift, LargeChange, LayersChanged
from auditor.records import Comparison, LayerChange
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


def test_layers_that_came_and_went_are_named():
    comparison = Comparison(version(number="1"), (), added=("lora",), removed=("fc2", "fc3"))
    (finding,) = LayersChanged()(Case((), comparison=comparison))
    assert finding.message == "1 layers added (lora), 2 removed (fc2, fc3)"


def test_nothing_to_compare_with_changes_nothing():
    checks = (AlphaShift(), LargeChange(), LayersChanged())
    assert not [f for check in checks for f in check(Case((layer("fc"),)))]
