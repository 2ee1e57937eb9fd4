import time
from dataclasses import replace

import pytest

from auditor.config.models import Limits
from auditor.estimates import BLOCK_BYTES, Speed, effort, peak_bytes, seconds, speed
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


# --- many entries -------------------------------------------------------------------------


def test_large_tensors_are_not_widened_as_a_whole():
    many = tensor(20_000, 1_000, dtype="bfloat16")
    assert peak_bytes(many, PLAIN, pair=False) == many.nbytes + BLOCK_BYTES + 5 * 8 * 1000**2
    twin = peak_bytes(many, replace(PLAIN, randomize=True), pair=False)
    assert twin == peak_bytes(many, PLAIN, pair=False) + many.nbytes


def test_the_twin_of_a_stack_is_made_a_slice_at_a_time():
    stack = tensor(128, 3_000, 2_000)
    entries = 3_000 * 2_000
    twin = peak_bytes(stack, replace(PLAIN, randomize=True), pair=False)
    assert twin - peak_bytes(stack, PLAIN, pair=False) == entries * (4 + 4 + 4)


def test_the_vocabulary_of_a_70b_model_fits_into_the_default_limit_with_its_twin():
    vocabulary = tensor(128_256, 8_192, dtype="bfloat16")
    assert peak_bytes(vocabulary, Settings(), pair=False) < Limits().memory


# --- time ---------------------------------------------------------------------------------


def test_a_trial_of_this_machine_is_short_and_plausible():
    start = time.perf_counter()
    found = speed()
    assert time.perf_counter() - start < 30.0
    assert 1e8 < found.multiplications < 1e13
    assert 1e7 < found.hashing < 1e11


def test_seconds_grow_with_what_is_asked_for():
    machine, matrix = Speed(1e10, 1e9), tensor(2000, 1000)
    bare = seconds(matrix, replace(PLAIN, bootstrap=0), machine, pair=False)
    assert bare == pytest.approx(effort(matrix) / 1e10 + matrix.nbytes / 1e9, abs=0.02)
    assert seconds(matrix, PLAIN, machine, pair=False) > bare
    twin = seconds(matrix, Settings(bootstrap=0), machine, pair=False)
    assert twin > 2.0 * bare
    assert seconds(matrix, Settings(bootstrap=0), machine, pair=True) > 2.0 * twin


def test_vectors_and_empty_tensors_only_take_their_hashing():
    machine = Speed(1e10, 1e9)
    assert seconds(tensor(1000), Settings(), machine, pair=False) == 4e-6
    assert seconds(tensor(0, 5), Settings(), machine, pair=True) == 0.0
