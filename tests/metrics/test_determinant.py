import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.metrics.determinant import ERG_gap, detX_num, detX_val
from auditor.metrics.tail import num_pl_spikes
from auditor.records import FloatArray
from tests.metrics.spectra import of, spectrum
from tests.spectral import oracles

values = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=40).filter(lambda v: len(set(v)) > 1)


def printed(eigenvalues: FloatArray) -> int:
    """The definition, with products: fit for a few dozen eigenvalues."""
    largest_first = sorted(eigenvalues / np.mean(eigenvalues), reverse=True)
    products = np.cumprod(largest_first)
    return next((k for k, x in enumerate(products, 1) if x < 1.0), len(largest_first))


@oracles.steady
@given(values=values)
def test_counts_the_largest_until_their_product_falls_below_one(values):
    s = of(np.array(values))
    assert detX_num(s) == printed(s.eigenvalues)
    assert detX_val(s) == s.eigenvalues[-int(detX_num(s))]


def test_a_planted_determinant_is_found():
    assert detX_num(of(np.array([0.1, 0.1, 0.9, 1.0, 2.9]))) == 4.0  # 2.9, 2.9, 2.61, 0.261
    assert detX_val(of(np.array([0.1, 0.1, 0.9, 1.0, 2.9]))) == 0.1


def test_thousands_of_eigenvalues_neither_over_nor_underflow(rng):
    s = of(np.exp(rng.normal(scale=3.0, size=5000)))
    assert 1.0 < detX_num(s) < 5000.0
    logs = np.log(s.eigenvalues[::-1] / s.eigenvalues.mean())
    count = int(detX_num(s))
    assert math.fsum(logs[:count]) < 0.0 <= math.fsum(logs[: count - 1])


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scale_changes_no_count(scale, rng):
    values = rng.exponential(size=100)
    assert detX_num(of(scale * values)) == detX_num(of(values))


def test_a_zero_ends_the_product():
    assert detX_num(of(np.array([0.0, 0.0, 2.0, 3.0]))) == 3.0
    assert detX_val(of(np.array([0.0, 0.0, 2.0, 3.0]))) == 0.0


def test_where_all_are_needed_the_value_is_the_smallest_not_the_second_smallest():
    s = of(np.array([0.5, 0.7, 1.4, 1.4]))  # 1.4 · 1.4 · 0.7 > 1
    assert (detX_num(s), detX_val(s)) == (4.0, 0.5)


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0], [2.0, 2.0], [3.0]])
def test_undefined_where_all_eigenvalues_are_equal(values):
    s = of(np.array(values))
    assert all(math.isnan(metric(s)) for metric in (detX_num, detX_val, ERG_gap))


def test_the_gap_is_to_the_beginning_of_the_tail(rng):
    s = of(oracles.pareto(rng, 300, 2.5))
    assert ERG_gap(s) == detX_num(s) - num_pl_spikes(s)
    assert math.isnan(ERG_gap(spectrum(np.diag([1.0, 2.0, 3.0]))))  # no tail
