"""The safetensors package writes, our reader reads; and files that lie."""

import json

import numpy as np
import pytest
import safetensors.torch as st
import torch
from hypothesis import given, strategies

from auditor.weights.safetensors import DTYPES
from tests.weights.reading import arrays, in_memory, look, steady, the_failure

TORCH_TYPES = [
    *("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"),
    *("uint16", "uint32", "uint64", "bool", "complex64"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"),
]


def packed(header: object, data: bytes = b"", padding: int = 0) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * padding
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize("dtype", TORCH_TYPES)
def test_what_the_library_writes_comes_back_bit_for_bit(dtype, rng):
    kind = getattr(torch, dtype)
    values = torch.from_numpy(rng.integers(0, 2, (3, 5))).to(kind)
    data = st.save({"a.weight": values, "scalar": values[0, 0].clone(), "none": values[:0].clone()})
    file = in_memory("model.safetensors", data)
    assert {(t.name, t.dtype, t.shape) for t in look(file).tensors} == {
        ("a.weight", dtype, (3, 5)),
        ("scalar", dtype, ()),
        ("none", dtype, (0, 5)),
    }
    wide = values if dtype in ("complex64", "bool") or "int" in dtype else values.to(torch.float64)
    np.testing.assert_array_equal(arrays(file)["a.weight"], wide.numpy())


def test_a_packed_type_is_skipped_and_the_rest_is_read():
    header = {"q": entry("F4", [4, 2], 0, 4), "w": entry("F32", [1], 4, 8)}
    inventory = look(in_memory("m.safetensors", packed(header, bytes(8))))
    assert [t.name for t in inventory.tensors] == ["w"]
    (skip,) = inventory.skipped
    assert (skip.name, skip.shape, skip.read) == ("q", (4, 2), False)
    assert skip.reason == "unreadable: no reader for element type float4_e2m1fn"


def test_metadata_and_padding_are_no_tensors():
    header = {"__metadata__": {"format": "pt"}, "w": entry("U8", [2], 0, 2)}
    assert list(arrays(in_memory("m.safetensors", packed(header, b"ab", padding=7)))) == ["w"]


W = entry("F32", [2, 2], 0, 16)
LIES = {
    "shorter than a length": (b"\x02\0\0", "states a header of 0 bytes"),
    "empty": (b"", "is empty"),
    "header longer than the file": ((10**6).to_bytes(8, "little") + b"{}", "in a file of 10"),
    "header over the limit": ((2**63).to_bytes(8, "little") + b"{}", "states a header"),
    "no JSON": (packed(b"{nope}"), "not valid JSON"),
    "no UTF-8": (packed(b'{"\xff": 1}'), "not valid JSON"),
    "JSON too deep": (packed(b"[" * 100_000), "not valid JSON"),
    "not an object": (packed(b"[]"), "not a JSON object"),
    "a name twice": (
        packed(b'{"w": %(w)s, "w": %(w)s}' % {b"w": json.dumps(W).encode()}, bytes(16)),
        "'w' is there twice",
    ),
    "no offsets": (packed({"w": {"dtype": "F32", "shape": []}}), "no dtype, shape and data_off"),
    "no entry": (packed({"w": 3}), "no dtype, shape and data_offsets"),
    "unknown type": (packed({"w": entry("F31", [1], 0, 4)}, bytes(4)), "unknown dtype 'F31'"),
    "type no text": (packed({"w": {**W, "dtype": ["F32"]}}, bytes(16)), "unknown dtype"),
    "negative size": (packed({"w": entry("F32", [-2, -2], 0, 16)}, bytes(16)), "no whole number"),
    "size no integer": (packed({"w": {**W, "shape": [2.0, 2]}}, bytes(16)), "no whole number"),
    "size a truth value": (packed({"w": {**W, "shape": [True, 4]}}, bytes(16)), "no whole number"),
    "size beyond 63 bits": (packed({"w": {**W, "shape": [2**64, 0]}}, bytes(16)), "no whole num"),
    "shape no list": (packed({"w": {**W, "shape": 4}}, bytes(16)), "no whole number"),
    "offsets reversed": (packed({"w": entry("F32", [2], 8, 0)}, bytes(8)), "takes 8 bytes"),
    "three offsets": (packed({"w": {**W, "data_offsets": [0, 8, 16]}}, bytes(16)), "takes 16"),
    "shape too large": (packed({"w": entry("F32", [3, 2], 0, 16)}, bytes(16)), "takes 24 bytes"),
    "shape overflowing": (packed({"w": entry("U8", [2**62] * 4, 0, 16)}, bytes(16)), "takes"),
    "half a byte": (packed({"w": entry("F4", [3], 0, 1)}, bytes(1)), "whole byte"),
    "a gap": (packed({"v": W, "w": entry("F32", [1], 20, 24)}, bytes(24)), "no gap or overlap"),
    "an overlap": (packed({"v": W, "w": entry("F32", [1], 12, 16)}, bytes(16)), "no gap or over"),
    "not at the start": (packed({"w": entry("U8", [2], 1, 3)}, bytes(3)), "expected 0"),
    "values cut off": (packed({"w": W}, bytes(15)), "holds 15 bytes of values"),
    "something appended": (packed({"w": W}, bytes(17)), "holds 17 bytes of values"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_a_failure_with_a_sentence(lie):
    data, message = LIES[lie]
    failure = the_failure(in_memory("model.safetensors", data))
    assert message in failure.reason
    assert (failure.name, failure.dangerous) == ("model.safetensors", False)


@steady
@given(strategies.data())
def test_cut_off_anywhere_it_is_a_failure(data):
    whole = st.save({"a": torch.arange(6.0), "b": torch.ones(2, 2, dtype=torch.bfloat16)})
    cut = data.draw(strategies.integers(0, len(whole) - 1))
    assert the_failure(in_memory("model.safetensors", whole[:cut])).reason


@steady
@given(strategies.data())
def test_a_changed_header_is_refused_or_described_within_the_file(data):
    whole = bytearray(st.save({"a": torch.arange(6.0), "b": torch.ones(2, 2)}))
    end = 8 + int.from_bytes(whole[:8], "little")
    whole[data.draw(strategies.integers(0, end - 1))] = data.draw(strategies.integers(0, 255))
    inventory = look(in_memory("model.safetensors", bytes(whole)))
    assert inventory.reading.failures or sum(t.nbytes for t in inventory.tensors) == 40


def test_every_type_the_library_can_write_is_known():
    assert {kind for kind in st._TYPES if kind not in DTYPES} == set()
