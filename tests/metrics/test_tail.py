import math
from typing import Any

import numpy as np
import pytest

from auditor.metrics import columns, tail
from auditor.records import FloatArray
from auditor.spectral.spectrum import Spectrum
from tests.metrics.spectra import of, spectrum
from tests.spectral import oracles

NAMES = [metric.name for metric in tail.METRICS]
SCALE_FREE = ["alpha", "alpha_lo", "alpha_hi", "alpha_sd", "D", "D_two_sided", "sigma"]
SCALE_FREE += ["num_pl_spikes", "alpha_hill"]


def values_of(s: Spectrum) -> dict[str, float]:
    return {metric.name: metric.compute(s) for metric in tail.METRICS}


def columns_of(s: Spectrum) -> dict[str, float]:
    return {metric.name: metric.compute(s) for metric in columns(s.settings)}


def heavy(rng: np.random.Generator, **settings: Any) -> Spectrum:
    return of(oracles.pareto(rng, 200, 2.5), **settings)


def test_columns_of_the_fit_are_those_of_the_tail(rng):
    s = heavy(rng)
    assert s.tail is not None
    found = values_of(s)
    assert found["alpha"] == s.tail.alpha
    assert (found["xmin"], found["xmax"]) == (s.tail.xmin, s.largest)
    assert (found["D"], found["D_two_sided"]) == (s.tail.D, s.tail.D_two_sided)
    assert found["num_pl_spikes"] == np.count_nonzero(s.eigenvalues >= s.tail.xmin)
    assert found["sigma"] == (s.tail.alpha - 1.0) / math.sqrt(found["num_pl_spikes"])
    assert found["alpha_weighted"] == s.tail.alpha * math.log10(s.largest)


def test_interval_columns_enclose_alpha(rng):
    found = values_of(heavy(rng))
    assert found["alpha_lo"] < found["alpha"] < found["alpha_hi"]
    half = 1.96 * max(found["alpha_sd"], found["sigma"])
    assert found["alpha_hi"] - found["alpha"] == pytest.approx(half)


@pytest.mark.parametrize("values", [np.zeros(20), np.ones(20), np.arange(1.0, 6.0)])
def test_without_a_tail_every_column_of_the_fit_is_undefined(values):
    assert all(math.isnan(value) for value in values_of(of(values)).values())


def test_no_bootstrap_no_interval(rng):
    found = values_of(heavy(rng, bootstrap=0))
    assert not math.isnan(found["alpha"])
    assert all(math.isnan(found[metric.name]) for metric in tail.INTERVAL_METRICS)


@pytest.mark.parametrize("scale", [1e-6, 1e3])
def test_scaling_the_weights_changes_no_exponent_and_no_count(scale, rng):
    w = rng.normal(size=(60, 40)) * rng.pareto(2.0, size=40)
    first, scaled = values_of(spectrum(w)), values_of(spectrum(scale * w))
    for name in SCALE_FREE:
        assert scaled[name] == pytest.approx(first[name], rel=1e-8), name


def test_plausibility_is_undefined_where_no_rule_is_about_to_judge(rng):
    assert math.isnan(tail.pl_pvalue(heavy(rng)))
    assert 0.0 <= tail.pl_pvalue(of(oracles.pareto(rng, 300, 1.4))) <= 1.0


def test_goodness_of_fit_is_there_for_every_layer_on_request(rng):
    found = columns_of(heavy(rng, goodness_of_fit=True))
    assert 0.0 <= found["pl_pvalue"] <= 1.0
    for name in ("tpl", "lognormal", "exponential"):
        assert math.isfinite(found[f"lr_{name}"])
        assert 0.0 <= found[f"lr_{name}_p"] <= 1.0
    assert found["lr_exponential"] > 2.0 > found["lr_lognormal"]


def test_likelihood_ratios_are_no_columns_where_nobody_asked(rng):
    s = heavy(rng)
    assert not {metric.name for metric in tail.RATIO_METRICS} & columns_of(s).keys()
    assert all(math.isnan(metric.compute(s)) for metric in tail.RATIO_METRICS)


def test_a_truncated_law_has_a_rate_and_no_interval(rng):
    x = oracles.pareto(rng, 200, 2.5)
    plain, s = of(x), of(x, fit="TPL")
    found = columns_of(s)
    assert found["Lambda"] >= 0.0
    assert found["alpha"] <= tail.alpha(plain)
    assert found["alpha_weighted"] == found["alpha"] * math.log10(s.largest)
    assert math.isnan(found["sigma"])
    assert not {"alpha_lo", "alpha_hi", "pl_pvalue"} & found.keys()
    assert s.plausibility is None


def test_xmin_of_a_truncated_law_is_that_of_the_power_law(rng):
    x = oracles.spliced(rng, 200, 2.0)
    plain, truncated = values_of(of(x)), values_of(of(x, fit="TPL"))
    assert truncated["xmin"] == plain["xmin"]
    assert truncated["num_pl_spikes"] == plain["num_pl_spikes"]


def test_fingers_that_were_left_out_are_counted():
    x = oracles.spliced(np.random.default_rng(4), 100, 2.5)
    plain, found = values_of(of(x)), columns_of(of(x, fix_fingers="clip_xmax"))
    assert found["num_fingers"] == 2.0
    assert found["raw_alpha"] == plain["alpha"] >= found["alpha"] + 1.0
    assert found["xmax"] == np.sort(x)[-3]
    assert math.isnan(plain["raw_alpha"])


def test_the_reference_counts_one_finger_less_than_it_leaves_out():
    x = oracles.spliced(np.random.default_rng(4), 100, 2.5)
    s = of(x, fix_fingers="clip_xmax", convention="weightwatcher")
    assert s.tail is not None
    assert tail.num_fingers(s) == max(s.tail.clipped - 1, 0)


@pytest.mark.parametrize("xmax", ["force", 40.0])
def test_a_tail_ends_where_it_was_told_to(xmax, rng):
    x = oracles.pareto(rng, 300, 2.5)
    found = values_of(of(x, xmax=xmax))
    assert found["xmax"] == (x[-1] if xmax == "force" else xmax)
    assert found["alpha_lo"] < found["alpha"] < found["alpha_hi"]


def test_alpha_norm_is_the_sum_of_powers(rng):
    s = heavy(rng)
    power = sum(value ** tail.alpha(s) for value in s.eigenvalues.tolist())
    assert tail.log_alpha_norm(s) == pytest.approx(math.log10(power), rel=1e-12)


def test_alpha_norm_does_not_overflow(rng):
    x: FloatArray = 1e250 * oracles.pareto(rng, 200, 2.5)
    assert 500.0 < tail.log_alpha_norm(of(x)) < 1000.0


def test_hill_is_the_formula_as_printed(rng):
    x = oracles.pareto(rng, 101, 2.5)
    largest = x[::-1].tolist()
    printed = 1.0 + 50 / sum(math.log(value / largest[50]) for value in largest[:50])
    assert tail.alpha_hill(of(x)) == pytest.approx(printed, rel=1e-12)


def test_hill_recovers_a_planted_exponent(rng):
    x = oracles.pareto(rng, 20_000, 3.0)
    assert tail.alpha_hill(of(x, bootstrap=0)) == pytest.approx(3.0, abs=4 * 2.0 / 100)
