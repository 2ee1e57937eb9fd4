"""Rows and columns of zeros, and matrices of a single value, counted in the stored tensor."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from auditor.audit import measure
from auditor.records import Layer, Module, Settings
from auditor.spectral.blockwise import blockwise
from auditor.spectral.entries import Entries, entries_of
from auditor.spectral.lora import dense, thin
from auditor.spectral.matrices import cut, divide

NAMES = ("dead_rows", "dead_columns", "constant")
PLAIN = Settings(bootstrap=0, mp_fit=False, randomize=False)


def layer(
    array: NDArray[Any], name: str = "blocks.0.weight", module: Module | None = None
) -> Layer:
    found = cut(name, array, array.dtype.name, module)
    assert isinstance(found, Layer)
    return found


def counts(array: NDArray[Any], **about: Any) -> tuple[float, ...]:
    metrics = measure(layer(array, **about), PLAIN).measurement.metrics
    return tuple(metrics[name] for name in NAMES)


@pytest.mark.parametrize("convention", ["auditor", "weightwatcher"])
def test_planted_rows_and_columns_of_zeros_are_counted(convention, rng):
    weights = rng.normal(size=(30, 20))
    weights[[0, 7, 29]] = 0.0
    weights[:, [0, 19]] = 0.0
    found = measure(layer(weights), Settings(convention=convention)).measurement.metrics
    assert [found[name] for name in NAMES] == [3.0, 2.0, 0.0]


def test_transposed_they_change_places(rng):
    weights = rng.normal(size=(30, 20))
    weights[:4] = 0.0
    assert counts(weights) == (4.0, 0.0, 0.0)
    assert counts(weights.T) == (0.0, 4.0, 0.0)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    arrays(np.float32, st.tuples(*[st.integers(1, 6)] * 2), elements=st.sampled_from([0, 0, 1, 2]))
)
def test_agrees_with_a_count_by_hand(weights):
    rows = sum(not any(row) for row in weights.tolist())
    columns = sum(not any(column) for column in zip(*weights.tolist(), strict=True))
    values = set(weights.ravel().tolist())
    single = weights.size > 1 and len(values) == 1 and values != {0.0}
    assert entries_of(layer(weights)) == Entries(rows, columns, int(single))


def test_zeros_here_and_there_make_no_row(rng):
    weights = rng.normal(size=(30, 20)) * (rng.random((30, 20)) < 0.5)
    weights[:, 0], weights[0, :] = 0.0, 0.0
    weights[0, 1], weights[1, 0] = 1.0, 1.0
    assert counts(weights) == (0.0, 0.0, 0.0)


def test_a_channel_is_dead_where_it_is_zero_at_every_position_of_the_kernel(rng):
    kernel = rng.normal(size=(8, 6, 3, 3))
    kernel[2, :, 1, 1] = 0.0  # pruned in the middle only
    kernel[5] = 0.0
    kernel[:, 4] = 0.0
    assert counts(kernel) == (1.0, 1.0, 0.0)


def test_one_slice_of_a_kernel_is_counted_by_itself(rng):
    kernel = rng.normal(size=(8, 6, 3, 3))
    kernel[2, :, 1, 1] = 0.0
    parts = divide(layer(kernel), Settings(pool=False))
    found = [entries_of(part) for part in parts]
    assert found == [Entries(int(i == 4), 0, 0) for i in range(9)]


def test_groups_and_experts_have_rows_of_their_own(rng):
    kernel = rng.normal(size=(8, 3, 3, 3))
    kernel[1] = 0.0
    kernel[4:, 2] = 0.0
    grouped = Module("conv2d", (8, 3, 3, 3), groups=2)
    assert counts(kernel, module=grouped) == (1.0, 1.0, 0.0)
    experts = rng.normal(size=(4, 6, 5))
    experts[2] = 0.0
    experts[3] = 0.25
    assert counts(experts, name="mlp.experts.up_proj") == (6.0, 5.0, 1.0)


def test_a_row_of_a_depthwise_convolution_is_a_whole_kernel(rng):
    kernels = rng.normal(size=(16, 1, 3, 3))
    kernels[3] = 0.0
    kernels[:, 0, 0, 0] = 0.0
    assert counts(kernels) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize("shape", [(12, 8), (8, 6, 3, 3), (16, 1, 3, 3), (5, 1)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_single_value_everywhere_is_a_constant(shape, dtype):
    weights = np.full(shape, 0.1, dtype)
    assert counts(weights)[2] == 1.0
    weights[(-1,) * len(shape)] = 0.2
    assert counts(weights)[2] == 0.0


def test_neither_zeros_nor_a_single_entry_are_a_constant():
    assert counts(np.zeros((4, 3))) == (4.0, 3.0, 0.0)
    assert counts(np.full((1, 1), 0.5)) == (0.0, 0.0, 0.0)


def test_positions_of_a_kernel_that_differ_make_no_constant():
    kernel = np.ones((4, 3, 2, 2))
    kernel[:, :, 0, 1] = 2.0
    assert counts(kernel)[2] == 0.0


def test_values_that_are_computed_where_they_are_read_are_counted_alike(rng):
    codes = rng.integers(1, 255, size=(300, 64)).astype(np.uint8)
    codes[[0, 7]], codes[:, [0, 63]] = 128, 128
    lazy = blockwise(codes, lambda part: part.astype(np.float32) - 128.0, np.float32)
    assert entries_of(layer(lazy)) == entries_of(layer(np.asarray(lazy)))
    assert counts(lazy)[:2] == (2.0, 2.0)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.9])
def test_any_share_of_empty_rows_is_found(share, rng):
    weights = rng.normal(size=(400, 30)) * (rng.random((400, 30)) < 0.5)
    weights[:, 0] = 1.0
    dead = rng.random(400) < share
    weights[dead] = 0.0
    assert counts(weights)[0] == dead.sum()


def test_of_two_factors_nothing_is_said(rng):
    down, up = rng.normal(size=(2, 9)), np.zeros((7, 2))
    made = Layer(
        "a.lora",
        "lora",
        "float32",
        (7, 9),
        thin(down, up, 1.0),
        product=lambda: dense(down, up, 1.0),
    )
    found = measure(made, PLAIN).measurement.metrics
    assert all(math.isnan(found[name]) for name in NAMES)
