import math
from dataclasses import replace

import numpy as np
import pytest

from auditor.records import FloatArray, Settings
from auditor.spectral.fingers import around_peak, clipped
from auditor.spectral.powerlaw import TailFit, fit_tail
from auditor.spectral.uncertainty import goodness_of_fit, interval
from tests.spectral import oracles

PLAIN = Settings()
CLIP = Settings(fix_fingers="clip_xmax")
PEAK = Settings(fix_fingers="xmin_peak")


def fitted(x: FloatArray, settings: Settings) -> TailFit:
    fit = fit_tail(x, n=x.size, settings=settings)
    assert fit is not None
    return fit


def with_fingers() -> FloatArray:
    """One of few samples whose two largest values pull the fit away."""
    return oracles.spliced(np.random.default_rng(4), 100, 2.5)


@pytest.mark.parametrize(
    ("alphas", "count"),
    [
        ([4.9, 4.0, 3.0], 2),
        ([4.0, 3.0], 1),
        ([4.9, 4.5], 0),
        ([1.9, 1.8, 3.0], 3),
        ([math.nan, 3.5], 2),
    ],
)
def test_the_fewest_are_clipped_that_bring_alpha_down_by_one(alphas, count):
    def alpha(dropped: int) -> float:
        return alphas[dropped - 1] if dropped <= len(alphas) else math.nan

    assert clipped(5.0, alpha, is_reference=False) == count


@pytest.mark.parametrize(("alphas", "count"), [([1.5], 2), ([4.5, 1.9], 3), ([1.0, 1.9], 2)])
def test_the_reference_starts_with_two_and_takes_an_alpha_below_two(alphas, count):
    assert clipped(5.0, lambda dropped: alphas[dropped - 2], is_reference=True) == count


def test_the_reference_gives_up_at_an_alpha_of_two():
    alphas = {2: 2.0, 3: 1.0}
    assert clipped(2.5, lambda dropped: alphas[dropped], is_reference=True) == 0


def test_at_most_ten_are_tried():
    tried: list[int] = []

    def alpha(dropped: int) -> float:
        tried.append(dropped)
        return math.nan

    assert clipped(5.0, alpha, is_reference=False) == 0
    assert tried == list(range(1, 11))


def test_a_fit_without_fingers_is_that_of_the_values_without_them():
    x = with_fingers()
    raw, fit = fitted(x, PLAIN), fitted(x, CLIP)
    assert fit.raw_alpha == raw.alpha
    assert fit.clipped == 2
    assert fit.raw_alpha - fit.alpha >= 1.0
    bare = fitted(x[: -fit.clipped], PLAIN)
    assert (fit.alpha, fit.xmin, fit.xmax) == (bare.alpha, bare.xmin, x[-fit.clipped - 1])
    assert fit.size == bare.size


def test_where_nothing_sticks_out_nothing_is_clipped(rng):
    x = oracles.pareto(rng, 200, 2.5)
    fit = fitted(x, CLIP)
    assert (fit.clipped, fit.raw_alpha) == (0, fit.alpha)
    assert replace(fit, raw_alpha=math.nan) == pytest.approx(fitted(x, PLAIN), nan_ok=True)


def test_clipped_values_have_no_part_in_the_interval_and_the_goodness_of_fit():
    x = with_fingers()
    fit = fitted(x, CLIP)
    bare, rest = fitted(x[: -fit.clipped], PLAIN), x[: -fit.clipped]
    found = interval(x, fit, n=x.size, settings=CLIP)
    assert found == interval(rest, bare, n=x.size, settings=PLAIN)
    p = goodness_of_fit(x, fit, n=x.size, settings=CLIP)
    assert p == goodness_of_fit(rest, bare, n=x.size, settings=PLAIN)


def test_xmin_lies_around_the_peak_of_the_logarithms(rng):
    x = np.sort(np.concatenate((np.exp(rng.normal(1.0, 0.2, 500)), oracles.pareto(rng, 100, 2.0))))
    fit = fitted(x, PEAK)
    counts, edges = np.histogram(np.log10(x), bins=100)
    peak = 10.0 ** edges[counts.argmax()]
    assert 0.95 * peak <= fit.xmin <= 1.5 * peak
    assert fitted(x, PLAIN).xmin > 1.5 * peak


def test_without_enough_values_around_the_peak_there_is_no_tail():
    x = np.concatenate((np.geomspace(1.0, 2.0, 30), np.full(30, 50.0), [51.0, 52.0, 53.0, 54.0]))
    assert fit_tail(x, n=x.size, settings=replace(PEAK, min_tail=40)) is None


def test_the_reference_looks_below_the_peak_by_a_logarithm(rng):
    x = oracles.pareto(rng, 300, 2.5)
    lowest, highest = around_peak(x, is_reference=False)
    theirs, below = around_peak(x, is_reference=True)
    assert theirs == pytest.approx(math.log10(lowest))
    assert below < highest
