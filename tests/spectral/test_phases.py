from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq

from auditor.audit import measure
from auditor.records import Layer, Phase, Settings
from auditor.spectral.marchenko_pastur import cdf
from auditor.spectral.matrices import cut

Array = NDArray[Any]
OURS = Settings()


def phase(w: Array, settings: Settings = OURS) -> Phase:
    layer = cut("fc.weight", w, w.dtype.name)
    assert isinstance(layer, Layer)
    found = measure(layer, settings).measurement.phase
    assert found is not None
    return found


def side(rng: np.random.Generator, rows: int, columns: int) -> Array:
    return np.linalg.qr(rng.normal(size=(rows, columns)))[0]


def with_spectrum(rng: np.random.Generator, n: int, values: Array) -> Array:
    m = values.size
    w: Array = (side(rng, n, m) * np.sqrt(values)) @ side(rng, m, m).T
    return w


def spiked(rng: np.random.Generator, count: int, strength: float) -> Array:
    """Noise and `count` directions of so many times its typical norm."""
    signal = side(rng, 300, count) @ side(rng, 100, count).T
    w: Array = rng.normal(size=(300, 100)) + strength * np.sqrt(300.0) * signal
    return w


PLANTED = {
    "rank-collapse": lambda rng: rng.normal(size=(200, 40)) @ rng.normal(size=(40, 100)),
    "random-like": lambda rng: rng.normal(0.1, 0.02, size=(300, 100)),
    "heavy-tailed": lambda rng: with_spectrum(rng, 300, 1.0 + rng.pareto(1.8, size=200)),
    "bulk+spikes": lambda rng: spiked(rng, 5, 3.0),
    "bulk-decay": lambda rng: rng.normal(size=(300, 200)) * np.linspace(0.3, 1.7, 200),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_phase_is_found(name, rng):
    w = PLANTED[name](rng)
    found = phase(w)
    assert found.name == name, found.reason
    assert phase(1e-6 * w.T) == found


def test_spikes_just_beyond_the_edge_bleed_out(rng):
    y, places = 1.0 / 3.0, (np.arange(296) + 0.5) / 296
    lowest, highest = (1.0 - np.sqrt(y)) ** 2, (1.0 + np.sqrt(y)) ** 2
    bulk = [brentq(lambda x, p=p: cdf(x, y) - p, lowest, highest) for p in places]
    values = np.concatenate((bulk, highest * np.array([1.0, 1.02, 1.035, 1.05])))
    found = phase(with_spectrum(rng, 900, 900.0 * values))
    assert found.name == "bleeding-out"
    assert found.reason.startswith("3 spikes, 1.0% of the eigenvalues, gap ")


@pytest.mark.parametrize(("power", "degree"), [(0.6, "very"), (1.8, "moderately"), (3.6, "weakly")])
def test_a_heavy_tail_says_how_heavy(power, degree, rng):
    values = (1.0 - (np.arange(200) + 0.5) / 200) ** (-1.0 / power)
    found = phase(with_spectrum(rng, 250, values))
    assert found.name == "heavy-tailed"
    assert found.reason.startswith(f"{degree}, with α ")


def test_merely_heavy_tailed_entries_are_heavy_tailed_and_not_random(rng):
    w = rng.pareto(1.2, size=(200, 100)) * rng.choice([-1.0, 1.0], size=(200, 100))
    assert phase(w).name == "heavy-tailed"


def test_the_twin_goes_before_alpha(rng):
    found = phase(rng.normal(size=(150, 150)))  # square: its α alone would be 1.5
    assert found.name == "random-like"
    assert "deviation" in found.reason


def test_dead_units_and_layers_of_zeros_are_collapsed(rng):
    w = rng.normal(size=(120, 60))
    w[:, :10] = 0.0
    assert phase(w) == Phase("rank-collapse", "rank 50 of 60, below 95%")
    assert phase(np.zeros((60, 60))).name == "rank-collapse"


def test_one_direction_without_a_power_law_is_collapsed():
    w = np.diag(np.sqrt(np.append(np.full(59, 1e-3), 1.0)))
    found = phase(w, replace(OURS, min_evals=61))
    assert found == Phase("rank-collapse", "stable rank 1.06, below 1.5, and no power law")


def test_undetermined_below_fifty_eigenvalues(rng):
    found = phase(rng.normal(size=(300, 49)))
    assert found == Phase("undetermined", "49 eigenvalues, at least 50 are needed")
    assert phase(rng.normal(size=(300, 50))).name != "undetermined"


@pytest.mark.parametrize(
    ("without", "option"),
    [
        ({"randomize": False}, "randomize"),
        ({"bootstrap": 0}, "intervals"),
        ({"mp_fit": False}, "mp_fit"),
    ],
)
def test_undetermined_where_a_rule_needs_what_was_not_measured(without, option, rng):
    found = phase(spiked(rng, 5, 3.0), replace(OURS, **without))
    assert found == Phase("undetermined", f"not decided without {option}")


def test_what_comes_first_needs_nothing_of_what_comes_later(rng):
    nothing = Settings(bootstrap=0, mp_fit=False, randomize=False)
    assert phase(PLANTED["rank-collapse"](rng), nothing).name == "rank-collapse"
    twin = replace(nothing, randomize=True)
    assert phase(PLANTED["random-like"](rng), twin).name == "random-like"


def test_the_reference_knows_no_phases(rng):
    found = phase(rng.normal(size=(80, 60)), Settings(convention="weightwatcher"))
    assert found.name == "undetermined"


def test_slices_of_one_row_have_no_bulk_and_no_phase(rng):
    found = phase(rng.normal(size=(1, 64, 60)))
    assert found == Phase("undetermined", "no Marchenko-Pastur bulk can be fitted")


@pytest.mark.parametrize("shape", [(200, 80), (100, 100), (32, 16, 3, 3)])
def test_untrained_layers_are_random_like(shape, rng):
    names = [phase(rng.normal(scale=0.05, size=shape)).name for _ in range(10)]
    assert names.count("random-like") >= 8
