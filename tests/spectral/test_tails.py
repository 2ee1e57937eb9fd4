import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.records import FloatArray
from auditor.spectral.tails import Rule, search
from tests.spectral import oracles

EVERY = Rule(smallest=2, narrowest=0.0)


def spectra(n: int) -> st.SearchStrategy[FloatArray]:
    """A few samples of `n` values, ascending, some of them equal."""
    values = st.lists(st.integers(1, 40), min_size=n, max_size=n).map(sorted)
    return st.lists(values, min_size=1, max_size=4).map(lambda rows: np.array(rows, dtype=float))


@oracles.steady
@given(samples=st.integers(8, 40).flatmap(spectra), smallest=st.integers(2, 9))
def test_every_sample_gets_the_tail_that_trying_all_of_them_finds(samples, smallest):
    found = search(np.log(samples), Rule(smallest, narrowest=1e-9))
    for values, alpha, D in zip(samples.tolist(), found.alphas, found.D, strict=True):
        possible = len(values) >= smallest and values[-1] > values[0]
        assert math.isnan(D) == math.isnan(alpha) == (not possible)
        if possible:
            start, best = oracles.best_tail(values, smallest)
            assert abs(D - oracles.ks(values[start:], best)) < 1e-12


@pytest.mark.parametrize("size", [9, 100, 1100])
def test_a_sample_among_many_is_fitted_as_if_it_were_alone(size, rng):
    samples = np.log(np.stack([oracles.spliced(rng, size, 2.0) for _ in range(7)]))
    together = search(samples, Rule(8))
    for i, sample in enumerate(samples):
        alone = search(sample[None], Rule(8))
        assert (together.starts[i], together.alphas[i]) == (alone.starts[0], alone.alphas[0])
        assert together.D[i] == alone.D[0]


def test_a_constant_added_to_logarithms_changes_nothing(rng):
    sample = np.log(oracles.spliced(rng, 300, 2.5))[None]
    found, moved = search(sample, Rule(8)), search(sample + 64.0, Rule(8))
    assert found.starts == moved.starts
    assert moved.alphas == pytest.approx(found.alphas, rel=1e-9)


@pytest.mark.parametrize("samples", [np.zeros((3, 1)), np.zeros((2, 0)), np.zeros((0, 5))])
def test_samples_that_are_too_small_have_no_tail(samples):
    found = search(samples, EVERY)
    assert found.alphas.shape == (len(samples),)
    assert np.isnan(found.D).all()


def test_equal_values_have_no_tail_beside_samples_that_have_one(rng):
    samples = np.log(np.stack([np.full(50, 3.0), oracles.pareto(rng, 50, 2.5)]))
    found = search(samples, Rule(8))
    assert np.isnan(found.D).tolist() == np.isnan(found.alphas).tolist() == [True, False]


def test_tails_begin_only_where_they_may(rng):
    logs = np.log(oracles.spliced(rng, 400, 2.5))
    for lowest, highest in ((-0.3, -0.2), (0.5, 1.0), (1.0, 9.0)):
        found = search(logs[None], Rule(8, lowest=lowest, highest=highest))
        assert lowest <= logs[found.starts[0]] <= highest
    assert np.isnan(search(logs[None], Rule(8, lowest=50.0)).D[0])


def test_a_law_with_an_end_is_compared_with_one_that_ends_there(rng):
    values = oracles.pareto(rng, 500, 2.0)
    values = values[values < 20.0]
    logs = np.log(values)
    cut = search(logs[None], Rule(8, highest=logs[0], end=math.log(20.0)))
    alpha = oracles.power_law_alpha(values.tolist())
    share = 1.0 - (20.0 / values[0]) ** (1.0 - alpha)
    fitted = (1.0 - (values / values[0]) ** (1.0 - alpha)) / share
    printed = np.abs(fitted - np.arange(values.size) / values.size).max()
    assert cut.alphas[0] == pytest.approx(alpha, rel=1e-12)
    assert cut.D[0] == pytest.approx(printed, rel=1e-10)
