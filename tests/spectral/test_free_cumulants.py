import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.records import FloatArray
from auditor.spectral.eigenvalues import eigenvalues
from auditor.spectral.free_cumulants import free_cumulants
from tests.spectral import oracles


def printed(values: FloatArray) -> list[float]:
    """Moments to cumulants over non-crossing partitions, as in the textbook."""
    m1, m2, m3, m4 = (float(np.mean(values**k)) for k in (1, 2, 3, 4))
    return [
        m1,
        m2 - m1**2,
        m3 - 3 * m1 * m2 + 2 * m1**3,
        m4 - 4 * m1 * m3 - 2 * m2**2 + 10 * m1**2 * m2 - 5 * m1**4,
    ]


@oracles.steady
@given(values=st.lists(st.floats(0, 100), min_size=1, max_size=30).map(np.array))
def test_agrees_with_the_formulas_as_printed(values):
    top = float(values.max())
    for k, (found, said) in enumerate(zip(free_cumulants(values), printed(values), strict=True), 1):
        assert found == pytest.approx(said, rel=1e-9, abs=1e-11 * top**k)


def test_a_semicircle_has_no_cumulant_beyond_the_second(rng):
    w = rng.normal(size=(400, 400))
    found = free_cumulants(np.linalg.eigvalsh(w + w.T) / np.sqrt(400) + 10.0)
    assert found == pytest.approx([10.0, 2.0, 0.0, 0.0], abs=0.15)


@pytest.mark.parametrize(("n", "m"), [(900, 300), (500, 500)])
@pytest.mark.parametrize("sigma", [0.02, 3.0])
def test_gaussian_entries_have_those_of_the_marchenko_pastur_law(n, m, sigma, rng):
    found = free_cumulants(eigenvalues(rng.normal(scale=sigma, size=(n, m))) / n)
    law = [sigma ** (2 * k) * (m / n) ** (k - 1) for k in (1, 2, 3, 4)]
    assert found == pytest.approx(law, rel=0.15)


def test_independent_matrices_add_up(rng):
    one, two = (np.diag(rng.exponential(size=300)) for _ in range(2))
    turn = np.linalg.qr(rng.normal(size=(300, 300)))[0]
    both = free_cumulants(np.linalg.eigvalsh(one + turn @ two @ turn.T))
    parts = zip(free_cumulants(np.diag(one)), free_cumulants(np.diag(two)), strict=True)
    assert both == pytest.approx([a + b for a, b in parts], rel=0.03)


@pytest.mark.parametrize("scale", [1e-60, 1e70])
def test_scales_as_powers(scale):
    values = np.array([1.0, 2.0, 7.0])
    for k, (one, two) in enumerate(
        zip(free_cumulants(values), free_cumulants(scale * values), strict=True), start=1
    ):
        assert two == pytest.approx(one * scale**k, rel=1e-12)


def test_a_power_that_overflows_is_infinite_without_a_warning():
    assert free_cumulants(np.array([1e200, 2e200]))[1] == np.inf
    assert free_cumulants(np.zeros(3)) == (0.0, 0.0, 0.0, 0.0)
