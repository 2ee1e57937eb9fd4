import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from safetensors.numpy import load_file

from auditor.records import FloatArray, Layer, Matrix
from auditor.spectral import shuffle
from auditor.spectral.matrices import cut
from auditor.spectral.twin import Twin, random_twin

RESNET20 = [(16, 16)] * 6 + [(32, 16)] + [(32, 32)] * 5 + [(64, 32)] + [(64, 64)] * 5
DIGITS = [(512, 64), (512, 512)]


def solve(gram: FloatArray) -> FloatArray:
    values: FloatArray = np.maximum(np.linalg.eigvalsh(gram), 0.0)
    return values


def eigenvalues(matrix: Matrix) -> FloatArray:
    w = matrix.astype(np.float64)
    return solve(w @ w.T if w.shape[0] < w.shape[1] else w.T @ w)


def twin_of(*slices: Matrix, seed: int = 0) -> Twin:
    own = [eigenvalues(w) for w in slices]
    return random_twin(slices, own, seed=seed, solve=solve)


def noise(rng: np.random.Generator, shape: tuple[int, int], count: int = 1) -> list[Matrix]:
    return [rng.standard_normal(shape).astype(np.float32) for _ in range(count)]


# --- the same twin ------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 40), (60, 30)])
def test_both_orientations_have_the_same_twin(rng, shape):
    (w,) = noise(rng, shape)
    plain, turned = twin_of(w), twin_of(np.ascontiguousarray(w.T))
    np.testing.assert_array_equal(plain.eigenvalues[0], turned.eigenvalues[0])
    assert plain.edges == turned.edges


def test_every_float_type_that_holds_the_entries_has_the_same_twin(rng):
    half = rng.standard_normal((50, 30)).astype(np.float16)
    twins = [twin_of(half.astype(t)).eigenvalues[0] for t in (np.float16, np.float32, np.float64)]
    np.testing.assert_array_equal(twins[0], twins[1])
    np.testing.assert_array_equal(twins[0], twins[2])


def test_only_the_entries_matter_and_not_their_order(rng):
    (w,) = noise(rng, (48, 20))
    other = rng.permutation(w.ravel()).reshape(w.shape)
    np.testing.assert_array_equal(twin_of(w).eigenvalues[0], twin_of(other).eigenvalues[0])


@pytest.mark.parametrize("scale", [2.0**-20, 1e-6, 1e-140, 1e100])
def test_the_twin_scales_with_the_matrix(rng, scale):
    w = rng.standard_normal((64, 64))
    w[3, 5] = 60.0
    plain, scaled = twin_of(w), twin_of(scale * w)
    assert scaled.eigenvalues[0] == pytest.approx(scale**2 * plain.eigenvalues[0], rel=1e-9)
    assert scaled.strength == pytest.approx(plain.strength, rel=1e-9)
    assert scaled.mean_shift == pytest.approx(plain.mean_shift, rel=1e-9)
    assert [t.entries[0][:2] for t in scaled.traps] == [(3, 5)]


def test_the_seed_chooses_the_twin(rng):
    (w,) = noise(rng, (64, 20))
    assert twin_of(w, seed=1).largest == twin_of(w, seed=1).largest
    assert twin_of(w, seed=1).largest != twin_of(w, seed=2).largest


def test_the_twin_keeps_the_entries_and_loses_their_order(rng):
    signal = np.outer(rng.standard_normal(80), rng.standard_normal(40))
    twin = twin_of(signal)
    assert twin.eigenvalues[0].sum() == pytest.approx(np.sum((signal - signal.mean()) ** 2))
    assert twin.largest < 0.2 * eigenvalues(signal)[-1]


def test_slices_of_a_layer_are_put_in_different_orders(rng):
    (w,) = noise(rng, (32, 32))
    one, two = twin_of(w, w).eigenvalues
    assert one[-1] != two[-1]


def test_threads_make_the_same_twins_as_one_after_the_other(rng):
    layers = [noise(rng, shape) for shape in [(70, 30), (50, 50), (90, 11)] * 6]
    alone = [twin_of(*layer).largest for layer in layers]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda layer: twin_of(*layer).largest, layers))
    assert together == alone


def test_kept_orders_are_bounded_and_dropping_them_changes_nothing(rng, monkeypatch):
    layers = [noise(rng, (40, m)) for m in (10, 20, 30)]
    before = [twin_of(*layer).largest for layer in layers]
    monkeypatch.setattr(shuffle, "MAX_BYTES", 4 * 40 * 30)
    assert [twin_of(*layer, seed=77).largest for layer in layers] != before
    assert sum(order.nbytes for order in shuffle._kept.values()) <= 4 * 40 * 30
    assert [twin_of(*layer).largest for layer in layers] == before
    monkeypatch.setattr(shuffle, "MAX_KEPT", 100)
    assert [twin_of(*layer).largest for layer in layers] == before


# --- traps --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(64, 64), (200, 50), (50, 200), (300, 300)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_planted_huge_entry_is_found_and_named(rng, shape, sign):
    (w,) = noise(rng, shape)
    w[17, 23] = sign * 2.5 * (w.size) ** 0.25
    (trap,) = twin_of(w).traps
    assert trap.entries == ((17, 23, float(w[17, 23])),)
    assert trap.eigenvalue > trap.edge


def test_two_huge_entries_are_two_traps_strongest_first(rng):
    (w,) = noise(rng, (128, 64))
    w[5, 6], w[100, 2] = 40.0, -80.0
    twin = twin_of(w)
    assert [trap.entries[0] for trap in twin.traps] == [(100, 2, -80.0), (5, 6, 40.0)]
    assert twin.strength == twin.traps[0].eigenvalue / twin.traps[0].edge


def test_a_gigantic_entry_hides_no_other_and_invents_none(rng):
    (w,) = noise(rng, (128, 64))
    w[1, 2], w[3, 4] = 1e10, 1e4
    assert [t.entries[0][:2] for t in twin_of(w).traps] == [(1, 2), (3, 4)]


def test_equal_huge_entries_are_named_once_each(rng):
    (w,) = noise(rng, (128, 64))
    w[[5, 60, 90], [6, 7, 8]] = 50.0
    named = {entry for trap in twin_of(w).traps for entry in trap.entries}
    assert named == {(5, 6, 50.0), (60, 7, 50.0), (90, 8, 50.0)}


def test_a_trap_is_found_in_the_slice_that_has_it(rng):
    slices = noise(rng, (64, 48), count=9)
    slices[4] *= np.float32(0.01)
    slices[4][10, 11] = 0.3
    twin = twin_of(*slices)
    assert [trap.entries for trap in twin.traps] == [((10, 11, float(np.float32(0.3))),)]
    assert twin.traps[0].edge == twin.edges[4]


def test_traps_of_all_slices_are_listed_strongest_first(rng):
    slices = noise(rng, (64, 48), count=3)
    slices[0][1, 1], slices[1][2, 2], slices[2][3, 3] = 25.0, 900.0, 100.0
    slices[1] *= np.float32(1e-3)  # strength is over the slice's own edge
    assert [trap.entries[0][0] for trap in twin_of(*slices).traps] == [2, 3, 1]


def test_the_mean_is_no_trap(rng):
    twin = twin_of(*[w + np.float32(2.0) for w in noise(rng, (64, 64))])
    assert twin.traps == ()
    assert twin.mean_shift == pytest.approx(2.0 * 4096**0.25, rel=0.05)


@pytest.mark.parametrize(
    ("shape", "slices", "layers"), [((48, 48), 1, 150), ((5, 16), 9, 100), ((8, 300), 1, 150)]
)
def test_noise_has_no_traps(rng, shape, slices, layers):
    found = [bool(twin_of(*noise(rng, shape, slices), seed=seed).traps) for seed in range(layers)]
    assert sum(found) <= 1


def test_signal_that_rests_on_order_is_no_trap(rng):
    (w,) = noise(rng, (128, 128))
    strong = w + 30.0 * np.outer(*(np.linalg.qr(rng.standard_normal((128, 1)))[0].T for _ in "uv"))
    assert twin_of(strong.astype(np.float32)).traps == ()


def test_a_pruned_matrix_has_no_traps(rng):
    (w,) = noise(rng, (128, 128))
    w[rng.random(w.shape) < 0.9] = 0.0
    assert twin_of(w).strength < 1.5


def test_the_only_entry_of_a_matrix_is_its_trap():
    w = np.zeros((64, 32), dtype=np.float32)
    w[9, 8] = 3.0
    assert [trap.entries for trap in twin_of(w).traps] == [((9, 8, 3.0),)]


@pytest.mark.parametrize("value", [0.0, 0.1, -7.0])
def test_a_constant_matrix_has_no_traps_and_nothing_to_decide(value):
    twin = twin_of(np.full((100, 60), value, dtype=np.float32))
    assert twin.traps == ()
    assert twin.largest == 0.0
    assert math.isnan(twin.strength)
    assert math.isnan(twin.mean_shift)
    assert twin.random_like is not True


def test_a_single_column_has_no_edge(rng):
    twin = twin_of(*noise(rng, (100, 1)))
    assert math.isnan(twin.edges[0])
    assert twin.traps == ()


def test_a_vocabulary_of_any_length_has_a_twin_of_all_its_entries(rng):
    (w,) = noise(rng, (70_000, 6))
    w[-1, 3] = -70.0
    twin = twin_of(w)
    assert [trap.entries for trap in twin.traps] == [((69_999, 3, -70.0),)]
    assert twin.eigenvalues[0][0] == pytest.approx(w.shape[0], rel=0.03)
    assert twin_of(np.ascontiguousarray(w.T)).largest == twin.largest


def test_an_untrained_vocabulary_is_random_like(rng):
    (w,) = noise(rng, (60_000, 200))
    twin = twin_of(w.astype(np.float32))
    assert twin.random_like
    assert twin.largest == pytest.approx(eigenvalues(w)[-1], rel=0.01)


# --- random-like --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_untrained_layers_are_random_like(rng, kind):
    layers = [[shape] * 9 for shape in RESNET20] + [[shape] for shape in DIGITS]
    verdicts = []
    for shapes in layers:
        bound = math.sqrt(6.0 / (len(shapes) * shapes[0][1]))  # Kaiming's
        draw = {"normal": rng.standard_normal, "uniform": lambda s: rng.uniform(-1.0, 1.0, s)}
        verdicts.append(twin_of(*[bound * draw[kind](s) for s in shapes]).random_like)
    assert verdicts.count(True) >= 0.95 * len(verdicts)


def test_a_random_layer_stays_random_like_whatever_its_mean(rng):
    verdicts = [twin_of(*[w + np.float32(0.4) for w in noise(rng, (96, 64))]).random_like]
    verdicts += [twin_of(*[w - np.float32(3.0) for w in noise(rng, (64, 64), 4)]).random_like]
    assert verdicts == [True, True]


def test_a_layer_with_signal_is_not_random_like(rng):
    (w,) = noise(rng, (96, 64))
    w += (
        3.0
        * 9.0
        * np.outer(*(np.linalg.qr(rng.standard_normal((s, 1)))[0][:, 0] for s in (96, 64)))
    )
    assert twin_of(w).random_like is False


@pytest.mark.parametrize("power", [1.25, 1.5, 0.6])
def test_a_layer_with_a_bent_spectrum_and_no_spike_is_not_random_like(rng, power):
    left, values, right = np.linalg.svd(rng.standard_normal((128, 128)))
    assert twin_of((left * values**power) @ right).random_like is False


def test_signal_is_not_excused_by_a_mean(rng):
    (w,) = noise(rng, (96, 64))
    pair = [np.linalg.qr(rng.standard_normal((s, 2)))[0] for s in (96, 64)]
    assert twin_of(1.0 + w + 30.0 * pair[0] @ pair[1].T).random_like is False


def test_below_fifty_eigenvalues_nothing_is_decided(rng):
    assert twin_of(*noise(rng, (500, 49))).random_like is None
    assert twin_of(*noise(rng, (500, 51))).random_like is not None


@pytest.mark.data
def test_no_layer_of_a_trained_resnet_is_random_like(data):
    tensors = load_file(data / "weights" / "resnet_cifar10" / "resnet20.safetensors")
    layers = [cut(name, values, "float32") for name, values in tensors.items()]
    twins = [twin_of(*layer.slices) for layer in layers if isinstance(layer, Layer)]
    assert sum(twin.random_like is False for twin in twins) == 18
    assert not any(twin.random_like for twin in twins)
