import math
from dataclasses import replace

import numpy as np
import pytest

from auditor.records import FloatArray, Settings
from auditor.spectral.powerlaw import TailFit, fit_tail
from auditor.spectral.uncertainty import goodness_of_fit, interval
from tests.spectral import oracles

OURS = Settings()


def fitted(x: FloatArray, settings: Settings = OURS) -> TailFit:
    fit = fit_tail(x, n=x.size, settings=settings)
    assert fit is not None
    return fit


def test_interval_is_at_least_as_wide_as_the_standard_error_says(rng):
    x = oracles.pareto(rng, 300, 2.5)
    fit = fitted(x)
    found = interval(x, fit, n=x.size, settings=OURS)
    half = 1.96 * max(fit.sigma, found.sd)
    assert found.sd > 0.0
    assert found.lo == pytest.approx(fit.alpha - half)
    assert found.hi == pytest.approx(fit.alpha + half)


def test_bootstrap_refits_resamples_of_the_whole_spectrum(rng):
    x = oracles.spliced(rng, 80, 3.0)
    draws = np.random.default_rng(OURS.seed)
    resamples = [np.sort(x[draws.integers(x.size, size=x.size)]).tolist() for _ in range(10)]
    alphas = [oracles.best_tail(values, OURS.min_tail)[1] for values in resamples]
    found = interval(x, fitted(x), n=x.size, settings=replace(OURS, bootstrap=10))
    assert found.sd == pytest.approx(np.std(alphas, ddof=1), rel=1e-9)


def test_interval_is_the_same_every_time_and_at_every_scale(rng):
    x = oracles.spliced(rng, 200, 3.0)
    first = interval(x, fitted(x), n=x.size, settings=OURS)
    assert interval(x, fitted(x), n=x.size, settings=OURS) == first
    scaled = interval(1e-12 * x, fitted(1e-12 * x), n=x.size, settings=OURS)
    assert (scaled.lo, scaled.hi, scaled.sd) == pytest.approx((first.lo, first.hi, first.sd))


def test_another_seed_draws_another_bootstrap(rng):
    x = oracles.spliced(rng, 200, 3.0)
    other = replace(OURS, seed=1)
    first = interval(x, fitted(x), n=x.size, settings=OURS)
    assert interval(x, fitted(x), n=x.size, settings=other).sd != first.sd


@pytest.mark.parametrize("bootstrap", [0, 1])
def test_interval_without_resamples_rests_on_the_standard_error(bootstrap, rng):
    x = oracles.pareto(rng, 100, 2.5)
    fit = fitted(x)
    found = interval(x, fit, n=x.size, settings=replace(OURS, bootstrap=bootstrap))
    assert math.isnan(found.sd)
    assert found.hi == pytest.approx(fit.alpha + 1.96 * fit.sigma)


def test_a_power_law_is_a_plausible_power_law(rng):
    """p is uniform for true power laws: of 20 samples few are below 0.1."""
    samples = [oracles.pareto(rng, 150, 2.5) for _ in range(20)]
    p = [goodness_of_fit(x, fitted(x), n=x.size, settings=OURS) for x in samples]
    assert sum(value < 0.1 for value in p) <= 6
    assert max(p) > 0.5


def test_what_lies_below_a_tail_does_not_make_it_implausible(rng):
    samples = [oracles.spliced(rng, 200, 3.0) for _ in range(20)]
    p = [goodness_of_fit(x, fitted(x), n=x.size, settings=OURS) for x in samples]
    assert sum(value < 0.1 for value in p) <= 6


def test_two_heaps_are_no_power_law(rng):
    x = np.sort(np.concatenate((rng.normal(10.0, 0.1, 100), rng.normal(100.0, 1.0, 100))))
    whole = replace(OURS, min_tail=150)
    assert goodness_of_fit(x, fitted(x, whole), n=x.size, settings=whole) < 0.02


def test_plausibility_of_the_heaviest_tail_does_not_overflow(rng):
    x = np.sort(np.exp(rng.uniform(-30.0, 0.0, 40)))
    fit = TailFit(alpha=1.001, xmin=float(x[0]), xmax=float(x[-1]), D=0.2, D_two_sided=0.2, size=40)
    everything = replace(OURS, bootstrap=20)
    assert 0.0 <= goodness_of_fit(x, fit, n=1, settings=everything) <= 1.0
