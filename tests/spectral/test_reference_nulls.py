import math

import numpy as np
import pytest

from auditor.records import FloatArray, Matrix
from auditor.spectral.eigenvalues import lapack, spectra
from auditor.spectral.reference_nulls import fit_density, reference_twin
from auditor.spectral.twin import Twin


def pooled(slices: list[Matrix]) -> FloatArray:
    return np.sort(np.concatenate(spectra(slices)))


def twin_of(slices: list[Matrix], *, components: int = 200, factor: float = 1.0) -> Twin:
    return reference_twin(slices, factor, components=components, seed=3, solve=lapack)


def misfit(values: FloatArray, q: float, sigma: float) -> float:
    """Squared residuals of the law at 1000 points of a triangular kernel's density, as printed."""
    points = np.linspace(0.0, values.max() + 0.5, 1000)
    distances = np.abs(points[:, np.newaxis] - values) / 0.1
    density = np.maximum(1.0 - distances, 0.0).mean(axis=1) / 0.1
    points, density = points[density > 0.01], density[density > 0.01]
    lower, upper = (sigma * (1 - q**-0.5)) ** 2, (sigma * (1 + q**-0.5)) ** 2
    mode = points[np.argmax(density)]
    if not (lower <= mode <= upper <= points[-1]):
        return math.inf
    total = 0.0
    for x, y in zip(points, density, strict=True):
        inside = lower < x < upper
        law = math.sqrt((upper - x) * (x - lower)) / x if inside else 0.0
        total += (law * q / (2 * math.pi * sigma**2) - y) ** 2
    return total


@pytest.mark.parametrize("shape", [(300, 100), (200, 190)])
def test_sigma_is_where_the_misfit_is_least(rng, shape):
    values = pooled([rng.standard_normal(shape)])
    found = fit_density(values, *shape)
    assert found is not None
    scaled, q = values / values.mean(), shape[0] / shape[1]
    best = misfit(scaled, q, found.sigma[0])
    others = [misfit(scaled, q, found.sigma[0] * factor) for factor in (0.95, 0.99, 1.01, 1.05)]
    assert best <= min(others)


def test_noise_has_the_bulk_of_noise(rng):
    found = fit_density(pooled([2.0 * rng.standard_normal((600, 200))]), 600, 200)
    assert found is not None
    assert found.sigma[0] == pytest.approx(1.0, rel=0.02)
    assert found.upper[0] == pytest.approx(4.0 * (600**0.5 + 200**0.5) ** 2, rel=0.05)
    assert found.lower[0] == pytest.approx(4.0 * (600**0.5 - 200**0.5) ** 2, rel=0.05)
    assert found.num_spikes == 0


def test_the_edge_hides_a_spike_that_ours_would_show(rng):
    left, right = (np.linalg.qr(rng.standard_normal((k, 1)))[0] for k in (300, 100))
    strengths = {
        strength: rng.standard_normal((300, 100)) + strength * 30000**0.25 * left @ right.T
        for strength in (1.3, 4.0)
    }
    found = {key: fit_density(pooled([w]), 300, 100) for key, w in strengths.items()}
    assert {key: bulk and bulk.num_spikes for key, bulk in found.items()} == {1.3: 0, 4.0: 1}


def test_square_matrices_are_fitted_by_a_quarter_circle(rng):
    found = fit_density(pooled([rng.standard_normal((300, 300))]), 300, 300)
    assert found is not None
    assert found.lower[0] == 0.0
    assert found.sigma[0] == pytest.approx(1.0, rel=0.05)


def test_nothing_is_fitted_to_zeros():
    assert fit_density(np.zeros(20), 40, 20) is None


def test_scale_moves_the_bulk_and_nothing_else(rng):
    values = pooled([rng.standard_normal((90, 60))])
    plain, scaled = (fit_density(factor * values, 90, 60) for factor in (1.0, 2.0**40))
    assert plain is not None
    assert scaled is not None
    assert scaled.sigma == plain.sigma
    assert scaled.spikes == plain.spikes
    assert scaled.upper[0] == 2.0**40 * plain.upper[0]


def test_twin_keeps_the_mean(rng):
    w = rng.standard_normal((120, 80)) + 3.0
    assert twin_of([w]).largest == pytest.approx(np.sum(w) ** 2 / w.size, rel=0.01)


@pytest.mark.parametrize(("components", "twins"), [(99, 5), (100, 1)])
def test_small_layers_have_five_twins_and_all_are_compared_with_one_more(rng, components, twins):
    slices = [rng.standard_normal((11, 9)) for _ in range(3)]
    found = twin_of(slices, components=components, factor=0.5)
    assert len(found.eigenvalues) == 3 * twins
    assert len(found.others) == 3
    sums = [values.sum() for values in (*found.eigenvalues, *found.others)]
    assert sums == pytest.approx(0.5 * np.tile([np.sum(w**2) for w in slices], twins + 1))
    assert len({float(values[-1]) for values in (*found.eigenvalues, *found.others)}) == len(sums)
