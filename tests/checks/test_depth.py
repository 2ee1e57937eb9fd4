"""α over the depth of a model: planted shares, drifts and jumps; and what errors explain."""

from dataclasses import replace

import numpy as np
import pytest

from auditor.checks.base import Case
from auditor.checks.depth import AlphaSpikes, CorrelationFlow
from auditor.records import Severity
from tests.render.factory import layer

ERROR = 0.3


ANY = layer("any")


def row(alphas, error=ERROR, **given):
    """A layer a block with an α and its standard error."""
    layers = []
    for i, alpha in enumerate(map(float, alphas)):
        ends = {"alpha_lo": alpha - 1.96 * error, "alpha_hi": alpha + 1.96 * error}
        metrics = {**ANY.metrics, "alpha": alpha, **ends, **given}
        measured = replace(ANY.measured, metrics=metrics)
        layers.append(replace(ANY, name=f"h.{i}.w", index=i, measured=measured))
    return Case(tuple(layers))


def measured(truth, seed, error=ERROR):
    """α as it would be measured: the truth, and an error."""
    return truth + np.random.default_rng(seed).normal(0.0, error, len(truth))


# --- share of layers above 6 --------------------------------------------------------------


@pytest.mark.parametrize(
    ("high", "severity"),
    [(5, None), (6, Severity.INFO), (9, Severity.INFO), (10, Severity.WARNING)],
    ids=["a quarter", "above it", "its interval reaches down to a quarter", "wholly above it"],
)
def test_the_share_of_layers_above_six_is_held_to_its_interval(high, severity):
    found = list(AlphaSpikes()(row([8.0] * high + [3.0] * (20 - high))))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_an_alpha_that_may_be_below_six_does_not_count():
    assert list(AlphaSpikes()(row([6.6] * 20)))
    assert not list(AlphaSpikes()(row([6.5] * 20)))


@pytest.mark.parametrize("check", [AlphaSpikes(), CorrelationFlow()])
def test_untrained_layers_say_nothing_of_the_model(check):
    alphas = np.linspace(2.0, 20.0, 20)
    assert list(check(row(alphas)))
    assert not list(check(row(alphas, random_like=1.0)))


@pytest.mark.parametrize("check", [AlphaSpikes(), CorrelationFlow()])
def test_seven_layers_are_too_few(check):
    assert list(check(row([9.0, 60.0] * 4)))
    assert not list(check(row([9.0, 60.0] * 3 + [9.0])))


# --- flow ---------------------------------------------------------------------------------


@pytest.mark.parametrize("drift", [4.0, -4.0])
def test_a_drift_with_depth_is_found_with_its_direction_and_size(drift):
    alphas = measured(6.0 + drift * np.linspace(0.0, 1.0, 24), seed=1)
    (finding,) = CorrelationFlow()(row(alphas))
    low, high = finding.interval or (0.0, 0.0)
    assert low < drift < high
    assert ("rises" if drift > 0 else "falls") in finding.message


@pytest.mark.parametrize("seed", range(20))
def test_steady_layers_that_differ_by_their_errors_are_silent(seed):
    assert not list(CorrelationFlow()(row(measured(np.full(16, 3.0), seed))))


def test_roughness_is_one_where_the_errors_explain_all():
    rough = CorrelationFlow(min_roughness=0.0)
    case = row(measured(np.full(2000, 3.0), seed=3))
    (finding,) = rough(case)
    assert finding.evidence["roughness"] == pytest.approx(1.0, abs=0.1)


def test_jumps_from_layer_to_layer_are_erratic_and_no_drift():
    jumps = np.where(np.arange(24) % 2, 2.5, 5.5)
    (finding,) = CorrelationFlow()(row(measured(jumps, seed=4)))
    assert "jumps" in finding.message
    assert "depth" not in finding.message


def test_a_steep_trend_is_no_roughness():
    (finding,) = CorrelationFlow()(row(measured(np.linspace(2.0, 14.0, 24), seed=5)))
    assert "jumps" not in finding.message


def test_layers_whose_errors_are_large_are_not_called_erratic():
    jumps = np.where(np.arange(24) % 2, 2.5, 5.5)
    assert not list(CorrelationFlow()(row(jumps, error=3.0)))


def test_kinds_of_layers_with_levels_of_their_own_are_no_drift():
    """Convolutions first, dense layers last: each kind is compared with itself."""
    layers = row(measured(np.repeat([3.0, 9.0], 12), seed=6)).layers
    assert list(CorrelationFlow()(Case(layers)))
    kinds = [replace(one, kind="conv2d") for one in layers[:12]]
    assert not list(CorrelationFlow()(Case((*kinds, *layers[12:]))))
