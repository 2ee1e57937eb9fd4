"""Whole numbers back to the weights they were made from."""

import numpy as np
import pytest

from auditor.spectral.quantised.scaled import dequantise, is_scale


@pytest.mark.parametrize("shape", [(6, 5), (6, 4, 3, 3)])
@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("zero", [None, 7])
def test_weights_come_back_within_half_a_step(rng, shape, by_row, zero):
    weights = rng.normal(size=shape)
    axes = tuple(range(1, len(shape)))
    largest = np.abs(weights).max(axis=axes) if by_row else np.abs(weights).max()
    scale = np.asarray(largest) / 100
    step = scale.reshape(-1, *(1,) * len(axes))
    stored = (np.round(weights / step) + (zero or 0)).astype(np.int8)
    found = dequantise(stored, scale, None if zero is None else np.asarray(zero))
    assert found.dtype == np.float32
    assert (np.abs(found - weights) <= 0.501 * step).all()


def test_a_scale_is_one_value_or_one_for_every_row():
    assert all(is_scale(shape, (8, 4)) for shape in [(), (1,), (1, 1), (8,), (8, 1)])
    assert not any(is_scale(shape, (8, 4)) for shape in [(4,), (1, 8), (8, 2), (2, 4), (8, 4)])
    assert is_scale((8, 1, 1, 1), (8, 4, 3, 3))
