from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from auditor.records import Layer, Skip
from auditor.spectral import blockwise as room
from auditor.spectral.blockwise import blockwise, in_order, rows_of, shuffle
from auditor.spectral.eigenvalues import eigenvalues
from auditor.spectral.matrices import cut, non_finite_values
from auditor.spectral.twin import random_twin
from auditor.weights import decode, tensors
from auditor.weights.tensors import as_read

TYPES = {"bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1}


def weights(rng: np.random.Generator, dtype: str, *shape: int) -> bytes:
    """Finite codes of a type, near a normal distribution."""
    wide = 0.02 * rng.standard_normal(shape).astype(np.float32)
    if dtype == "bfloat16":
        return (wide.view("<u4") >> 16).astype("<u2").tobytes()
    codes = rng.integers(1, 120, shape) | rng.integers(0, 2, shape) << 7
    return codes.astype(np.uint8).tobytes()


@pytest.fixture(params=TYPES)
def pair(request, rng, monkeypatch) -> tuple[NDArray[Any], NDArray[Any]]:
    """A matrix that is widened where it is read, and the same in memory."""
    dtype, shape = request.param, (90, 60)
    data = weights(rng, dtype, *shape)
    monkeypatch.setattr(tensors, "WHOLE", 0)
    monkeypatch.setattr(room, "BLOCK", 700)
    lazy = as_read(dtype, shape, data)
    assert not isinstance(lazy, np.ndarray)
    return lazy, decode(dtype, shape, data)


def test_values_extremes_and_views_are_those_of_the_array(pair):
    lazy, plain = pair
    np.testing.assert_array_equal(lazy, plain)
    np.testing.assert_array_equal(lazy.T[3:5], plain.T[3:5])
    np.testing.assert_array_equal(lazy.reshape(30, 3, 60)[7], plain.reshape(30, 3, 60)[7])
    np.testing.assert_array_equal(list(lazy), plain)
    np.testing.assert_array_equal(lazy[np.ix_([1, 80], [2, 3])], plain[np.ix_([1, 80], [2, 3])])
    np.testing.assert_array_equal(np.moveaxis(lazy, 1, 0), plain.T)
    np.testing.assert_array_equal(2.0 * lazy - 1.0, 2.0 * plain - 1.0)
    assert lazy[4, 5] == plain[4, 5]
    for axis in (None, 0, 1):
        np.testing.assert_array_equal(lazy.max(axis=axis), plain.max(axis=axis))
        np.testing.assert_array_equal(lazy.T.min(axis=axis), plain.T.min(axis=axis))
        np.testing.assert_array_equal((lazy).any(axis=axis), plain.any(axis=axis))


def test_it_has_no_values_to_share(pair):
    with pytest.raises(ValueError, match="allow a copy"):
        np.asarray(pair[0], copy=False)


def test_order_is_by_value_and_rows_come_once(pair):
    lazy, plain = pair
    np.testing.assert_array_equal(in_order(lazy), np.sort(plain, axis=None))
    np.testing.assert_array_equal(in_order(plain.T), np.sort(plain, axis=None))
    found = list(rows_of(lazy, 13))
    assert [start for start, _ in found] == list(range(0, 90, 13))
    np.testing.assert_array_equal(np.concatenate([rows for _, rows in found]), plain)


def test_the_same_numbers_shuffle_it_and_an_array(pair):
    lazy, plain = in_order(pair[0]), np.sort(pair[1], axis=None)
    for one in (lazy, plain):
        shuffle(one, np.random.default_rng(3))
    np.testing.assert_array_equal(lazy, plain)


@pytest.mark.parametrize("kept", [0, 10**9])
@pytest.mark.parametrize("turned", [False, True])
def test_spectrum_and_twin_are_the_same_to_the_last_bit(pair, kept, turned, monkeypatch):
    monkeypatch.setattr("auditor.spectral.shuffle.MAX_KEPT", kept)
    twins = []
    for one in pair:
        w = one.T if turned else one
        values = eigenvalues(w)
        twin = random_twin((w,), (values,), seed=0, solve=np.linalg.eigvalsh)
        twins.append((values, *twin.eigenvalues, twin.edges, twin.traps, twin.likeness))
    for lazy, plain in zip(*twins, strict=True):
        np.testing.assert_array_equal(lazy, plain)


def test_a_single_huge_entry_is_found_in_its_place(rng, monkeypatch):
    monkeypatch.setattr(tensors, "WHOLE", 0)
    codes = np.frombuffer(weights(rng, "bfloat16", 90, 60), "<u2").copy()
    codes[17 * 60 + 4] = 0x4080  # 4.0, where others have 0.02
    w = as_read("bfloat16", (90, 60), codes.tobytes())
    twin = random_twin((w,), (eigenvalues(w),), seed=0, solve=np.linalg.eigvalsh)
    assert [trap.entries for trap in twin.traps] == [((17, 4, 4.0),)]


def test_non_finite_values_are_counted_in_blocks(rng, monkeypatch):
    monkeypatch.setattr(tensors, "WHOLE", 0)
    monkeypatch.setattr("auditor.spectral.matrices.BLOCK", 700)
    codes = np.frombuffer(weights(rng, "bfloat16", 90, 60), "<u2").copy()
    codes[[5, 2000, 5399]] = 0x7F80, 0xFF80, 0x7FC0
    w = as_read("bfloat16", (90, 60), codes.tobytes())
    assert non_finite_values(w) == 3
    skip = cut("w", w, "bfloat16")
    assert isinstance(skip, Skip)
    assert skip.reason == "non-finite"


@pytest.mark.parametrize("shape", [(12, 90, 60), (60, 40, 3, 3), (60, 1, 5, 5)])
def test_stacks_and_kernels_are_cut_without_widening(shape, rng, monkeypatch):
    data = weights(rng, "bfloat16", *shape)
    monkeypatch.setattr(tensors, "WHOLE", 0)
    lazy = cut("w", as_read("bfloat16", shape, data), "bfloat16")
    plain = cut("w", decode("bfloat16", shape, data), "bfloat16")
    assert isinstance(lazy, Layer)
    assert isinstance(plain, Layer)
    assert lazy.kind == plain.kind
    assert not any(isinstance(matrix, np.ndarray) for matrix in lazy.slices)
    for one, two in zip(lazy.slices, plain.slices, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_rule_may_rest_on_another(rng):
    plain = rng.standard_normal((8, 5))
    twice = blockwise(blockwise(plain, np.negative, np.float64), np.square, np.float64)
    np.testing.assert_array_equal(in_order(twice), np.sort(np.square(plain), axis=None))
