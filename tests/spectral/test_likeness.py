import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.records import FloatArray, Matrix
from auditor.spectral.eigenvalues import lapack, spectra
from auditor.spectral.likeness import counting_distance, explained
from auditor.spectral.twin import Twin, random_twin
from tests.spectral.oracles import steady

SHAPES = [((16, 16), 9, 40), ((64, 64), 1, 40), ((40, 160), 2, 30), ((256, 128), 1, 10)]


def twin_of(slices: list[Matrix], seed: int = 0) -> Twin:
    return random_twin(slices, spectra(slices), seed=seed, solve=lapack)


def truncated(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    values = rng.standard_normal(shape)
    while (far := np.abs(values) > 2.0).any():
        values[far] = rng.standard_normal(np.count_nonzero(far))
    return values


ENTRIES = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "uniform": lambda rng, shape: rng.uniform(-1.0, 1.0, shape),
    "truncated normal": truncated,
    "t5": lambda rng, shape: rng.standard_t(5, shape),
    "a small mean": lambda rng, shape: rng.uniform(-1.0, 1.2, shape),
    "a mean near the threshold": lambda rng, shape: (
        rng.standard_normal(shape) + 0.9 / math.prod(shape) ** 0.25
    ),
    "a mean": lambda rng, shape: rng.standard_normal(shape) + 0.5,
    "two values": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
}


# --- the distance -------------------------------------------------------------------------


def slow_distance(own: list[FloatArray], twins: list[list[FloatArray]]) -> float:
    """As printed: count at every eigenvalue of either, slices over the sums of the first twin."""
    sums = [values.sum() for values in twins[0]]

    def pooled(side: list[FloatArray]) -> list[float]:
        return [x / total for values, total in zip(side, sums, strict=True) for x in values]

    spectra = [pooled(side) for side in (own, *twins)]
    squares = []
    for x in (x for spectrum in spectra for x in spectrum):
        counts = [sum(y <= x for y in spectrum) for spectrum in spectra]
        squares.append((counts[0] - np.mean(counts[1:])) ** 2)
    return float(np.mean(squares)) / len(own)


ascending = st.lists(st.floats(0.1, 10.0), min_size=6, max_size=6).map(
    lambda values: np.sort(np.array(values))
)


@steady
@given(st.lists(st.tuples(ascending, ascending, ascending), min_size=1, max_size=3))
def test_distance_agrees_with_the_formula_as_printed(slices):
    own, *twins = (list(side) for side in zip(*slices, strict=True))
    assert counting_distance(own, twins) == pytest.approx(slow_distance(own, twins), abs=1e-9)


@steady
@given(st.lists(ascending, min_size=1, max_size=4), st.integers(-80, 80))
def test_distance_of_equal_spectra_is_zero_at_any_scale(slices, power):
    own = [values * 2.0**power for values in slices]
    assert counting_distance(own, [own]) == 0.0


def test_distance_is_blind_to_the_scale_of_each_slice(rng):
    own, twin = ([np.sort(rng.random(20)) for _ in range(3)] for _ in range(2))
    scales = 4.0, 2.0**-30, 2.0**90
    scaled = [[s * v for s, v in zip(scales, side, strict=True)] for side in (own, twin)]
    assert counting_distance(scaled[0], [scaled[1]]) == counting_distance(own, [twin])


def test_distance_counts_zeros(rng):
    values = np.sort(rng.random(20)) + 1.0
    dead = values.copy()
    dead[:6] = 0.0
    assert counting_distance([dead], [[values]]) > explained(20)


# --- what chance explains -----------------------------------------------------------------


@pytest.mark.parametrize(("shape", "slices"), [((16, 16), 9), ((64, 64), 1), ((120, 40), 2)])
def test_two_orders_of_the_same_entries_are_nearly_always_as_near_as_chance_explains(
    rng, shape, slices
):
    beyond = 0
    for _ in range(100):
        values = [rng.standard_normal(shape) for _ in range(slices)]
        own, twin = (
            spectra([rng.permutation(w.ravel()).reshape(shape) for w in values]) for _ in range(2)
        )
        beyond += counting_distance(own, [twin]) > explained(min(shape))
    assert beyond <= 3  # 0.5 % of 100 and 3.5 standard deviations


@pytest.mark.parametrize("kind", ENTRIES)
def test_layers_of_independent_entries_are_random_like(rng, kind):
    found = [
        twin_of([ENTRIES[kind](rng, shape) for _ in range(slices)], seed).random_like
        for shape, slices, layers in SHAPES
        for seed in range(layers)
    ]
    assert found.count(True) >= (0.94 if kind == "t5" else 0.97) * len(found)


@pytest.mark.wide
@pytest.mark.parametrize("kind", ENTRIES)
def test_hundreds_of_layers_of_independent_entries_are_random_like(rng, kind):
    shapes = [*((shape, slices, 8 * layers) for shape, slices, layers in SHAPES)]
    shapes += [((2048, 768), 1, 2), ((512, 64), 1, 200), ((8, 8), 9, 200)]
    found = [
        twin_of([ENTRIES[kind](rng, shape) for _ in range(slices)], seed).random_like
        for shape, slices, layers in shapes
        for seed in range(layers)
    ]
    assert found.count(True) >= (0.95 if kind == "t5" else 0.98) * len(found)


def test_one_twin_decides_for_an_untrained_layer(rng):
    solved = []

    def solve(gram):
        solved.append(gram.shape)
        return lapack(gram)

    for seed in range(20):
        w = rng.standard_normal((96, 64))
        random_twin([w], spectra([w]), seed=seed, solve=solve)
    assert len(solved) <= 25


# --- what is no twin ----------------------------------------------------------------------


def test_an_orthogonal_layer_is_not_random_like(rng):
    w = np.linalg.qr(rng.standard_normal((128, 64)))[0]
    assert twin_of([w]).random_like is False


@pytest.mark.parametrize("strength", [2.0, 10.0])
def test_a_planted_direction_is_not_excused_by_a_large_entry(rng, strength):
    left, right = (np.linalg.qr(rng.standard_normal((k, 1)))[0] for k in (128, 96))
    w = rng.standard_normal((128, 96)) + strength * (128 * 96) ** 0.25 * left @ right.T
    w[3, 4] += 2.0 * (128 * 96) ** 0.25
    assert twin_of([w]).random_like is False


def test_a_huge_entry_alone_leaves_a_layer_random_like(rng):
    w = rng.standard_normal((128, 96))
    w[3, 4] = 2.0 * (128 * 96) ** 0.25
    twin = twin_of([w])
    assert len(twin.traps) == 1
    assert twin.random_like is True


def test_rows_of_different_size_are_not_random_like(rng):
    w = rng.standard_normal((200, 100)) * np.linspace(0.5, 1.5, 200)[:, np.newaxis]
    twin = twin_of([w])
    assert twin.random_like is False
    assert twin.likeness is not None
    assert twin.likeness.deviation > 1.0


def test_slices_that_deviate_alike_add_up(rng):
    column = np.linspace(0.5, 1.5, 16)[:, np.newaxis]
    slices = [rng.standard_normal((16, 16)) * column for _ in range(49)]
    assert twin_of(slices).random_like is False
