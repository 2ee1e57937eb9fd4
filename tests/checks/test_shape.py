import math

import pytest

from auditor import checks
from auditor.checks.base import Case
from auditor.checks.shape import ImplausiblePowerLaw, OverTrained, UnderTrained
from tests.render.factory import compared, layer, version


def names(check, **metrics):
    return [finding.layer for finding in check()(Case((layer("fc", **metrics),)))]


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        ({"alpha": 1.6, "alpha_hi": 1.99}, True),
        ({"alpha": 1.6, "alpha_hi": 2.0}, False),
        ({"alpha": 1.6, "alpha_hi": 1.9, "num_pl_spikes": 9.0}, False),
        ({"alpha": 1.6, "alpha_hi": 1.9, "random_like": 1.0}, False),
        ({"alpha": 1.6, "alpha_hi": 1.9, "pl_pvalue": 0.09}, False),
        ({"alpha": 1.6, "alpha_hi": 1.9, "pl_pvalue": 0.1}, True),
        ({"alpha_hi": math.nan}, False),
    ],
    ids=[
        "below",
        "touches 2",
        "short tail",
        "untrained",
        "implausible",
        "plausible",
        "no interval",
    ],
)
def test_over_trained_rests_on_the_whole_interval(metrics, found):
    assert names(OverTrained, **metrics) == (["fc"] if found else [])


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        ({"alpha": 8.0, "alpha_lo": 6.01}, True),
        ({"alpha": 8.0, "alpha_lo": 6.0}, False),
        ({"alpha": 8.0, "alpha_lo": 7.0, "random_like": 1.0}, False),
    ],
)
def test_under_trained_rests_on_the_whole_interval(metrics, found):
    assert names(UnderTrained, **metrics) == (["fc"] if found else [])


@pytest.mark.parametrize(("p", "found"), [(0.05, True), (0.1, False), (math.nan, False)])
def test_a_rejected_power_law_is_named(p, found):
    assert names(ImplausiblePowerLaw, pl_pvalue=p) == (["fc"] if found else [])


def test_the_message_gives_alpha_with_its_interval():
    case = Case((layer("fc", alpha=1.62, alpha_lo=1.48, alpha_hi=1.79),))
    (finding,) = OverTrained()(case)
    assert finding.message == "fc looks over-trained: α 1.62 [1.48, 1.79]"
    assert finding.interval == (1.48, 1.79)


OF_ALPHA = {
    *("over_trained", "under_trained", "alpha_spikes", "correlation_flow", "share_out_of_range"),
    *("median_shift", "alpha_distribution", "alpha_shift"),
}


@pytest.mark.parametrize("twin", [0.0, 1.0], ids=["trained", "untrained"])
def test_no_check_of_alpha_looks_at_layers_that_their_twin_explains(twin):
    """Layers with an α far below 2 or far above 6, all of them between 3 and 4.1 before."""
    alphas = [1.3, 1.3, 9.0] * 15
    now = [layer(f"h.{i}.w", i, **near(alpha), random_like=twin) for i, alpha in enumerate(alphas)]
    then = {f"h.{i}.w": layer(f"h.{i}.w", i, **near(3.0 + i / 40)) for i in range(45)}
    case = Case(now, comparison=compared(now, then, version(number="1")))
    found = {one.check for one in checks.examine(case, [check() for check in checks.ALL])}
    assert found & OF_ALPHA == (set() if twin else OF_ALPHA)
    assert ("random_like" in found) == (twin == 1.0)


def near(alpha, error=0.1):
    return {"alpha": alpha, "alpha_lo": alpha - 1.96 * error, "alpha_hi": alpha + 1.96 * error}
