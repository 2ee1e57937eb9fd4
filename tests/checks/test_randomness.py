import math
from dataclasses import replace

import pytest
from scipy.stats import kurtosis, truncnorm

from auditor.checks.base import Case
from auditor.checks.randomness import (
    CorrelationTraps,
    RandomLike,
    SpikeCountChange,
    is_as_drawn,
)
from auditor.records import Severity, Trap
from tests.render.factory import compared, layer, version


@pytest.mark.parametrize(("m", "found"), [(50, True), (49, False)])
def test_untrained_layers_are_named_from_fifty_eigenvalues(m, found):
    case = Case((layer("fc", m=m, random_like=1.0, num_spikes=0.0),))
    assert bool(list(RandomLike()(case))) == found


@pytest.mark.parametrize(
    ("kurtosis", "severity"),
    [
        (1.80, Severity.WARNING),
        (1.85, Severity.INFO),
        (2.10, Severity.INFO),
        (2.37, Severity.WARNING),
        (2.95, Severity.WARNING),
        (3.09, Severity.INFO),
        (math.nan, Severity.WARNING),
    ],
)
def test_entries_that_no_initialisation_draws_were_trained(kurtosis, severity):
    """Entries of 256 by 128: three standard errors are 0.03 at a cut-off of 2, 0.08 at 3."""
    untrained = layer("fc", m=128, random_like=1.0, kurtosis=kurtosis)
    (finding,) = RandomLike()(Case((untrained,)))
    assert finding.severity is severity
    assert ("looks untrained" in finding.message) == (severity is Severity.WARNING)


DRAWS = {
    "uniform": lambda rng, n: rng.uniform(-0.1, 0.1, n),
    "normal": lambda rng, n: rng.normal(0.0, 0.02, n),
    "cut off": lambda rng, n: truncnorm(-2, 2).rvs(n, random_state=rng),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("size", [2_500, 65_536])
def test_what_an_initialisation_draws_is_known_as_such(draw, size, rng):
    drawn = [kurtosis(draw(rng, size), fisher=False) for _ in range(200)]
    assert sum(not is_as_drawn(one, size, 3.0) for one in drawn) <= 4


def test_a_trained_layer_is_not_random_like():
    assert not list(RandomLike()(Case((layer("fc"),))))


@pytest.mark.parametrize(("strength", "severity"), [(2.49, Severity.INFO), (2.5, Severity.WARNING)])
def test_a_trap_warns_from_two_and_a_half_times_the_edge(strength, severity):
    trap = Trap(4.0 * strength, 4.0, ((3, 5, 9.5),))
    (finding,) = CorrelationTraps()(Case((layer("fc", traps=[trap]),)))
    assert finding.severity is severity
    assert finding.evidence["entries"] == [[3, 5, 9.5]]


# --- number of spikes ---------------------------------------------------------------------


def spikes(now, before, stood=()):
    after, then = layer("fc", num_spikes=now), layer("fc", num_spikes=before)
    comparison = compared([after], {"fc": then}, version(number="1"))
    return list(SpikeCountChange()(Case((after,), comparison=comparison, stood=stood)))


@pytest.mark.parametrize(
    ("now", "before", "found"),
    [
        (44.0, 15.0, True),
        (15.0, 44.0, True),
        (30.0, 20.0, False),
        (11.0, 0.0, True),
        (10.0, 0.0, False),
        (math.nan, 20.0, False),
        (0.0, 0.0, False),
    ],
    ids=["more", "fewer", "chance", "from none", "few", "not counted", "none"],
)
def test_counts_of_spikes_differ_by_more_than_a_fair_coin(now, before, found):
    assert bool(spikes(now, before)) == found


@pytest.mark.parametrize("rate", [0.05, 3.0, 40.0, 400.0])
def test_counts_of_one_rate_are_silent(rate, rng):
    pairs = rng.poisson(rate, (500, 2)).astype(float)
    assert sum(bool(spikes(*pair)) for pair in pairs.tolist()) <= 2


def test_spikes_that_stay_away_are_held_against_what_there_was():
    (lost,) = spikes(5.0, 40.0)
    stood = (replace(lost, check="spike_count_change"),)
    assert spikes(5.0, 5.0, stood)
    assert not spikes(40.0, 5.0, stood)
    assert spikes(40.0, 5.0)
