import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.spectral.histogram import histogram

POSITIVE = st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=60)


@settings(deadline=None)
@given(values=POSITIVE, twin=POSITIVE)
def test_every_positive_eigenvalue_of_both_is_in_some_bin(values, twin):
    drawn = histogram(np.array(values), np.array(twin))
    assert drawn is not None
    assert sum(drawn.density) == pytest.approx(1.0, abs=1e-3)
    assert sum(drawn.twin) == pytest.approx(1.0, abs=1e-3)
    assert drawn.lo <= min(values + twin) * (1 + 1e-9)
    assert drawn.hi >= max(values + twin) * (1 - 1e-9)


def test_bins_are_equal_in_the_logarithm():
    drawn = histogram(np.array([1.0, 10.0, 10.0, 99.0, 1000.0, 10000.0]), None, bins=4)
    assert drawn is not None
    assert (drawn.lo, drawn.hi) == pytest.approx((1.0, 10000.0))
    assert drawn.density == pytest.approx([1 / 6, 3 / 6, 0.0, 2 / 6], abs=1e-4)
    assert drawn.twin == ()


def test_zeros_count_but_are_in_no_bin():
    drawn = histogram(np.array([0.0, 0.0, 1.0, 2.0]), np.zeros(4))
    assert drawn is not None
    assert sum(drawn.density) == 0.5
    assert sum(drawn.twin) == 0.0


def test_equal_eigenvalues_are_drawn_in_the_middle_of_a_decade():
    drawn = histogram(np.full(7, 4.0), None)
    assert drawn is not None
    assert drawn.hi / drawn.lo == pytest.approx(10.0)
    assert max(drawn.density) == 1.0
    assert drawn.lo < 4.0 < drawn.hi


@pytest.mark.parametrize("values", [np.zeros(3), np.empty(0)])
def test_nothing_is_drawn_without_a_positive_eigenvalue(values):
    assert histogram(values, np.ones(3)) is None


def test_densities_have_five_significant_digits(rng):
    drawn = histogram(rng.lognormal(size=777), rng.lognormal(size=777), bins=32)
    assert drawn is not None
    assert len(drawn.density) == len(drawn.twin) == 32
    assert all(float(f"{x:.5g}") == x for x in drawn.density + drawn.twin)
