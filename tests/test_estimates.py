from dataclasses import replace

import pytest

from auditor.estimates import BLOCK_BYTES, effort, peak_bytes
from auditor.records import Settings
from auditor.weights import Tensor

PLAIN = Settings(randomize=False)


def tensor(*shape: int, dtype: str = "float32") -> Tensor:
    return Tensor("w", shape, dtype, "file", lambda: b"")


def test_a_matrix_needs_itself_a_block_and_squares_of_its_smaller_side():
    assert peak_bytes(tensor(50, 30), PLAIN, pair=False) == 4 * 1500 + BLOCK_BYTES + 5 * 8 * 900


def test_a_vector_needs_no_squares():
    assert peak_bytes(tensor(50), PLAIN, pair=False) == 4 * 50 + BLOCK_BYTES


def test_types_that_are_widened_count_twice():
    stored, wide = (
        peak_bytes(tensor(50, 30, dtype=dtype), PLAIN, pair=False)
        for dtype in ("float16", "bfloat16")
    )
    assert wide - stored == 4 * 1500


def test_a_baseline_a_twin_and_vectors_come_on_top():
    alone = peak_bytes(tensor(50, 30), PLAIN, pair=False)
    assert peak_bytes(tensor(50, 30), PLAIN, pair=True) == alone + 4 * 1500
    more = replace(PLAIN, more_distances=True)
    assert peak_bytes(tensor(50, 30), more, pair=False) == alone
    assert peak_bytes(tensor(50, 30), more, pair=True) >= alone + 4 * 1500 + 8 * 1500
    twin = peak_bytes(tensor(50, 30), replace(PLAIN, randomize=True), pair=False)
    assert twin == alone + (4 + 4 + 4) * 1500
    assert peak_bytes(tensor(50, 30), replace(PLAIN, vectors=True), pair=False) > alone


@pytest.mark.parametrize("shape", [(64, 32, 3, 3), (8, 64, 32), (64, 32)])
def test_the_smaller_side_is_that_of_a_slice(shape):
    needed = peak_bytes(tensor(*shape), PLAIN, pair=False)
    count = tensor(*shape).nbytes
    assert needed - count - BLOCK_BYTES == 5 * 8 * 32 * 32


def test_effort_grows_with_slices_and_most_with_the_smaller_side():
    assert effort(tensor(64, 32, 3, 3)) == 9.0 * effort(tensor(64, 32))
    assert effort(tensor(64, 64)) > 2.0 * effort(tensor(128, 32))
    assert effort(tensor(1000)) == 0.0
    assert effort(tensor(0, 5)) == 0.0
