"""ONNX files: the onnx package writes them and is the oracle of what they hold."""

import io
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import numpy as np
import onnx
import pytest
import safetensors.torch as st
import torch
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray
from onnx import TensorProto as Kind
from onnx import helper, numpy_helper
from torch import nn

from auditor.errors import WeightsError
from auditor.records import SourceFile
from auditor.weights import onnx as ours
from auditor.weights import onnx_graph, protobuf_wire
from auditor.weights.formats import Blob
from tests.weights.reading import (
    arrays,
    digests,
    in_memory,
    look,
    outcome,
    source_file,
    steady,
    the_failure,
)

Array = NDArray[Any]
RNG = np.random.default_rng(7)


def values(*shape: int) -> NDArray[np.float32]:
    return RNG.standard_normal(shape).astype(np.float32)


def real(*numbers: float) -> NDArray[np.float32]:
    return np.array(numbers, np.float32)


def byte(*numbers: int) -> NDArray[np.int8]:
    return np.array(numbers, np.int8)


def tensor(name: str, array: Array) -> onnx.TensorProto:
    return numpy_helper.from_array(array, name)


def graph(
    nodes: Sequence[onnx.NodeProto], tensors: Sequence[onnx.TensorProto] = (), name: str = "g"
) -> onnx.GraphProto:
    return helper.make_graph(list(nodes), name, [], [], list(tensors))


def data_of(*arguments: Any, **options: Any) -> bytes:
    made = graph(*arguments, **options)
    return cast("bytes", helper.make_model(made).SerializeToString())


def file_of(*arguments: Any, **options: Any) -> SourceFile:
    return in_memory("model.onnx", data_of(*arguments, **options))


def used(op: str, *inputs: str, out: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(inputs), [out], **attributes)


def varint(number: int) -> bytes:
    return bytes([number & 127 | 128, *varint(number >> 7)]) if number > 127 else bytes([number])


def wrapped(number: int, data: bytes) -> bytes:
    """A field that holds bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


# --- what is in a file ----------------------------------------------------------------------


def test_a_model_has_the_digests_of_its_state_dict():
    state = {
        "conv.weight": torch.randn(4, 3, 3, 3),
        "conv.bias": torch.randn(4),
        "up.weight": torch.randn(4, 2, 3, 3),
        "fc.weight": torch.randn(6, 8),
        "out.weight": torch.randn(5, 6),
        "emb.weight": torch.randn(9, 8),
    }
    stored = {name: value.numpy() for name, value in state.items()}
    stored["out.weight"] = np.ascontiguousarray(stored["out.weight"].T)
    nodes = [
        used("Conv", "x", "conv.weight", "conv.bias", out="a"),
        used("ConvTranspose", "a", "up.weight", out="b"),
        used("Gemm", "b", "fc.weight", out="c", transB=1),
        used("MatMul", "c", "out.weight", out="d"),
        used("Gather", "emb.weight", "x", out="e"),
    ]
    file = file_of(nodes, [tensor(name, array) for name, array in stored.items()])
    assert digests(file) == digests(in_memory("m.safetensors", st.save(state)))


KINDS = [
    Kind.FLOAT, Kind.UINT8, Kind.INT8, Kind.UINT16, Kind.INT16, Kind.INT32, Kind.INT64, Kind.BOOL,
    Kind.FLOAT16, Kind.DOUBLE, Kind.UINT32, Kind.UINT64, Kind.COMPLEX64, Kind.COMPLEX128,
    Kind.BFLOAT16, Kind.FLOAT8E4M3FN, Kind.FLOAT8E4M3FNUZ, Kind.FLOAT8E5M2, Kind.FLOAT8E5M2FNUZ,
]  # fmt: skip
WIDE = {Kind.BFLOAT16, *range(Kind.FLOAT8E4M3FN, Kind.FLOAT8E5M2FNUZ + 1)}


def proto_of(kind: int, numbers: Sequence[float], *, raw: bool) -> onnx.TensorProto:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    array = np.array(numbers).astype(dtype)
    if raw:
        return numpy_helper.from_array(array.reshape(2, -1), "w")
    return helper.make_tensor("w", kind, (2, len(numbers) // 2), array)


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
@pytest.mark.parametrize("kind", KINDS, ids=Kind.DataType.Name)
def test_every_element_type_is_read_as_the_package_reads_it(kind, raw):
    proto = proto_of(kind, [0, 1, 1, 0, 100, 3], raw=raw)
    assert bool(proto.raw_data) is raw
    found = arrays(file_of([], [proto]))["w"]
    expected = numpy_helper.to_array(proto)
    assert np.array_equal(found, expected.astype(np.float32) if kind in WIDE else expected)
    assert found.dtype == (np.float32 if kind in WIDE else expected.dtype)


@steady
@given(some.lists(some.integers(-(2**63), 2**63 - 1)), some.sampled_from([8, 16, 32, 64]))
def test_numbers_of_any_size_are_read_back(numbers, bits):
    stored = np.array(numbers, np.int64).astype(f"i{bits // 8}")
    kind = helper.np_dtype_to_tensor_dtype(stored.dtype)
    proto = helper.make_tensor("w", kind, stored.shape, stored)
    assert np.array_equal(arrays(file_of([], [proto]))["w"], stored)


def test_numbers_are_decoded_in_steps(monkeypatch):
    monkeypatch.setattr("auditor.weights.onnx_values.STEP", 16)
    stored = RNG.integers(-(2**31), 2**31, 100).astype(np.int32)
    proto = helper.make_tensor("w", Kind.INT32, stored.shape, stored)
    assert np.array_equal(arrays(file_of([], [proto]))["w"], stored)


def test_an_empty_tensor_and_a_scalar_are_read():
    found = arrays(file_of([], [tensor("none", values(0, 3)), tensor("one", values())]))
    assert found["none"].shape == (0, 3)
    assert found["one"].shape == ()


def test_text_and_packed_integers_are_left_out_with_the_reason():
    text = onnx.TensorProto(name="t", dims=[2], data_type=Kind.STRING, string_data=[b"a", b"b"])
    packed = helper.make_tensor("p", Kind.INT4, (2, 2), [1, -2, 3, -8])
    skips = {skip.name: skip for skip in look(file_of([], [text, packed])).skipped}
    assert skips["t"].reason == "unreadable: no reader for element type text"
    assert skips["p"].reason == "quantised integers without a known scale"
    assert not skips["p"].read


def test_a_sparse_initialiser_is_left_out_with_the_reason():
    made = graph([])
    sparse = made.sparse_initializer.add()
    sparse.values.CopyFrom(tensor("s", values(2)))
    sparse.indices.CopyFrom(tensor("", np.array([1, 5])))
    sparse.dims.extend([3, 4])
    (skip,) = look(in_memory("m.onnx", helper.make_model(made).SerializeToString())).skipped
    assert (skip.name, skip.shape, skip.read) == ("s", (3, 4), False)
    assert "store it dense" in skip.reason


# --- axis order -----------------------------------------------------------------------------

W = values(3, 4)
RIGHT = used("MatMul", "x", "w")
ORDERS = {
    "right of a product": ([RIGHT], True),
    "left of a product": ([used("MatMul", "w", "x")], False),
    "Gemm": ([used("Gemm", "x", "w")], True),
    "Gemm, turned": ([used("Gemm", "x", "w", transB=1)], False),
    "transposed before": (
        [used("Transpose", "w", out="t", perm=[1, 0]), used("MatMul", "x", "t")],
        False,
    ),
    "transposed without perm": ([used("Transpose", "w", out="t"), used("MatMul", "x", "t")], False),
    "twice turned": ([used("Transpose", "w", out="t"), used("Gemm", "x", "t", transB=1)], True),
    "cast before": ([used("Cast", "w", out="t", to=10), used("MatMul", "x", "t")], True),
    "identity chain": (
        [used("Identity", "w", out="a"), used("Identity", "a", out="b"), used("MatMul", "x", "b")],
        True,
    ),
    "looked up": ([used("Gather", "w", "x")], False),
    "looked up, and a product": ([RIGHT, used("Gather", "w", "x", out="z")], False),
    "used by nothing": ([], False),
    "added": ([used("Add", "x", "w")], False),
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_axes_are_those_of_pytorch_where_every_use_says_so(order):
    nodes, is_turned = ORDERS[order]
    found = arrays(file_of(nodes, [tensor("w", W)]))["w"]
    assert np.array_equal(found, W.T if is_turned else W)


def test_a_weight_used_inside_a_branch_is_turned_too():
    branch = graph([used("MatMul", "x", "w", out="z")], name="b")
    nodes = [used("If", "c", then_branch=branch, else_branch=graph([]))]
    assert np.array_equal(arrays(file_of(nodes, [tensor("w", W)]))["w"], W.T)


def test_a_branchs_own_weight_hides_no_outer_one():
    inner = graph([used("MatMul", "x", "w", out="z")], [tensor("w", values(5, 2))])
    nodes = [used("If", "c", then_branch=inner)]
    nodes[0].name = "if"
    found = arrays(file_of(nodes, [tensor("w", W)]))
    assert (found["w"].shape, found["if/then_branch/w"].shape) == ((3, 4), (2, 5))


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(11, 6)
        self.conv = nn.Conv1d(6, 8, 3, groups=2)
        self.fc = nn.Linear(8, 5)
        self.plain = nn.Linear(5, 7, bias=False)
        self.lstm = nn.LSTM(7, 4, num_layers=2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(8, 3)
        self.rnn = nn.RNN(3, 3)
        self.up = nn.ConvTranspose1d(3, 2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(self.emb(x).transpose(1, 2)).transpose(1, 2)
        y, _ = self.lstm(self.plain(self.fc(y)))
        y, _ = self.gru(y)
        y, _ = self.rnn(y)
        return cast("torch.Tensor", self.up(y.transpose(1, 2)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_what_pytorch_exports_has_the_names_and_digests_of_the_state_dict(tmp_path):
    model, path = Model().eval(), tmp_path / "m.onnx"
    torch.onnx.export(model, (torch.zeros(2, 9, dtype=torch.long),), path, dynamo=False)
    state = digests(in_memory("m.safetensors", st.save(model.state_dict())))
    found = digests(source_file(path))
    split = {name for name in state if ".bias_" in name}  # ONNX joins a layer's two biases
    assert {name for name in found if ".bias_" not in name} == state.keys() - split
    assert {name: found[name] for name in state.keys() - split}.items() <= state.items()


# --- graphs in graphs -----------------------------------------------------------------------


def nested(depth: int) -> onnx.GraphProto:
    weight = tensor("w", np.full((2, 2), depth, np.float32))
    if depth == 0:
        return graph([], [weight])
    node = helper.make_node("If", ["c"], ["y"], name="if", then_branch=nested(depth - 1))
    return graph([node], [weight])


def test_graphs_ten_deep_have_their_path_before_their_names():
    file = in_memory("m.onnx", helper.make_model(nested(10)).SerializeToString())
    found = arrays(file)
    assert found.keys() == {"if/then_branch/" * deep + "w" for deep in range(11)}
    assert all(found["if/then_branch/" * deep + "w"][0, 0] == 10 - deep for deep in range(11))


def test_branches_that_use_one_name_are_told_apart_with_or_without_node_names():
    one, two = (graph([], [tensor("w", values(2, 2))]) for _ in range(2))
    nodes = [used("If", "c", out=out, then_branch=one, else_branch=two) for out in ("a", "b")]
    assert arrays(file_of(nodes)).keys() == {
        "If#0/then_branch/w",
        "If#0/else_branch/w",
        "If#1/then_branch/w",
        "If#1/else_branch/w",
    }


def test_constants_of_nodes_are_weights_if_they_are_vectors_or_matrices():
    kept, numbers = tensor("", values(3)), tensor("", np.array([1, 2, 3]))
    nodes = [
        used("Constant", out="bias", value=kept),
        used("Constant", out="shape", value=numbers),
        used("Constant", out="one", value=tensor("", values(1))),
        used("Constant", out="matrix", value=tensor("", values(2, 2))),
        helper.make_node(
            "Special", [], ["y"], name="n", domain="d", table=tensor("", values(2, 3))
        ),
    ]
    assert arrays(file_of(nodes)).keys() == {"bias", "matrix", "n/table"}


def test_constants_of_functions_are_read():
    model = helper.make_model(graph([]))
    node = used("Constant", out="w", value=tensor("", W))
    model.functions.add(name="f", domain="d", node=[node])
    found = arrays(in_memory("m.onnx", model.SerializeToString()))
    assert np.array_equal(found["d.f/w"], W)


def test_what_a_recurrent_layer_starts_from_is_no_weight():
    nodes = [
        used("Constant", out="zeros", value=tensor("", np.zeros((1, 1, 2), np.float32))),
        used("Expand", "zeros", "n", out="h"),
        used("GRU", "x", "w", "r", "", "", "h"),
    ]
    weights = [tensor("w", values(1, 6, 3)), tensor("r", values(1, 6, 2))]
    found = arrays(file_of(nodes, weights))
    assert {name: array.shape for name, array in found.items()} == {"w": (6, 3), "r": (6, 2)}


# --- quantised weights ----------------------------------------------------------------------

INT8 = RNG.integers(-128, 128, (4, 6)).astype(np.int8)


def quantised(
    stored: onnx.TensorProto, scale: Array, zero: Array | None, *more: onnx.NodeProto, **how: Any
) -> SourceFile:
    tensors = [stored, tensor("s", scale), *([] if zero is None else [tensor("z", zero)])]
    inputs = ["w", "s"] if zero is None else ["w", "s", "z"]
    return file_of([used("DequantizeLinear", *inputs, out="d", **how), *more], tensors)


SCALES: dict[str, tuple[Array, Array | None, dict[str, int]]] = {
    "one": (np.array(0.5, np.float32), np.array(3, np.int8), {}),
    "one, no zero": (np.array([0.25], np.float32), None, {}),
    "rows": (real(1, 2, 3, 4), byte(1, -2, 0, 7), {"axis": 0}),
    "columns": (real(1, 2, 3, 4, 5, 6), None, {"axis": 1}),
    "columns from behind": (real(1, 2, 3, 4, 5, 6), None, {"axis": -1}),
    "columns by default": (real(1, 2, 3, 4, 5, 6), None, {}),
    "blocks": (values(4, 3), np.full((4, 3), 3, np.int8), {"axis": 1, "block_size": 2}),
    "uneven blocks": (values(4, 2), None, {"axis": 1, "block_size": 4}),
}  # fmt: skip


@pytest.mark.parametrize("how", SCALES)
def test_weights_are_dequantised_as_the_reference_does(how):
    scale, zero, attributes = SCALES[how]
    file = quantised(tensor("w", INT8), np.asarray(scale), zero, **attributes)
    inventory = look(file)
    assert {skip.name: skip.reason for skip in inventory.skipped} == {
        "s": "scale of w",
        **({} if zero is None else {"z": "zero point of w"}),
    }
    (weight,) = inventory.tensors
    assert (weight.dtype, weight.element, weight.stored) == ("int8", "float32", INT8.nbytes)
    wide = np.asarray(scale).reshape(-1) if np.asarray(scale).size == 1 else np.asarray(scale)
    axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)

    def over(part: Array) -> Array:
        if part.size == 1:
            return part
        if block:
            return np.repeat(part, block, axis=1)[:, :6]
        return part[:, None] if axis == 0 else part[None, :]

    shift = 0 if zero is None else over(np.asarray(zero)).astype(np.float32)
    expected = ((INT8.astype(np.float32) - shift) * over(wide)).astype(np.float32)
    assert np.array_equal(arrays(file)["w"], expected)


def test_dequantised_weights_of_a_product_are_turned():
    file = quantised(tensor("w", INT8), real(0.5), None, used("MatMul", "x", "d"))
    assert np.array_equal(arrays(file)["w"], INT8.T * np.float32(0.5))


@pytest.mark.parametrize("kind", [Kind.INT4, Kind.UINT4, Kind.FLOAT4E2M1])
def test_packed_weights_are_dequantised(kind):
    numbers = [0, 1, 2, 3, 6, 4, 1, 2, 3] if kind != Kind.INT4 else [0, 1, -2, 3, -8, 7, 1, -1, 5]
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    proto = helper.make_tensor("w", kind, (3, 3), np.array(numbers).astype(dtype))
    found = arrays(quantised(proto, real(2), None))["w"]
    assert np.array_equal(found, 2 * real(*numbers).reshape(3, 3))


def test_a_zero_point_may_be_packed_too():
    packed = helper.make_tensor("w", Kind.INT4, (2, 3), [1, -2, 3, -8, 7, 0])
    zero = helper.make_tensor("z", Kind.INT4, (2,), [1, -3])
    node = used("DequantizeLinear", "w", "s", "z", axis=0)
    found = arrays(file_of([node], [packed, tensor("s", real(1, 2)), zero]))["w"]
    assert found.tolist() == [[0, -3, 2], [-10, 20, 6]]


BAD_PARTS = {
    "a scale of text": onnx.TensorProto(name="s", dims=[1], data_type=Kind.STRING),
    "a scale of no type": onnx.TensorProto(name="s", dims=[1]),
    "a scale of a type of tomorrow": onnx.TensorProto(name="s", dims=[1], data_type=99),
    "a complex scale": helper.make_tensor("s", Kind.COMPLEX64, (1,), np.array([1j], "c8")),
    "a zero point of text": onnx.TensorProto(name="z", dims=[1], data_type=Kind.STRING),
}


@pytest.mark.parametrize("bad", BAD_PARTS)
def test_a_scale_or_zero_point_that_is_no_number_leaves_the_weight_out(bad):
    good = {"s": tensor("s", real(1)), "z": tensor("z", byte(0)), "w": tensor("w", INT8)}
    tensors = {**good, BAD_PARTS[bad].name: BAD_PARTS[bad]}
    inventory = look(file_of([used("DequantizeLinear", "w", "s", "z")], list(tensors.values())))
    assert inventory.tensors == ()
    assert {skip.name: skip.read for skip in inventory.skipped}["w"] is False


def test_the_names_of_the_quantisation_tool_tell_scale_and_zero_point():
    nodes = [used("MatMulInteger", "x", "fc.weight_quantized", "xz", "fc.weight_zero_point")]
    scale, zero = real(1, 2, 3, 4, 5, 6), byte(0, 1, 2, 3, 4, 5)
    file = file_of(
        nodes,
        [
            tensor("fc.weight_quantized", INT8),
            tensor("fc.weight_scale", scale),
            tensor("fc.weight_zero_point", zero),
        ],
    )
    expected = ((INT8.astype(np.float32) - zero) * scale).T
    assert np.array_equal(arrays(file)["fc.weight"], expected)
    reasons = {skip.reason for skip in look(file).skipped}
    assert reasons == {"scale of fc.weight", "zero point of fc.weight"}


def test_a_quantised_convolution_has_a_scale_for_each_output():
    kernel = RNG.integers(-128, 128, (2, 3, 3, 3)).astype(np.int8)
    tensors = [tensor("w", kernel), tensor("s", real(1, 2)), tensor("z", byte(0, 1))]
    node = used("QLinearConv", "x", "xs", "xz", "w", "s", "z", "ys", "yz")
    expected = kernel.astype(np.float32)
    expected[1] = (expected[1] - 1) * 2
    assert np.array_equal(arrays(file_of([node], tensors))["w"], expected)


def test_a_scale_that_does_not_fit_leaves_the_weight_out():
    (skip, *_) = look(quantised(tensor("w", INT8), values(3), None)).skipped
    assert (skip.name, skip.read) == ("w", False)
    assert "does not fit it, of shape 3" in skip.reason


def test_a_block_length_that_lies_takes_no_memory():
    tracemalloc.start()
    file = quantised(tensor("w", INT8), values(4, 1), None, axis=1, block_size=2**62)
    assert arrays(file)["w"].shape == (4, 6)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


# --- data beside the model ------------------------------------------------------------------


def outside(location: str, shape: Sequence[int], **entries: int | str) -> onnx.TensorProto:
    proto = onnx.TensorProto(name="w", dims=shape, data_type=Kind.FLOAT)
    proto.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        proto.external_data.add(key=key, value=str(value))
    return proto


def test_external_data_is_read_from_the_file_beside():
    file = file_of([], [outside("model.onnx_data", W.shape, offset=8, length=W.nbytes)])
    beside = in_memory("model.onnx_data", bytes(8) + W.tobytes() + bytes(4))
    inventory = look(file, beside)
    assert [record.name for record in inventory.reading.files] == ["model.onnx", "model.onnx_data"]
    assert np.array_equal(arrays(file, beside)["w"], W)


def test_a_model_the_package_saves_with_external_data_is_read(tmp_path):
    model = helper.make_model(graph([RIGHT], [tensor("w", W)]))
    onnx.save(
        model,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    files = [source_file(path) for path in sorted(tmp_path.iterdir())]
    inventory = look(*files)
    assert len(files) == 2
    assert inventory.reading.failures == ()  # weights.bin is not read on its own
    assert np.array_equal(arrays(*files)["w"], W.T)


PLACES = {
    "/etc/passwd": "expected a file beside it",
    "../weights.bin": "expected a file beside it",
    "a/../../weights.bin": "expected a file beside it",
    "gone.bin": "which is not there",
    "": "expected a file beside it",
    "model.onnx": "into the model file itself",
    "./model.onnx": "into the model file itself",
    "a\x1b[2Jb": r"points to 'a\x1b[2Jb'",
}


@pytest.mark.parametrize("location", PLACES)
def test_external_data_elsewhere_is_refused(location):
    failure = the_failure(file_of([], [outside(location, (1,))]))
    assert PLACES[location] in failure.reason


@pytest.mark.parametrize(
    "entries", [{"offset": 4}, {"offset": -4}, {"length": 8}, {"length": 4}, {"offset": "x"}]
)
def test_external_data_of_another_size_is_refused(entries):
    file = file_of([], [outside("w.onnx_data", (3,), **entries)])
    failure = the_failure(file, in_memory("w.onnx_data", bytes(12)))
    assert "tensor 'w'" in failure.reason


def test_a_weight_file_is_not_hidden_by_a_model_that_points_to_it():
    decoy = file_of([], [outside("model.safetensors", (1,))])
    real = in_memory("model.safetensors", st.save({"fc.weight": torch.ones(2, 3)}))
    assert "fc.weight" in {t.name for t in look(decoy, real).tensors}


# --- files that lie -------------------------------------------------------------------------

SAMPLE = data_of(
    [
        used("Constant", out="c", value=tensor("", values(2, 2))),
        used("If", "x", out="z", then_branch=graph([], [tensor("w", values(2, 2))])),
        used("Transpose", "w", out="t", perm=[1, 0]),
        used("DequantizeLinear", "q", "s", out="d", axis=0),
    ],
    [tensor("w", W), tensor("q", INT8), tensor("s", real(1, 2, 3, 4))],
)


def test_a_file_cut_off_anywhere_is_a_failure():
    assert outcome("model.onnx", SAMPLE) == ""
    graph_ends = len(SAMPLE) - len(helper.make_model(graph([])).opset_import[0].SerializeToString())
    assert all(outcome("model.onnx", SAMPLE[:end]) for end in range(graph_ends - 3))


@steady
@given(some.integers(0, len(SAMPLE) - 1), some.binary(min_size=1, max_size=12))
def test_changed_bytes_end_in_a_sentence_or_in_values(place, change):
    outcome("model.onnx", SAMPLE[:place] + change + SAMPLE[place + len(change) :])


@steady
@given(some.binary(max_size=200))
def test_any_bytes_end_in_a_sentence(data):
    assert outcome("model.onnx", data)


def test_graphs_nested_too_deep_are_refused():
    limit = onnx_graph.DEPTH
    assert "nested more than" in outcome(
        "model.onnx", helper.make_model(nested(limit)).SerializeToString()
    )
    assert outcome("model.onnx", helper.make_model(nested(limit - 1)).SerializeToString()) == ""


NODES = wrapped(7, b"\x0a\x00" * 3000)  # two bytes each


def test_a_graph_of_endless_nodes_is_refused(monkeypatch):
    assert outcome("model.onnx", b"\x08\x08" + NODES) == ""
    monkeypatch.setattr(protobuf_wire, "FIELDS_LIMIT", 3000)
    assert "more than 3000 fields" in outcome("model.onnx", b"\x08\x08" + NODES)
    monkeypatch.setattr(protobuf_wire, "MESSAGES_LIMIT", 2999)
    assert "or 2999 messages" in outcome("model.onnx", b"\x08\x08" + NODES)


def test_paths_that_multiply_long_names_are_refused():
    inner = b"".join(wrapped(5, wrapped(8, str(index).encode())) for index in range(2000))
    for _ in range(20):
        branch = wrapped(5, wrapped(1, b"b") + wrapped(6, inner))
        inner = wrapped(1, wrapped(3, b"n" * 5000) + branch)
    tracemalloc.start()
    assert "longer than any model's" in outcome("model.onnx", b"\x08\x08" + wrapped(7, inner))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def peak_of(data: bytes) -> int:
    """Bytes that reading takes at most, found in a fresh interpreter."""
    code = (
        "import io, resource, sys\n"
        "from auditor.weights.formats import Blob\n"
        "from auditor.weights.onnx import read\n"
        "data = sys.stdin.buffer.read()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "read(Blob('m', len(data), io.BytesIO(data), None))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], input=data, capture_output=True, check=True
    )
    return int(done.stdout) << 10


@pytest.mark.wide
def test_as_many_tiny_tensors_as_can_be_take_little_memory():
    one = b"\x10\x01\x4a\x04abcd"
    count = protobuf_wire.MESSAGES_LIMIT - 10
    tensors = b"".join(wrapped(5, one + wrapped(8, str(i).encode())) for i in range(count))
    assert peak_of(b"\x08\x08" + wrapped(7, tensors)) < 500e6


LIES = {
    "shape too large": (lambda t: t.dims.append(2**40), "which are no float32 values"),
    "negative side": (lambda t: t.dims.__setitem__(0, -3), "is no whole number"),
    "too many sides": (lambda t: t.dims.extend([1] * 70), "more than 64 numbers"),
    "too few bytes": (lambda t: setattr(t, "raw_data", b"\0" * 8), "which are no float32 values"),
    "no bytes": (lambda t: t.ClearField("raw_data"), "which are no float32 values"),
    "two places": (lambda t: t.float_data.extend([1.0] * 12), "in several pieces"),
    "a segment": (lambda t: setattr(t.segment, "end", 3), "in several pieces"),
    "another field": (
        lambda t: (t.ClearField("raw_data"), t.double_data.extend([1.0] * 6)),
        "which are no float32 values",
    ),
    "endless empty": (lambda t: t.dims.__setitem__(slice(None), [0, 2**62]), "longer than any"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_tensor_that_lies_is_a_failure(lie):
    change, message = LIES[lie]
    proto = tensor("w", W)
    change(proto)
    assert message in outcome("model.onnx", data_of([], [proto]))


def test_fewer_numbers_than_stated_are_found_when_they_are_read():
    proto = onnx.TensorProto(name="w", dims=[2], data_type=Kind.INT32, int32_data=[1, 2, 3])
    assert "3 numbers" in outcome("model.onnx", data_of([], [proto]))
    endless = b"\x08\x02\x10\x06\x2a\x0b" + b"\xff" * 11 + b"\x42\x01w"
    message = b"\x08\x08" + wrapped(7, wrapped(5, endless))
    assert "0 numbers" in outcome("model.onnx", message)


def test_fields_that_may_be_there_once_are_not_taken_twice():
    empty = wrapped(7, b"")
    assert "field 7 twice" in outcome("model.onnx", b"\x08\x08" + empty + empty)


def test_tensors_and_nodes_that_share_a_name_are_refused():
    assert "two tensors" in outcome("model.onnx", data_of([], [tensor("w", W), tensor("w", W)]))
    assert "two nodes give" in outcome("model.onnx", data_of([RIGHT, RIGHT]))


@pytest.mark.parametrize("name", ["\x1b[31m", "<script>", "a" * 10_000, "\u202egnp", "\0"])
def test_names_are_taken_as_they_are(name):
    assert arrays(file_of([], [tensor(name, W)])).keys() == {name}


def test_names_longer_than_any_are_refused():
    assert "a name of" in outcome("model.onnx", data_of([], [tensor("a" * 70_000, W)]))


# --- recognition and memory -----------------------------------------------------------------


def test_a_model_is_recognised_by_its_content_too():
    assert (
        arrays(in_memory("model.bin", SAMPLE)).keys() == arrays(in_memory("m.onnx", SAMPLE)).keys()
    )


OTHERS = {
    "a saved TensorFlow model": b"\x08\x01\x12\x04abcd\x3a\x00",
    "a core ML model": b"\x08\x04\x12\x04abcd\xa2\x1f\x00" + bytes(20),
    "zeros": bytes(100),
    "one byte": b"\x08",
    "cut off": b"\x08\x08\x12\x07pytorch\x3a\xff\x01",
    "no graph": b"\x08\x08" + b"\x12\x01a" * 100,
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_is_no_model_is_not_taken_for_one(other):
    blob = blob_of(OTHERS[other], "model.bin")
    assert not ours.ONNX.matches(blob, blob.head())


def blob_of(data: bytes, name: str) -> Blob:
    return Blob(name, len(data), io.BytesIO(data), nothing_beside)


def nothing_beside(_file: str, name: str) -> NoReturn:
    raise WeightsError(f"points to {name!r}")


def test_a_pointer_is_told_from_a_model():
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
    assert "git lfs pull" in the_failure(in_memory("model.onnx", pointer)).reason


def sparse_model(path: Path, rows: int, columns: int, count: int) -> BinaryIO:
    """A file of `count` weights of zeros that take no room on the disk."""
    size = rows * columns * 4
    heads = []
    for index in range(count):
        inside = b"\x08" + varint(rows) + b"\x08" + varint(columns) + b"\x10\x01"
        inside += wrapped(8, f"w{index}".encode()) + b"\x4a" + varint(size)
        heads.append(b"\x2a" + varint(len(inside) + size) + inside)
    total = sum(len(head) + size for head in heads)
    with path.open("wb") as stream:
        stream.write(b"\x08\x08\x3a" + varint(total))
        for head in heads:
            stream.write(head)
            stream.seek(size, io.SEEK_CUR)
        stream.truncate()
    return path.open("rb")


def test_a_large_model_is_read_a_tensor_at_a_time(tmp_path):
    path = tmp_path / "large.onnx"
    with sparse_model(path, 4096, 4096, 30) as handle:
        blob = Blob(path.name, path.stat().st_size, handle, nothing_beside)
        assert blob.size > 1.9e9
        tracemalloc.start()
        contents = ours.read(blob)
        assert len(contents.tensors) == 30
        assert tracemalloc.get_traced_memory()[1] < 1e6
        assert contents.tensors[-1].read() == bytes(1 << 26)
        assert tracemalloc.get_traced_memory()[1] < 3 << 26
        tracemalloc.stop()


# --- published files ------------------------------------------------------------------------


@pytest.mark.data
@pytest.mark.parametrize(("name", "more"), [("v5_2024-06", 0), ("v5_half_fp16", 1)])
def test_a_published_model_has_the_tensors_of_its_conversion(data, name, more):
    folder = data / "weights/silero_vad"
    found = digests(source_file(folder / f"original/{name}.onnx"))
    expected = digests(source_file(folder / f"{name}.safetensors"))
    assert expected.items() <= found.items()
    assert len(found) == len(expected) + more  # a bias of one value was left out there
