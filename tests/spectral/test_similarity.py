import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file
from scipy.linalg import subspace_angles

from auditor.records import FloatArray, Matrix
from auditor.spectral.difference import difference_spectrum, effective_rank
from auditor.spectral.distances import weight_distances
from auditor.spectral.similarity import (
    BLOCK,
    cka_distance,
    subspace_overlap,
    ww_cka,
)
from tests.spectral.oracles import pareto, sides, steady

SHAPES = [(7, 5), (5, 7), (6, 6), (1, 4), (4, 1)]
SCALES = [1e-300, 1e-170, 1e-30, 1.0, 1e140]

pairs = st.tuples(sides, sides).flatmap(
    lambda shape: st.tuples(
        *2 * [hnp.arrays(np.float64, shape, elements=st.floats(-10, 10, width=16))]
    )
)


def slices(rng: np.random.Generator, shape: tuple[int, int], count: int = 3) -> list[Matrix]:
    return [rng.standard_normal(shape) for _ in range(count)]


def orthogonal(rng: np.random.Generator, n: int) -> FloatArray:
    return np.asarray(np.linalg.qr(rng.standard_normal((n, n)))[0])


def norm(matrix: FloatArray) -> float:
    return float(np.linalg.norm(matrix))


# --- products -----------------------------------------------------------------------------


def linear_cka(x: FloatArray, y: FloatArray) -> float:
    """Kornblith et al. (2019) Eq. 3: HSIC of the kernels of the rows, as printed."""
    n = len(x)
    h = np.eye(n) - np.ones((n, n)) / n
    k, m = h @ x @ x.T @ h, h @ y @ y.T @ h
    return float(np.trace(k @ m) / math.sqrt(np.trace(k @ k) * np.trace(m @ m)))


@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (6, 6), (4, 1)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_cka_distance_is_one_less_the_mean_cka_of_the_slices(rng, shape, dtype):
    before, after = ([w.astype(dtype) for w in slices(rng, shape)] for _ in range(2))
    expected = 1 - np.mean(
        [
            linear_cka(*(w.astype(np.float64) for w in pair))
            for pair in zip(before, after, strict=True)
        ]
    )
    assert cka_distance(before, after) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_ww_cka_is_the_references_formula(rng, shape):
    before, after = slices(rng, shape), slices(rng, shape)
    expected = np.mean(
        [
            norm(a.T @ b) / math.sqrt(norm(a.T @ a) * norm(b @ b.T))
            for a, b in zip(before, after, strict=True)
        ]
    )
    assert ww_cka(before, after) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_neither_changes_with_the_scale_of_a_version(rng, scale):
    before, after = slices(rng, (8, 6)), slices(rng, (8, 6))
    scaled = [scale * w for w in after]
    assert cka_distance(before, scaled) == pytest.approx(cka_distance(before, after), abs=1e-12)
    assert ww_cka(before, scaled) == pytest.approx(ww_cka(before, after), rel=1e-12)


def test_a_rotation_of_the_inputs_is_no_change_to_cka(rng):
    before = slices(rng, (40, 12), count=1)
    turned = [before[0] @ orthogonal(rng, 12)]
    assert cka_distance(before, turned) == pytest.approx(0.0, abs=1e-12)
    assert ww_cka(before, turned) == pytest.approx(1.0, abs=1e-12)


def test_a_constant_added_to_every_row_is_no_change_to_cka(rng):
    before = slices(rng, (40, 12), count=1)
    moved = [before[0] + 100.0 * rng.standard_normal(12)]
    assert cka_distance(before, moved) == pytest.approx(0.0, abs=1e-9)
    assert ww_cka(before, moved) < 0.9


@steady
@given(pairs)
def test_products_are_bounded_symmetric_and_exact_for_equal_matrices(pair):
    before, after = ([w] for w in pair)
    for of, same in ((cka_distance, 0.0), (ww_cka, 1.0)):
        found = of(before, after)
        assert math.isnan(found) or 0.0 <= found <= 1.0
        assert of(after, before) == pytest.approx(found, abs=1e-9, nan_ok=True)
        assert math.isnan(of(before, before)) or of(before, [pair[0].copy()]) == same


def test_products_are_undefined_where_a_version_has_nothing(rng):
    some, none = slices(rng, (5, 4)), [np.zeros((5, 4))] * 3
    alike = [np.tile(rng.standard_normal(4), (5, 1))] * 3
    assert math.isnan(ww_cka(some, none))
    assert math.isnan(cka_distance(some, none))
    assert math.isnan(cka_distance(some, alike))  # equal rows leave nothing once centred
    assert math.isnan(cka_distance(slices(rng, (1, 4)), slices(rng, (1, 4))))


def test_a_slice_that_defines_nothing_is_in_no_mean(rng):
    before, after = slices(rng, (5, 4)), slices(rng, (5, 4))
    more = [*after[:-1], np.zeros((5, 4))]
    assert ww_cka(before, more) == ww_cka(before[:-1], after[:-1])
    assert cka_distance(before, more) == cka_distance(before[:-1], after[:-1])


@pytest.mark.parametrize("shape", [(BLOCK // 50, 60), (60, BLOCK // 50)])
def test_matrices_larger_than_a_block_are_taken_whole(rng, shape):
    before, after = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    x, y = (w.astype(np.float64) for w in (before, after))
    expected = (
        norm(x.T @ y) / math.sqrt(norm(x.T @ x) * norm(y.T @ y))
        if x.shape[1] < 100
        else (math.sqrt(np.vdot(x @ x.T, y @ y.T) / norm(x @ x.T) / norm(y @ y.T)))
    )
    assert ww_cka([before], [after]) == pytest.approx(expected, rel=1e-10)


# --- subspaces ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(30, 12), (12, 30), (20, 20)])
@pytest.mark.parametrize("k", [1, 3, 12])
def test_overlap_is_the_mean_squared_cosine_of_the_principal_angles(rng, shape, k):
    one, two = rng.standard_normal(shape), rng.standard_normal(shape)
    tops = (np.linalg.svd(w)[2][:k].T for w in (one, two))
    expected = np.mean(np.cos(subspace_angles(*tops)) ** 2)
    assert subspace_overlap([one], [two], [k]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("shape", [(40, 25), (25, 40)])
def test_planted_directions_are_found_again_whatever_is_beside_them(rng, shape):
    shared = orthogonal(rng, shape[1])[:, :3]
    one, two = (
        1000.0 * orthogonal(rng, shape[0])[:, :3] @ shared.T + rng.standard_normal(shape)
        for _ in range(2)
    )
    assert subspace_overlap([one], [two], [3]) > 0.99
    assert subspace_overlap([one], [two @ orthogonal(rng, shape[1])], [3]) < 0.5


def test_orthogonal_directions_do_not_overlap():
    one, two = np.zeros((6, 4)), np.zeros((6, 4))
    one[0, 0], two[0, 1] = 5.0, 5.0
    assert subspace_overlap([one], [two], [1]) == 0.0


@pytest.mark.parametrize("scale", SCALES)
def test_overlap_does_not_change_with_scale(rng, scale):
    one, two = rng.standard_normal((2, 9, 14))
    plain = subspace_overlap([one], [two], [4])
    assert subspace_overlap([scale * one], [two], [4]) == pytest.approx(plain, abs=1e-12)


@steady
@given(pairs, st.integers(1, 12))
def test_overlap_is_bounded_and_one_for_equal_matrices(pair, k):
    one, two = pair
    found = subspace_overlap([one], [two], [k])
    assert 0.0 <= found <= 1.0 if one.any() and two.any() else math.isnan(found)
    assert not one.any() or subspace_overlap([one], [one.copy()], [k]) == 1.0


def test_only_slices_with_a_tail_count(rng):
    before, after = slices(rng, (9, 6)), slices(rng, (9, 6))
    alone = subspace_overlap(before[:1], after[:1], [2])
    assert subspace_overlap(before, after, [2, 0, 0]) == alone
    assert math.isnan(subspace_overlap(before, after, [0, 0, 0]))


# --- the difference -----------------------------------------------------------------------


@pytest.mark.parametrize("rank", [1, 4])
def test_a_low_rank_update_has_its_rank(rng, rank):
    before = rng.standard_normal((60, 40))
    update = orthogonal(rng, 60)[:, :rank] @ orthogonal(rng, 40)[:rank]
    found = difference_spectrum([before], [before + update])
    assert found["delta_rank"] == pytest.approx(rank, abs=1e-6)


def test_the_rank_of_an_update_counts_strong_directions_more(rng):
    sizes = np.array([1.0, 0.5, 0.25])
    update = orthogonal(rng, 30)[:, :3] * sizes @ orthogonal(rng, 20)[:3]
    p = sizes / sizes.sum()
    found = difference_spectrum([np.zeros((30, 20))], [update])["delta_rank"]
    assert found == pytest.approx(math.exp(-(p * np.log(p)).sum()), abs=1e-9)


def test_the_tail_of_an_update_is_found(rng):
    values = pareto(rng, 400, alpha=2.5)
    update = orthogonal(rng, 400) * np.sqrt(values) @ orthogonal(rng, 400)
    before = rng.standard_normal((400, 400))
    found = difference_spectrum([before], [before + update])["delta_alpha"]
    assert found == pytest.approx(2.5, abs=0.4)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_an_update_is_described_alike_at_every_scale(rng, scale):
    before, after = slices(rng, (20, 16)), slices(rng, (20, 16))
    plain = difference_spectrum(before, after)
    scaled = difference_spectrum([scale * w for w in before], [scale * w for w in after])
    assert scaled == pytest.approx(plain, rel=1e-9)


def test_where_nothing_was_added_there_is_no_tail(rng):
    before = slices(rng, (20, 16))
    found = difference_spectrum(before, [w.copy() for w in before])
    assert found["delta_rank"] == 0.0
    assert math.isnan(found["delta_alpha"])


def test_few_eigenvalues_have_a_rank_and_no_tail(rng):
    found = difference_spectrum(slices(rng, (6, 2)), slices(rng, (6, 2)))
    assert 1.0 < found["delta_rank"] <= 6.0
    assert math.isnan(found["delta_alpha"])


@steady
@given(hnp.arrays(np.float64, sides, elements=st.floats(0.0, 1e100)))
def test_effective_rank_is_between_one_and_the_number_of_values(values):
    values = np.sort(values)
    found = effective_rank(values)
    positive = int(np.count_nonzero(values))
    assert found == 0.0 if positive == 0 else 1.0 - 1e-12 <= found <= positive + 1e-9


# --- the reference ------------------------------------------------------------------------

COMPARED = [
    "distiller_resnet20/4D_regularized_5Lremoved__VS__4D_regularized_5Lremoved_finetuned",
    "distiller_resnet20/channel_regularized_resnet20__VS__channel_regularized_resnet20_finetuned",
    "resnet_cifar10/resnet20__VS__resnet20",
    "ulfd_trajectory/RFB_epoch000__VS__RFB_epoch499",
]


def compared(
    data: Path, pair: str, method: str
) -> Iterator[tuple[float, list[Matrix], list[Matrix]]]:
    """The reference's number of a layer, with the slices of both versions as it has them."""
    one, two = pair.partition("/")[2].split("__VS__")
    before, after = (
        load_file(data / "weights" / pair.partition("/")[0] / f"{name}.safetensors")
        for name in (one, two)
    )
    with (data / "golden" / f"{pair}__{method}.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            name = f"{row['longname']}.weight"
            yield float(row["delta_W"]), as_reference(before[name]), as_reference(after[name])


def as_reference(weight: Matrix) -> list[Matrix]:
    """A matrix, or the slices of a convolution with their longer side first."""
    if weight.ndim == 2:
        return [weight]
    stack = np.moveaxis(weight.reshape(*weight.shape[:2], -1), 2, 0)
    return list(stack if weight.shape[0] >= weight.shape[1] else stack.swapaxes(1, 2))


@pytest.mark.data
@pytest.mark.parametrize("pair", COMPARED, ids=lambda pair: pair.partition("__VS__")[0])
def test_distances_are_the_references(data, pair):
    for theirs, before, after in compared(data, pair, "raw"):
        assert weight_distances(before, after)["delta_W"] == pytest.approx(theirs, rel=1e-6)
    for theirs, before, after in compared(data, pair, "euclidean"):
        each = [weight_distances([a], [b])["delta_W"] for a, b in zip(before, after, strict=True)]
        assert np.mean(each) == pytest.approx(theirs, rel=1e-6)
    for theirs, before, after in compared(data, pair, "cka"):
        ours = ww_cka(before, after)
        if all(a.any() and b.any() for a, b in zip(before, after, strict=True)):
            assert ours == pytest.approx(theirs, rel=1e-6)
        else:
            assert math.isnan(ours)  # the reference calls what is undefined 0
            assert theirs == 0.0
