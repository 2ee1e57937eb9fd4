import math

import numpy as np
import pytest

from auditor.metrics import capacity
from auditor.metrics.capacity import log_capacity_gauss, log_capacity_heavy
from auditor.metrics.norms import log_norm
from auditor.metrics.tail import alpha_weighted
from auditor.spectral.free_cumulants import free_cumulants
from tests.metrics.spectra import of, spectrum


def test_cumulants_are_of_eigenvalues_over_the_larger_side(rng):
    s = spectrum(rng.normal(size=(40, 25)), rng.normal(size=(40, 25)))
    found = [metric.compute(s) for metric in capacity.METRICS[:4]]
    assert found == list(free_cumulants(s.eigenvalues / 40))


def test_neither_capacity_ever_becomes_the_other(rng):
    heavy, light = of(rng.pareto(1.5, 200) + 1.0), of(rng.random(200))
    for s in (heavy, light):
        assert log_capacity_heavy(s) == alpha_weighted(s)
        assert log_capacity_gauss(s) == pytest.approx(log_norm(s))
    assert log_capacity_heavy(heavy) != log_capacity_gauss(heavy)


def test_a_layer_of_zeros_has_no_capacity():
    s = spectrum(np.zeros((20, 10)))
    assert math.isnan(log_capacity_heavy(s))
    assert math.isnan(log_capacity_gauss(s))
