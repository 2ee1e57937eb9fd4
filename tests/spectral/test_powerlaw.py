import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.records import FloatArray, Settings
from auditor.spectral.powerlaw import TailFit, fit_tail, goodness_of_fit, interval
from tests.spectral import oracles

OURS = Settings()
REFERENCE = Settings(convention="weightwatcher")
positive = st.lists(st.floats(1e-3, 1e3), min_size=8, max_size=60).map(
    lambda values: np.sort(np.array(values))
)


def fitted(x: FloatArray, settings: Settings = OURS) -> TailFit:
    fit = fit_tail(x, n=x.size, settings=settings)
    assert fit is not None
    return fit


def body_and_tail(rng: np.random.Generator, size: int) -> FloatArray:
    """A bulk below 1 that is no power law, and above it a tail of exponent 3."""
    return np.sort(np.concatenate((rng.random(size), oracles.pareto(rng, size, 3.0))))


@pytest.mark.parametrize("alpha", [1.5, 2.0, 3.0, 4.5])
def test_recovers_a_planted_exponent(alpha, rng):
    fit = fitted(oracles.pareto(rng, 4000, alpha))
    assert abs(fit.alpha - alpha) < 4 * fit.sigma


def test_recovers_where_a_planted_tail_begins(rng):
    fit = fitted(body_and_tail(rng, 2000))
    assert 0.9 < fit.xmin < 1.5
    assert abs(fit.alpha - 3.0) < 4 * fit.sigma


@oracles.steady
@given(x=positive)
def test_finds_the_tail_that_trying_every_one_finds(x):
    fit = fit_tail(x, n=x.size, settings=OURS)
    if fit is None:
        assert math.log(x[-1] / x[-8]) < 1e-4
        return
    tail = x[x >= fit.xmin].tolist()
    assert len(tail) == fit.size >= OURS.min_tail
    start, alpha = oracles.best_tail(x.tolist(), OURS.min_tail)
    best = oracles.ks(x[start:].tolist(), alpha)
    assert abs(fit.D - best) < 1e-9
    assert oracles.ks(tail, oracles.power_law_alpha(tail)) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("size", [30, 300, 1500])
def test_agrees_with_the_formulas_as_printed(size, rng):
    x = body_and_tail(rng, size)
    fit = fitted(x)
    start, alpha = oracles.best_tail(x.tolist(), OURS.min_tail)
    tail = x[start:].tolist()
    assert (fit.xmin, fit.xmax, fit.size) == (x[start], x[-1], len(tail))
    assert fit.alpha == pytest.approx(alpha, rel=1e-12)
    assert abs(fit.D - oracles.ks(tail, alpha)) < 1e-12
    assert fit.D_two_sided == pytest.approx(oracles.ks(tail, alpha, two_sided=True), rel=1e-10)
    assert fit.sigma == pytest.approx((alpha - 1.0) / math.sqrt(len(tail)), rel=1e-12)


@pytest.mark.parametrize(("size", "smallest"), [(5, 5), (8, 8), (19, 8)])
def test_follows_the_small_sample_rule_of_the_reference_in_its_convention(size, smallest, rng):
    x = oracles.pareto(rng, size, 2.5)
    start, alpha = oracles.best_tail(x.tolist(), smallest, lost=1)
    fit = fitted(x, REFERENCE)
    assert fit.alpha == pytest.approx(alpha, rel=1e-12)
    assert fit.size == size - start


def test_tails_of_fewer_than_eight_are_the_references_only():
    heap = np.linspace(1.0, 1.01, 40)
    quantiles = 100.0 * (1.0 - np.arange(5) / 5) ** (-1.0 / 1.5)
    x = np.concatenate((heap, quantiles))
    assert fitted(x, REFERENCE).size == 5
    assert fitted(x).size >= OURS.min_tail == 8


@pytest.mark.parametrize("scale", [1e-6, 3e-3, 7e5, 1e150])
def test_blind_to_scale(scale, rng):
    x = body_and_tail(rng, 200)
    fit, scaled = fitted(x), fitted(scale * x)
    assert scaled.size == fit.size
    assert scaled.alpha == pytest.approx(fit.alpha, rel=1e-12)
    assert scaled.xmin == pytest.approx(scale * fit.xmin, rel=1e-12)


def test_the_convention_of_the_reference_depends_on_scale(rng):
    x = body_and_tail(rng, 200)
    assert fit_tail(1e-9 * x, n=x.size, settings=REFERENCE) is None


def test_zeros_and_rounding_noise_are_no_part_of_the_data(rng):
    x = oracles.pareto(rng, 100, 2.5)
    noise = x[-1] * np.finfo(float).eps * np.linspace(0.0, 90.0, 50)
    assert fit_tail(np.concatenate((noise, x)), n=100, settings=OURS) == fitted(x)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(50),
        np.ones(50),
        np.linspace(1.0, 1.0 + 1e-9, 50),
        np.arange(1.0, 8.0),
        np.array([]),
    ],
    ids=["zero", "flat", "flat to rounding", "few", "empty"],
)
def test_no_tail_is_an_answer(values):
    assert fit_tail(values, n=50, settings=OURS) is None


def test_equal_values_are_in_the_tail_together(rng):
    x = np.repeat(oracles.pareto(rng, 40, 2.5), 3)
    fit = fitted(x)
    assert fit.size == np.count_nonzero(x >= fit.xmin)


# --- the interval -------------------------------------------------------------------------


def test_interval_is_at_least_as_wide_as_the_standard_error_says(rng):
    x = oracles.pareto(rng, 300, 2.5)
    fit = fitted(x)
    found = interval(x, fit, n=x.size, settings=OURS)
    half = 1.96 * max(fit.sigma, found.sd)
    assert found.sd > 0.0
    assert found.lo == pytest.approx(fit.alpha - half)
    assert found.hi == pytest.approx(fit.alpha + half)


def test_bootstrap_refits_resamples_of_the_whole_spectrum(rng):
    x = body_and_tail(rng, 40)
    draws = np.random.default_rng(OURS.seed)
    resamples = [np.sort(x[draws.integers(x.size, size=x.size)]).tolist() for _ in range(10)]
    alphas = [oracles.best_tail(values, OURS.min_tail)[1] for values in resamples]
    found = interval(x, fitted(x), n=x.size, settings=replace(OURS, bootstrap=10))
    assert found.sd == pytest.approx(np.std(alphas, ddof=1), rel=1e-9)


@pytest.mark.parametrize("alpha", [1.6, 3.0])
def test_interval_covers_the_planted_exponent(alpha, rng):
    """93 % and more; of 40 samples at least 34, a chance of 1 in 40 to miss by bad luck."""
    covered = 0
    for _ in range(40):
        x = oracles.pareto(rng, 80, alpha)
        found = interval(x, fitted(x), n=x.size, settings=OURS)
        covered += found.lo <= alpha <= found.hi
    assert covered >= 34


def test_an_exponent_of_exactly_two_is_hardly_ever_called_smaller(rng):
    samples = (oracles.pareto(rng, 100, 2.0) for _ in range(40))
    found = [interval(x, fitted(x), n=x.size, settings=OURS) for x in samples]
    assert sum(i.hi < 2.0 for i in found) <= 2


def test_interval_is_the_same_every_time_and_at_every_scale(rng):
    x = body_and_tail(rng, 100)
    first = interval(x, fitted(x), n=x.size, settings=OURS)
    assert interval(x, fitted(x), n=x.size, settings=OURS) == first
    scaled = interval(1e-6 * x, fitted(1e-6 * x), n=x.size, settings=OURS)
    assert (scaled.lo, scaled.hi, scaled.sd) == pytest.approx((first.lo, first.hi, first.sd))


def test_another_seed_draws_another_bootstrap(rng):
    x = body_and_tail(rng, 100)
    other = replace(OURS, seed=1)
    first = interval(x, fitted(x), n=x.size, settings=OURS)
    assert interval(x, fitted(x), n=x.size, settings=other).sd != first.sd


def test_interval_without_resamples_rests_on_the_standard_error(rng):
    x = oracles.pareto(rng, 100, 2.5)
    fit = fitted(x)
    found = interval(x, fit, n=x.size, settings=replace(OURS, bootstrap=1))
    assert math.isnan(found.sd)
    assert found.hi == pytest.approx(fit.alpha + 1.96 * fit.sigma)


# --- plausibility -------------------------------------------------------------------------


def test_a_power_law_is_a_plausible_power_law(rng):
    """p is uniform for true power laws: of 20 samples few are below 0.1."""
    samples = [oracles.pareto(rng, 150, 2.5) for _ in range(20)]
    p = [goodness_of_fit(x, fitted(x), n=x.size, settings=OURS) for x in samples]
    assert sum(value < 0.1 for value in p) <= 6
    assert max(p) > 0.5


def test_what_lies_below_a_tail_does_not_make_it_implausible(rng):
    samples = [
        np.sort(np.concatenate((rng.random(250), oracles.pareto(rng, 50, 3.0)))) for _ in range(20)
    ]
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
