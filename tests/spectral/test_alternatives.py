import math

import numpy as np
import pytest
from scipy.integrate import quad

from auditor.records import FloatArray
from auditor.spectral.alternatives import fit_truncated, likelihood_ratios
from tests.spectral import oracles


def truncated(rng: np.random.Generator, n: int, alpha: float, rate: float) -> FloatArray:
    """Draws from a truncated power law above 1, by rejection from the power law."""
    x = oracles.pareto(rng, 60 * n, alpha)
    kept = rng.permutation(x[rng.random(x.size) < np.exp(-rate * (x - 1.0))])[:n]
    assert kept.size == n
    return np.sort(kept)


def likelihood(tail: FloatArray, alpha: float, rate: float) -> float:
    """Logarithm of the likelihood of a truncated power law, normalised by quadrature."""
    t, scaled = tail / tail[0], rate * tail[0]
    whole = quad(lambda u: math.exp((1.0 - alpha) * u - scaled * math.expm1(u)), 0.0, 40.0)[0]
    return float((-alpha * np.log(t) - scaled * (t - 1.0)).sum() - t.size * math.log(whole))


def test_a_truncated_law_is_recovered(rng):
    fit = fit_truncated(truncated(rng, 1000, 1.8, 0.05))
    assert fit.alpha == pytest.approx(1.8, abs=0.15)
    assert fit.Lambda == pytest.approx(0.05, rel=0.4)
    assert abs(fit.D) < 1.5 / math.sqrt(1000)


@pytest.mark.parametrize("size", [10, 40, 300])
@pytest.mark.parametrize("alpha", [1.6, 4.5])
def test_no_parameters_nearby_are_likelier(size, alpha, rng):
    tail = truncated(rng, size, alpha, 0.1)
    fit = fit_truncated(tail)
    best = likelihood(tail, fit.alpha, fit.Lambda)
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0):
        assert likelihood(tail, fit.alpha, factor * fit.Lambda) <= best + 1e-9
        assert likelihood(tail, factor * fit.alpha, fit.Lambda) <= best + 1e-9
        assert likelihood(tail, factor * fit.alpha, fit.Lambda / factor) <= best + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_a_truncated_law_is_never_less_likely_than_the_power_law(seed):
    tail = oracles.pareto(np.random.default_rng(seed), 60, 2.0 + seed)
    fit = fit_truncated(tail)
    alpha = oracles.power_law_alpha(tail.tolist())
    plain = 60 * math.log(alpha - 1.0) - alpha * float(np.log(tail / tail[0]).sum())
    if fit.Lambda == 0.0:
        assert fit.alpha == pytest.approx(alpha, rel=1e-12)
    else:
        assert likelihood(tail, fit.alpha, fit.Lambda) >= plain
    assert fit.D_two_sided >= fit.D > 0.0


def test_the_power_law_itself_where_no_truncation_is_likelier():
    """A tail that ends later than the power law says wants a cut-off below 0."""
    tail = np.exp(np.concatenate((np.linspace(0.0, 1.0, 40), [6.0])))
    fit = fit_truncated(tail)
    assert fit.Lambda == 0.0
    assert fit.alpha == pytest.approx(oracles.power_law_alpha(tail.tolist()), rel=1e-12)
    assert abs(fit.D - oracles.ks(tail.tolist(), fit.alpha)) < 1e-12
    assert likelihood_ratios(tail).truncated.value == 0.0
    assert likelihood_ratios(tail).truncated.p == 1.0


@pytest.mark.parametrize("scale", [1e-12, 1e9])
def test_blind_to_scale(scale, rng):
    tail = truncated(rng, 80, 2.0, 0.1)
    fit, scaled = fit_truncated(tail), fit_truncated(scale * tail)
    assert scaled.alpha == pytest.approx(fit.alpha, rel=1e-6)
    assert scaled.Lambda * scale == pytest.approx(fit.Lambda, rel=1e-5)
    first, second = likelihood_ratios(tail), likelihood_ratios(scale * tail)
    assert second.truncated.value == pytest.approx(first.truncated.value, rel=1e-5)
    assert second.lognormal.p == pytest.approx(first.lognormal.p, rel=1e-3)


def test_the_sign_says_which_law_is_likelier(rng):
    power, exponential = oracles.pareto(rng, 800, 2.5), np.sort(1.0 + rng.exponential(1.0, 800))
    for tail, sign in ((power, 1.0), (exponential, -1.0)):
        found = likelihood_ratios(tail).exponential
        assert sign * found.value > 3.0
        assert found.p < 0.01
    assert likelihood_ratios(exponential).truncated.value < -3.0
    assert likelihood_ratios(exponential).lognormal.value < -3.0


def test_integers_a_narrow_tail_and_a_wide_one_raise_no_warning():
    for tail in (np.arange(1.0, 30.0), np.linspace(1.0, 1.001, 30), np.geomspace(1.0, 1e30, 30)):
        found = likelihood_ratios(tail)
        assert 0.0 <= found.lognormal.p <= 1.0
        assert fit_truncated(tail).Lambda >= 0.0
