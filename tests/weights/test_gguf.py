"""The gguf package writes, our reader reads; quantised blocks by hand; and files that lie."""

import struct
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import safetensors.numpy as st
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from hypothesis import given, strategies
from numpy.typing import NDArray

import auditor
from auditor.weights import opened
from auditor.weights.formats import Blob
from auditor.weights.gguf_blocks import BLOCK_TYPES
from auditor.weights.gguf_header import parse
from tests.weights.gguf_oracle import ORACLES
from tests.weights.reading import (
    arrays,
    digests,
    in_memory,
    look,
    source_file,
    source_files,
    steady,
    the_failure,
)

CODES = {kind.label: code for code, kind in BLOCK_TYPES.items()}
U32, F32, TEXT, ARRAY, U64 = 4, 6, 8, 9, 10
Typed = tuple[NDArray[Any], GGMLQuantizationType | None]


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def key(name: str | bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def words(*values: str) -> bytes:
    return struct.pack("<IQ", TEXT, len(values)) + b"".join(text(value) for value in values)


def info(name: str | bytes, sides: list[int], code: int = 0, offset: int = 0) -> bytes:
    dims = struct.pack(f"<I{len(sides)}Q", len(sides), *sides)
    return text(name) + dims + struct.pack("<IQ", code, offset)


def packed(infos: list[bytes], values: bytes = b"", *keys: bytes, **head: int) -> bytes:
    """A file made by hand; `head` may state another version or other counts."""
    counts = {"version": 3, "tensors": len(infos), "keys": len(keys)} | head
    start = struct.pack("<4sIQQ", b"GGUF", *counts.values()) + b"".join((*keys, *infos))
    return start + bytes(-len(start) % 32) + values


def written(path: Path, tensors: Mapping[str, Typed | NDArray[Any]], **options: Any) -> Path:
    """What the gguf package writes, with a tokenizer as models have it."""
    writer = GGUFWriter(path, "llama", **options)
    writer.add_token_list([f"word {i}" for i in range(300)])
    writer.add_token_scores([0.5] * 300)
    writer.add_token_types([1] * 300)
    writer.add_bool("tokenizer.ggml.add_bos_token", val=True)
    for name, tensor in tensors.items():
        values, code = tensor if isinstance(tensor, tuple) else (tensor, None)
        writer.add_tensor(name, values, raw_dtype=code)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


PLAIN = ("float32", "float16", "float64", "int8", "int16", "int32", "int64")


@pytest.mark.parametrize("dtype", PLAIN)
def test_what_the_library_writes_comes_back_bit_for_bit(tmp_path, dtype, rng):
    values = rng.integers(-9, 9, (3, 4, 5)).astype(dtype)
    path = written(tmp_path / "model.gguf", {"blk.0.x.weight": values, "v": values[0, 0]})
    (first, second) = look(source_file(path)).tensors
    assert (first.name, first.dtype, first.shape) == ("blk.0.x.weight", dtype, (3, 4, 5))
    assert (second.shape, second.stored) == ((5,), None)
    np.testing.assert_array_equal(arrays(source_file(path))["blk.0.x.weight"], values)


def test_bfloat16_comes_back_bit_for_bit(tmp_path, rng):
    exact = rng.integers(-99, 99, (4, 8)).astype(np.float32)
    code = GGMLQuantizationType.BF16
    path = written(tmp_path / "m.gguf", {"w": (quantize(exact, code), code)})
    (tensor,) = look(source_file(path)).tensors
    assert (tensor.dtype, tensor.nbytes) == ("bfloat16", 64)
    np.testing.assert_array_equal(arrays(source_file(path))["w"], exact)


def test_the_same_weights_have_one_digest_and_one_analysis_in_any_format(tmp_path, rng):
    layers = {
        "blk.0.attn_q.weight": rng.standard_normal((40, 30), dtype=np.float32),
        "blk.0.ffn_up.weight": rng.standard_normal((60, 30), dtype=np.float32),
        "blk.0.attn_norm.weight": np.ones(30, np.float32),
    }
    st.save_file(layers, tmp_path / "m.safetensors")
    written(tmp_path / "m.gguf", layers)
    names = ("m.safetensors", "m.gguf")
    found = [digests(source_file(tmp_path / name)) for name in names]
    assert found[0] == found[1]
    tables = [
        {layer.name: layer.measured.metrics for layer in auditor.analyze(tmp_path / name).layers}
        for name in names
    ]
    assert list(tables[0]) == ["blk.0.attn_q.weight", "blk.0.ffn_up.weight"]
    assert tables[0] == tables[1]


def test_alignments_are_followed(tmp_path, rng):
    layers = {f"w{i}": rng.standard_normal((3, i + 1)) for i in range(4)}
    writer = GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_custom_alignment(128)
    for name, values in layers.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = arrays(source_file(tmp_path / "m.gguf"))
    assert all(np.array_equal(found[name], layers[name]) for name in layers)


def test_shards_are_one_model(tmp_path, rng):
    layers = {f"blk.{i}.w": rng.standard_normal((8, 8), dtype=np.float32) for i in range(4)}
    written(tmp_path / "model.gguf", layers, split_max_tensors=2)
    first, second = source_files(tmp_path)
    assert first.name == "model-00001-of-00002.gguf"
    assert arrays(first, second).keys() == layers.keys()
    (failure,) = look(first).reading.failures
    assert failure.name == second.name
    assert "is missing" in failure.reason


# --- quantised -------------------------------------------------------------------------------


def scaled(code: int, blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Random blocks whose float16 scales are finite: their top bits are cleared."""
    halves = {"q2_k": (80, 82), "q3_k": (108,), "q6_k": (208,), "tq1_0": (52,), "tq2_0": (64,)}
    default = () if BLOCK_TYPES[code].label in ("mxfp4", "nvfp4") else (0, 2)
    for at in halves.get(BLOCK_TYPES[code].label, default):
        blocks[:, at + 1] &= 0xBF  # of the exponent's five bits the highest
    if BLOCK_TYPES[code].label == "nvfp4":
        blocks[:, :4] &= 0x7F  # its scales have no sign
    if BLOCK_TYPES[code].label == "mxfp4":
        blocks[:, 0] = 100 + blocks[:, 0] % 50
    return blocks


@pytest.mark.parametrize("label", ORACLES)
def test_blocks_of_any_bits_stand_for_what_the_layout_says(label, rng):
    code, kind = CODES[label], BLOCK_TYPES[CODES[label]]
    blocks = scaled(code, rng.integers(0, 256, (24, kind.size), dtype=np.uint8))
    expected = np.array([ORACLES[label](block.tobytes()) for block in blocks], np.float64)
    sides = [4 * kind.values, 6]
    file = in_memory("m.gguf", packed([info("w", sides, code)], blocks.tobytes()))
    (tensor,) = look(file).tensors
    assert (tensor.dtype, tensor.element) == (label, "float32")
    assert (tensor.shape, tensor.stored) == ((6, 4 * kind.values), blocks.size)
    largest = float(np.abs(expected).max())
    np.testing.assert_allclose(
        arrays(file)["w"], expected.reshape(tensor.shape), rtol=1e-6, atol=1e-6 * largest
    )


BY_HAND = {  # a scale of 2 and nothing but zeros: the first entry of the grid, by the scale
    "iq2_xxs": (0, 2 * 8 * 0.125),
    "iq2_xs": (0, 2 * 8 * 0.125),
    "iq2_s": (0, 2 * 8 * 0.125),
    "iq3_xxs": (0, 2 * 4 * 0.25),
    "iq3_s": (0, 2 * 1),
    "iq1_s": (0, 2 * (-1 + 0.125)),
    "iq1_m": (None, 2 * (-1 + 0.125)),
}


@pytest.mark.parametrize("label", BY_HAND)
def test_types_with_a_grid_stand_for_its_entries(label):
    at, value = BY_HAND[label]
    block = bytearray(BLOCK_TYPES[CODES[label]].size)
    if at is None:  # the scale's four nibbles top the four words at the end
        for i, nibble in enumerate((0x0, 0x0, 0x0, 0x4)):
            block[48 + 2 * i + 1] = nibble << 4
    else:
        block[at : at + 2] = np.float16(2.0).tobytes()
    file = in_memory("m.gguf", packed([info("w", [256], CODES[label])], bytes(block)))
    np.testing.assert_array_equal(arrays(file)["w"], np.full(256, value, np.float32))


ROUND = {"q8_0": 0.006, "q5_1": 0.05, "q5_0": 0.05, "q4_1": 0.09, "q4_0": 0.1, "mxfp4": 0.13}


@pytest.mark.parametrize("label", ROUND)
def test_weights_come_back_as_near_as_their_type_allows(tmp_path, label, rng):
    weights = rng.standard_normal((64, 96), dtype=np.float32)
    code = GGMLQuantizationType[label.upper()]
    path = written(tmp_path / "m.gguf", {"w": (quantize(weights, code), code)})
    found = arrays(source_file(path))["w"]
    assert 0 < float(np.sqrt(np.mean((found - weights) ** 2))) < ROUND[label]


def test_the_rank_of_weights_survives_8_bits(tmp_path, rng):
    low = rng.standard_normal((256, 12)) @ rng.standard_normal((12, 96))
    code = GGMLQuantizationType.Q8_0
    tensors: dict[str, Typed | NDArray[Any]] = {
        "low.weight": (quantize(low.astype(np.float32), code), code),
        "full.weight": (quantize(rng.standard_normal((256, 96), dtype=np.float32), code), code),
    }
    layers = auditor.analyze(written(tmp_path / "m.gguf", tensors)).layers
    ranks = {layer.name: layer.measured.metrics["matrix_rank"] for layer in layers}
    assert ranks == {"low.weight": 12, "full.weight": 96}


def test_long_rows_are_put_together_from_pieces(monkeypatch, rng):
    values = rng.integers(0, 64, 34 * 50, dtype=np.uint8).tobytes()
    file = in_memory("m.gguf", packed([info("w", [160, 10], CODES["q8_0"])], values))
    whole = arrays(file)["w"]
    monkeypatch.setattr("auditor.weights.gguf_blocks.PIECE", 96)
    np.testing.assert_array_equal(arrays(file)["w"], whole)


def test_a_scale_beside_quantised_weights_is_part_of_them(tmp_path, rng):
    weights = rng.standard_normal((3, 32, 64), dtype=np.float32)
    code = GGMLQuantizationType.Q8_0
    blocks, factors = quantize(weights, code), np.array([2.0, 0.5, -3.0], np.float32)
    tensors: dict[str, Typed | NDArray[Any]] = {
        "a.weight": (blocks, code),
        "stack.weight": (blocks, code),
        "stack.scale": factors,
        "one.weight": (blocks[0], code),
        "one.scale": factors[:1],
        "foreign.weight": (blocks[0], code),
        "foreign.scale": factors,
        "plain.weight": weights[0],
        "plain.scale": factors[:1],
    }
    found = arrays(source_file(written(tmp_path / "m.gguf", tensors)))
    meant = found["a.weight"]
    np.testing.assert_array_equal(found["stack.weight"], meant * factors[:, None, None])
    np.testing.assert_array_equal(found["one.weight"], meant[0] * 2)
    np.testing.assert_array_equal(found["foreign.weight"], meant[0])
    np.testing.assert_array_equal(found["plain.weight"], weights[0])


def test_an_infinite_scale_is_a_finding_and_no_warning():
    block = np.float16(np.inf).tobytes() + bytes(32)
    file = in_memory("m.gguf", packed([info("w", [32], CODES["q8_0"])], block))
    assert np.isnan(arrays(file)["w"]).all()


@pytest.mark.parametrize("label", ["q8_1", "q8_k"])
def test_a_type_nobody_dequantises_is_skipped_and_the_rest_is_read(label):
    kind = BLOCK_TYPES[CODES[label]]
    infos = [info("q", [kind.values], CODES[label]), info("w", [4], offset=320)]
    inventory = look(in_memory("m.gguf", packed(infos, bytes(336))))
    assert [tensor.name for tensor in inventory.tensors] == ["w"]
    (skip,) = inventory.skipped
    assert (skip.name, skip.dtype, skip.read) == ("q", label, False)
    assert skip.reason == f"unreadable: no reader for element type {label}"


def test_a_type_that_was_given_up_is_skipped_by_its_number():
    infos = [info("q", [32], 31), info("w", [4], offset=64)]
    inventory = look(in_memory("m.gguf", packed(infos, bytes(80))))
    assert inventory.skipped[0].reason == "unreadable: no reader for element type ggml type 31"
    assert [tensor.name for tensor in inventory.tensors] == ["w"]


def test_every_type_of_the_library_has_its_size_here():
    sizes = {int(code): size for code, size in gguf.GGML_QUANT_SIZES.items()}
    assert {code: (kind.values, kind.size) for code, kind in BLOCK_TYPES.items()} == sizes


# --- files that are no models, and files that lie --------------------------------------------


def test_a_file_to_quantise_by_holds_no_weights():
    infos = [info("blk.0.ffn_up.weight.in_sum2", [4])]
    data = packed(infos, bytes(16), key("general.type", TEXT, text("imatrix")))
    inventory = look(in_memory("imatrix.gguf", data))
    assert (inventory.tensors, inventory.reading.failures) == ((), ())
    assert "no weights" in inventory.skipped[0].reason


def test_a_vocabulary_has_no_tensors():
    data = packed([], b"", key("tokenizer.ggml.tokens", ARRAY, words("a", "b")))
    inventory = look(in_memory("ggml-vocab-llama.gguf", data))
    assert (inventory.tensors, inventory.reading.failures) == ((), ())


GOOD = info("w", [2, 2])
DEEP = struct.pack("<IQ", ARRAY, 1) + words("a")
LIES = {
    "shorter than a head": (b"GGUF\x03", "states a header that reaches to byte 8"),
    "nothing but a head": (b"GGUF" + bytes(100), "is GGUF of version 0"),
    "version 1": (packed([GOOD], bytes(16), version=1), "with today's llama.cpp"),
    "version 4": (packed([GOOD], bytes(16), version=4), "versions 2 and 3 are read"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian; convert it with"),
    "before GGUF": (b"lmgg" + bytes(100), "from before GGUF"),
    "tensors without end": (packed([GOOD], bytes(16), tensors=2**60), "states 11529"),
    "keys without end": (packed([GOOD], bytes(16), keys=2**60), "pieces of metadata"),
    "more tensors than bytes": (packed([GOOD], tensors=9999), "states a header"),
    "more keys than bytes": (packed([], keys=9999), "states a header that reaches"),
    "a key too long": (packed([], b"", key(b"k" * 20_001, U32, bytes(4))), "at most 20000"),
    "a key beyond the file": (packed([], b"", struct.pack("<Q", 2**63)), "is 9223372036854775808"),
    "a key of no text": (packed([], b"", key(b"\xff", U32, bytes(4))), "no UTF-8 text"),
    "a key twice": (packed([], b"", *[key("a", U32, bytes(4))] * 2), "states 'a' twice"),
    "a type of no metadata": (packed([], b"", key("a", 13, bytes(8))), "unknown type 13"),
    "a list in a list": (packed([], b"", key("a", ARRAY, DEEP)), "a list of lists"),
    "a list of no type": (
        packed([], b"", key("a", ARRAY, struct.pack("<IQ", 99, 1) + bytes(64))),
        "unknown type 99",
    ),
    "numbers without end": (
        packed([], b"", key("a", ARRAY, struct.pack("<IQ", U64, 2**60))),
        "it is cut off or damaged",
    ),
    "words without end": (
        packed([], b"", key("a", ARRAY, struct.pack("<IQ", TEXT, 2**60))),
        "expected at most 2000000",
    ),
    "a word beyond the file": (
        packed([], b"", key("a", ARRAY, struct.pack("<IQQ", TEXT, 1, 2**64 - 1))),
        "it is cut off or damaged",
    ),
    "alignment 0": (
        packed([GOOD], bytes(16), key("general.alignment", U32, bytes(4))),
        "expected a power of two",
    ),
    "alignment 24": (
        packed([GOOD], bytes(16), key("general.alignment", U32, struct.pack("<I", 24))),
        "states an alignment of 24",
    ),
    "alignment beyond the file": (
        packed([GOOD], bytes(16), key("general.alignment", U32, struct.pack("<I", 1 << 31))),
        "reaches to byte 2147483664",
    ),
    "a name twice": (packed([GOOD, info("w", [2, 2], 0, 32)], bytes(48)), "'w' is there twice"),
    "a name of no text": (packed([info(b"\xc3(", [4])], bytes(16)), "no UTF-8 text"),
    "five dimensions": (packed([info("w", [1] * 5)], bytes(16)), "has 5 dimensions"),
    "2**31 dimensions": (
        packed([text("w") + struct.pack("<I", 1 << 31)], bytes(16)),
        "has 2147483648 dimensions",
    ),
    "a side beyond 63 bits": (packed([info("w", [2**63])], bytes(16)), "no whole number"),
    "sides that overflow": (packed([info("w", [2**62] * 4)], bytes(16)), "reaches to byte"),
    "an empty array of no size": (packed([info("w", [2**62, 2**62, 0])]), "longer than any"),
    "an offset beyond the file": (packed([info("w", [4], 0, 2**40)], bytes(16)), "of 80; it is"),
    "an offset beyond 63 bits": (
        packed([info("w", [4], 0, 2**64 - 32)], bytes(16)),
        "reaches to byte 18446744073709551",
    ),
    "not aligned": (packed([info("w", [4], 0, 16)], bytes(32)), "start at multiples of 32"),
    "an overlap": (
        packed([info("v", [16]), info("w", [4], 0, 32)], bytes(64)),
        "'w' starts at byte 128, where another one ends at 160",
    ),
    "values cut off": (packed([GOOD], bytes(15)), "cut off, fetch it again"),
    "half a block": (packed([info("w", [48], 8)], bytes(64)), "no whole blocks of 32"),
    "a row of no blocks": (packed([info("w", [2, 32], 8)], bytes(68)), "has rows of 2 values"),
    "a single value of a block": (packed([info("w", [], 8)], bytes(34)), "has rows of 1 values"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_a_failure_with_a_sentence(lie):
    data, message = LIES[lie]
    failure = the_failure(in_memory("model.gguf", data))
    assert message in failure.reason
    assert (failure.name, failure.dangerous) == ("model.gguf", False)


def test_files_made_by_hand_are_good_until_they_are_bent():
    data = packed([GOOD], np.arange(4, dtype="<f4").tobytes(), key("a", ARRAY, words("b", "c")))
    assert arrays(in_memory("m.gguf", data))["w"].tolist() == [[0, 1], [2, 3]]
    with_empty = packed([info("none", [32, 0], CODES["q8_0"]), GOOD], bytes(16))
    assert arrays(in_memory("m.gguf", with_empty)).keys() == {"none", "w"}


def whole_file() -> bytes:
    keys = (key("a", ARRAY, words("b", "c")), key("n", F32, bytes(4)))
    infos = [info("v", [8, 2]), info("q", [32], CODES["q8_0"], 64)]
    return packed(infos, bytes(64 + 34), *keys)


@steady
@given(strategies.data())
def test_cut_off_anywhere_it_is_a_failure(data):
    whole = whole_file()
    cut = data.draw(strategies.integers(0, len(whole) - 1))
    assert the_failure(in_memory("model.gguf", whole[:cut])).reason


@steady
@given(strategies.data())
def test_a_changed_header_is_refused_or_described_within_the_file(data):
    whole = bytearray(whole_file())
    at = data.draw(strategies.integers(0, len(whole) - 98))
    whole[at] = data.draw(strategies.integers(0, 255))
    with opened([in_memory("model.gguf", bytes(whole))], "a test") as inventory:
        for tensor in inventory.tensors:
            assert len(tensor.read()) == tensor.nbytes <= 32 * len(whole)


class Counted(BytesIO):
    """Bytes that count how often they are read."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


def test_long_vocabularies_are_passed_over_in_few_reads():
    data = packed([GOOD], bytes(16), key("tokens", ARRAY, words(*["word"] * 300_000)))
    handle = Counted(data)
    header = parse(Blob("m.gguf", len(data), handle, nothing))
    assert (header.entries[0].name, header.start) == ("w", len(data) - 16)
    assert handle.reads < 20


def test_a_short_header_is_fetched_without_the_values():
    data = packed([info("w", [1 << 20])], bytes(4 << 20))
    handle = Counted(data)
    parse(Blob("m.gguf", len(data), handle, nothing))
    assert (handle.reads, handle.tell()) == (1, 16 << 10)


def nothing(_file: str, name: str) -> Blob:
    raise AssertionError(f"asked for {name}")
