import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.records import FloatArray, Settings
from auditor.spectral.powerlaw import TailFit, fit_tail
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


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 3e-3, 7e5, 1e150])
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
        np.array([*range(1, 50), np.nan]),
        np.array([*range(1, 50), np.inf]),
    ],
    ids=["zero", "flat", "flat to rounding", "few", "empty", "not a number", "infinite"],
)
def test_no_tail_is_an_answer(values):
    assert fit_tail(values, n=50, settings=OURS) is None


def test_equal_values_are_in_the_tail_together(rng):
    x = np.repeat(oracles.pareto(rng, 40, 2.5), 3)
    fit = fitted(x)
    assert fit.size == np.count_nonzero(x >= fit.xmin)
