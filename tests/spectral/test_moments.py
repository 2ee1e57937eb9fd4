import math

import numpy as np
import pytest
import scipy.stats

from auditor.spectral import moments
from auditor.spectral.moments import kurtosis


@pytest.mark.parametrize("draw", ["normal", "uniform", "laplace"])
def test_agrees_with_the_moments_of_all_entries(draw, rng, monkeypatch):
    monkeypatch.setattr(moments, "BLOCK", 64)
    slices = [getattr(rng, draw)(size=(40, 12)).astype(np.float32) for _ in range(3)]
    oracle = scipy.stats.kurtosis(np.concatenate(slices), axis=None, fisher=False)
    assert kurtosis(slices) == pytest.approx(float(oracle), rel=1e-6)


@pytest.mark.parametrize(("draw", "known"), [("normal", 3.0), ("uniform", 1.8), ("laplace", 6.0)])
def test_has_the_value_of_the_distribution(draw, known, rng):
    assert kurtosis([getattr(rng, draw)(size=(1000, 400))]) == pytest.approx(known, rel=0.03)


@pytest.mark.parametrize("scale", [1e-150, 1e-6, 1.0, 1e140])
def test_is_blind_to_scale_and_order(scale, rng):
    matrix = rng.normal(size=(60, 30)) + 2.0
    expected = kurtosis([matrix])
    assert kurtosis([scale * matrix]) == pytest.approx(expected, rel=1e-9)
    assert kurtosis([rng.permuted(matrix, axis=None)]) == pytest.approx(expected, rel=1e-12)


def test_equal_entries_have_none():
    assert math.isnan(kurtosis([np.full((300, 4), 0.1)]))
    assert math.isnan(kurtosis([np.zeros((3, 4))]))
