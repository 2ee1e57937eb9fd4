"""Element types: torch is the oracle for every code of every small type."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import WeightsError
from auditor.weights import decode, digest
from auditor.weights.tensors import BITS, is_decodable
from tests.weights.reading import steady

ONE_BYTE = ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]
WIDER = ["bfloat16", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8"]


@pytest.mark.parametrize("dtype", ONE_BYTE)
def test_every_code_of_an_8_bit_float_has_the_value_torch_gives_it(dtype):
    codes = bytes(range(256))
    expected = torch.frombuffer(bytearray(codes), dtype=getattr(torch, dtype)).to(torch.float32)
    values = decode(dtype, (16, 16), codes)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values.ravel(), expected.numpy())


def test_every_code_of_bfloat16_has_the_value_torch_gives_it():
    codes = np.arange(65536, dtype="<u2").tobytes()
    expected = torch.frombuffer(bytearray(codes), dtype=torch.bfloat16).to(torch.float32)
    np.testing.assert_array_equal(decode("bfloat16", (65536,), codes), expected.numpy())


@pytest.mark.parametrize("dtype", [*WIDER[1:], "uint16", "uint32", "uint64", "complex64", "bool"])
def test_native_types_keep_values_and_type(dtype, rng):
    expected = torch.from_numpy(rng.integers(0, 2, (3, 4, 5))).to(getattr(torch, dtype)).numpy()
    values = decode(dtype, expected.shape, expected.tobytes())
    assert values.dtype == expected.dtype
    np.testing.assert_array_equal(values, expected)


def test_half_precision_complex_numbers_are_widened():
    data = np.array([1.5, -2.0, 0.0, 0.25], "<f2").tobytes()  # real, imaginary, real, ...
    assert decode("complex32", (2,), data).tolist() == [1.5 - 2j, 0.25j]


@pytest.mark.parametrize("dtype", ["float4_e2m1fn", "float6_e2m3fn", "float128", ""])
def test_a_type_without_reader_is_refused(dtype):
    assert not is_decodable(dtype)
    with pytest.raises(WeightsError, match="no reader for element type"):
        decode(dtype, (2,), b"\0\0")


def test_the_wrong_number_of_bytes_is_refused():
    with pytest.raises(WeightsError, match="needs 24 bytes, not 23"):
        decode("float32", (2, 3), bytes(23))


def test_the_digest_is_that_of_type_shape_and_bytes():
    expected = hashlib.sha256(b"float32[2,3]" + bytes(24)).hexdigest()
    assert digest("float32", (2, 3), bytes(24)) == expected
    assert digest("float32", (2, 3), memoryview(bytes(24))) == expected


@steady
@given(st.binary(min_size=2, max_size=32), st.binary(max_size=32))
def test_the_digest_changes_with_any_byte_type_or_shape(one, other):
    n = len(one)
    assert (digest("uint8", (n,), one) == digest("uint8", (len(other),), other)) == (one == other)
    others = [digest("int8", (n,), one), digest("uint8", (1, n), one), digest("uint8", (n, 1), one)]
    assert len({digest("uint8", (n,), one), *others}) == 4


def test_every_type_but_the_packed_ones_can_be_decoded():
    packed = {"float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn"}
    for dtype in BITS.keys() - packed:
        assert decode(dtype, (0,), b"").shape == (0,)
