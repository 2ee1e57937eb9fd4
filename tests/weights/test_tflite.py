"""TensorFlow Lite files, built with the accessors that TensorFlow's schema compiles to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import pytest
import safetensors.numpy as st
import tflite
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray

from auditor.records import SourceFile
from auditor.weights import tflite_flatbuffer
from tests.weights.reading import arrays, digests, in_memory, look, outcome, steady, the_failure

Array = NDArray[Any]
Operator = tuple[int, Sequence[int], int]  # code, inputs, output
BEHIND = 1 << 20
RNG = np.random.default_rng(11)
CONV, DEPTHWISE, DENSE, TRANSPOSED, CONV_3D, WIDEN, RESHAPE = 3, 4, 9, 67, 132, 6, 22


@dataclass
class Part:
    """A constant tensor to be written."""

    name: str
    array: Array
    kind: int | None = None  # where the array's own type does not tell
    shape: Sequence[int] | None = None
    scale: Sequence[float] = ()
    zero: Sequence[int] = ()
    axis: int = 0
    buffer: int | None = None  # index of one that is there already
    is_sparse: bool = False
    behind: int = 0  # where its values lie behind all tables


KINDS = {
    "float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7,
    "complex64": 8, "int8": 9, "float64": 10, "complex128": 11, "uint64": 12, "uint32": 15,
    "uint16": 16,
}  # fmt: skip


class Writer:
    """Writes a model whose subgraphs have these constants and operators."""

    def __init__(self, *, shuffled: bool = False) -> None:
        self._to = flatbuffers.Builder(1024)
        self._shuffled = shuffled
        self._buffers = [self._buffer(b"")]

    def model(self, *graphs: tuple[Sequence[Part], Sequence[Operator]]) -> bytes:
        codes = sorted({op for _, operators in graphs for op, _, _ in operators})
        made = [self._graph(parts, operators, codes) for parts, operators in graphs]
        kinds = [self._code(op) for op in codes]
        listed = [self._listed(places) for places in (made, self._buffers, kinds)]
        tflite.ModelStart(self._to)
        tflite.ModelAddVersion(self._to, 3)
        tflite.ModelAddSubgraphs(self._to, listed[0])
        tflite.ModelAddBuffers(self._to, listed[1])
        tflite.ModelAddOperatorCodes(self._to, listed[2])
        self._to.Finish(tflite.ModelEnd(self._to), b"TFL3")
        return bytes(self._to.Output())

    def _listed(self, places: Sequence[int]) -> int:
        self._to.StartVector(4, len(places), 4)
        for place in reversed(places):
            self._to.PrependUOffsetTRelative(place)
        return int(self._to.EndVector())

    def _numbers(self, array: Sequence[float], dtype: str) -> int:
        return int(self._to.CreateNumpyVector(np.array(array, dtype)))

    def _buffer(self, data: bytes, behind: int = 0) -> int:
        inside = self._to.CreateByteVector(data) if data and not behind else 0
        tflite.BufferStart(self._to)
        if inside:
            tflite.BufferAddData(self._to, inside)
        if behind:
            tflite.BufferAddOffset(self._to, behind)
            tflite.BufferAddSize(self._to, len(data))
        return int(tflite.BufferEnd(self._to))

    def _code(self, op: int) -> int:
        tflite.OperatorCodeStart(self._to)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(self._to, min(op, 127))
        tflite.OperatorCodeAddBuiltinCode(self._to, op)
        return int(tflite.OperatorCodeEnd(self._to))

    def _graph(
        self,
        parts: Sequence[Part],
        operators: Sequence[Operator],
        codes: Sequence[int],
    ) -> int:
        tensors = self._listed([self._tensor(part) for part in parts])
        nodes = self._listed([self._operator(*one, codes) for one in operators])
        tflite.SubGraphStart(self._to)
        tflite.SubGraphAddTensors(self._to, tensors)
        tflite.SubGraphAddOperators(self._to, nodes)
        return int(tflite.SubGraphEnd(self._to))

    def _tensor(self, part: Part) -> int:
        name = self._to.CreateString(part.name)
        shape = self._numbers(part.array.shape if part.shape is None else part.shape, "i4")
        recipe = self._recipe(part) if part.scale else 0
        sparsity = self._sparsity() if part.is_sparse else 0
        index = part.buffer
        if index is None:
            index = len(self._buffers)
            self._buffers.append(self._buffer(part.array.tobytes(), part.behind))
        tflite.TensorStart(self._to)
        tflite.TensorAddName(self._to, name)
        tflite.TensorAddShape(self._to, shape)
        kind = KINDS[part.array.dtype.name] if part.kind is None else part.kind
        tflite.TensorAddType(self._to, kind)
        tflite.TensorAddBuffer(self._to, index)
        tflite.TensorAddQuantization(self._to, recipe)
        tflite.TensorAddSparsity(self._to, sparsity)
        return int(tflite.TensorEnd(self._to))

    def _recipe(self, part: Part) -> int:
        scale, zero = self._numbers(part.scale, "f4"), self._numbers(part.zero, "i8")
        tflite.QuantizationParametersStart(self._to)
        tflite.QuantizationParametersAddScale(self._to, scale)
        tflite.QuantizationParametersAddZeroPoint(self._to, zero)
        tflite.QuantizationParametersAddQuantizedDimension(self._to, part.axis)
        return int(tflite.QuantizationParametersEnd(self._to))

    def _sparsity(self) -> int:
        tflite.SparsityParametersStart(self._to)
        return int(tflite.SparsityParametersEnd(self._to))

    def _operator(self, op: int, inputs: Sequence[int], output: int, codes: Sequence[int]) -> int:
        taken, given = self._numbers(inputs, "i4"), self._numbers([output], "i4")
        options = 0
        if op == DENSE and self._shuffled:
            tflite.FullyConnectedOptionsStart(self._to)
            tflite.FullyConnectedOptionsAddWeightsFormat(self._to, 1)
            options = tflite.FullyConnectedOptionsEnd(self._to)
        tflite.OperatorStart(self._to)
        tflite.OperatorAddOpcodeIndex(self._to, codes.index(op))
        tflite.OperatorAddInputs(self._to, taken)
        tflite.OperatorAddOutputs(self._to, given)
        if options:
            tflite.OperatorAddBuiltinOptions(self._to, options)
        return int(tflite.OperatorEnd(self._to))


def data_of(parts: Sequence[Part], *operators: Operator) -> bytes:
    return Writer().model((parts, operators))


def file_of(parts: Sequence[Part], *operators: Operator) -> SourceFile:
    return in_memory("model.tflite", data_of(parts, *operators))


def values(*shape: int) -> NDArray[np.float32]:
    return RNG.standard_normal(shape).astype(np.float32)


# --- what is in a file ----------------------------------------------------------------------


def test_a_model_has_the_digests_of_its_weights_in_pytorchs_layout():
    state = {
        "conv": values(8, 3, 2, 5),
        "depthwise": values(6, 1, 3, 4),
        "dense": values(4, 7),
        "up": values(5, 2, 3, 3),
        "deep": values(4, 3, 2, 2, 2),
        "bias": values(8),
    }
    parts = [
        Part("conv", state["conv"].transpose(0, 2, 3, 1)),
        Part("depthwise", state["depthwise"].transpose(1, 2, 3, 0)),
        Part("dense", state["dense"]),
        Part("up", state["up"].transpose(1, 2, 3, 0)),
        Part("deep", state["deep"].transpose(2, 3, 4, 1, 0)),
        Part("bias", state["bias"]),
    ]
    operators = [(CONV, [9, 0, 5], 9), (DEPTHWISE, [9, 1], 9), (DENSE, [9, 2], 9)]
    operators += [(TRANSPOSED, [9, 3], 9), (CONV_3D, [9, 4], 9)]
    plain = {name: np.ascontiguousarray(array) for name, array in state.items()}
    expected = digests(in_memory("m.safetensors", st.save(plain)))
    assert digests(file_of(parts, *operators)) == expected


@pytest.mark.parametrize("dtype", KINDS)
def test_every_element_type_is_read(dtype):
    array = np.array([[0, 1, 1], [100, 3, 0]]).astype(dtype)
    found = arrays(file_of([Part("w", array)]))["w"]
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


def test_half_precision_that_is_widened_on_its_way_keeps_its_kernel():
    kernel = values(2, 3, 3, 4).astype(np.float16)
    found = arrays(file_of([Part("w", kernel)], (WIDEN, [0], 5), (CONV, [9, 5], 9)))["w"]
    assert np.array_equal(found, kernel.transpose(0, 3, 1, 2))


def test_a_kernel_that_is_used_in_other_ways_stays_as_it_is():
    kernel = values(2, 3, 3, 4)
    found = arrays(file_of([Part("w", kernel)], (RESHAPE, [0], 5), (CONV, [9, 0], 9)))["w"]
    assert np.array_equal(found, kernel)


INT8 = RNG.integers(-128, 128, (4, 3, 3, 2)).astype(np.int8)
SCALES: dict[str, tuple[list[float], list[int], int, tuple[int, ...]]] = {
    "one": ([0.5], [3], 0, (1, 1, 1, 1)),
    "one, no zero": ([0.5], [], 0, (1, 1, 1, 1)),
    "outputs": ([1, 2, 3, 4], [0, 1, 2, 3], 0, (4, 1, 1, 1)),
    "last axis": ([1, 2], [0, 0], 3, (1, 1, 1, 2)),
}


@pytest.mark.parametrize("how", SCALES)
def test_integers_are_handed_over_as_what_they_stand_for(how):
    scale, zero, axis, shape = SCALES[how]
    file = file_of([Part("w", INT8, scale=scale, zero=zero, axis=axis)], (CONV, [9, 0], 9))
    shift = np.array(zero or [0] * len(scale), np.float32).reshape(shape)
    expected = (INT8 - shift) * np.array(scale, np.float32).reshape(shape)
    assert np.array_equal(arrays(file)["w"], expected.transpose(0, 3, 1, 2))
    (weight,) = look(file).tensors
    assert (weight.dtype, weight.element, weight.stored) == ("int8", "float32", INT8.size)


def test_four_bits_are_unpacked():
    packed = np.array([0x21, 0xF8, 0x07], np.uint8)
    part = Part("w", packed, kind=17, shape=[5], scale=[2], zero=[])
    assert arrays(file_of([part]))["w"].tolist() == [2, 4, -16, -2, 14]


REASONS = {
    "scales that do not fit": (Part("w", INT8, scale=[1, 2, 3]), "3 scales"),
    "zero points that do not fit": (Part("w", INT8, scale=[1], zero=[1, 2]), "2 zero points"),
    "an axis it has not": (Part("w", INT8, scale=[1, 2], axis=9), "2 scales"),
    "packed without a scale": (Part("w", INT8, kind=17), "without a known scale"),
    "text": (Part("w", INT8, kind=5), "no reader for element type text"),
    "a type of tomorrow": (Part("w", INT8, kind=77), "no reader for element type 77"),
    "sparse": (Part("w", INT8, is_sparse=True), "convert it without sparsity"),
}


@pytest.mark.parametrize("why", REASONS)
def test_what_cannot_be_read_is_left_out_with_the_reason(why):
    part, reason = REASONS[why]
    inventory = look(file_of([part]))
    (skip,) = inventory.skipped
    assert inventory.tensors == ()
    assert reason in skip.reason
    assert not skip.read


def test_tensors_that_share_a_buffer_are_tied():
    file = file_of([Part("a", values(3, 3)), Part("b", values(3, 3), buffer=1)])
    inventory = look(file)
    assert [tensor.name for tensor in inventory.tensors] == ["a"]
    assert [(skip.name, skip.reason) for skip in inventory.skipped] == [("b", "tied to a")]


def test_tensors_without_values_are_none():
    assert look(file_of([Part("input", values(0), shape=[1, 3], buffer=0)])).tensors == ()


def test_names_that_are_not_unique_are_made_so():
    parts = [Part(name, values(2, 2)) for name in ("w", "w", "", "<script>\x1b[2J")]
    data = Writer().model((parts, []), ([Part("w", values(2, 2))], []))
    found = arrays(in_memory("m.tflite", data))
    assert found.keys() == {"w", "w#1", "#2", "<script>\x1b[2J", "1/w"}


def test_a_model_is_recognised_by_its_content():
    assert arrays(in_memory("model.bin", data_of([Part("w", INT8)]))).keys() == {"w"}


# --- files that lie -------------------------------------------------------------------------

SAMPLE = data_of(
    [Part("w", INT8, scale=[1, 2, 3, 4], zero=[0, 1, 2, 3]), Part("fc", values(3, 4))],
    (CONV, [9, 0], 9),
    (DENSE, [9, 1], 9),
)


def test_a_file_cut_off_anywhere_is_a_failure():
    assert outcome("model.tflite", SAMPLE) == ""
    last = SAMPLE.rstrip(b"\0")
    assert all(outcome("model.tflite", SAMPLE[:end]) for end in range(len(last)))


@steady
@given(some.integers(0, len(SAMPLE) - 1), some.binary(min_size=1, max_size=8))
def test_changed_bytes_end_in_a_sentence_or_in_values(place, change):
    outcome("model.tflite", SAMPLE[:place] + change + SAMPLE[place + len(change) :])


@steady
@given(some.binary(max_size=200))
def test_any_bytes_end_in_a_sentence(data):
    assert outcome("model.tflite", data[:4] + b"TFL3" + data[4:])


def test_a_buffer_of_another_size_is_refused():
    assert "has a buffer of 72 bytes" in outcome(
        "model.tflite", data_of([Part("w", INT8, shape=[4, 4])])
    )


def test_a_buffer_that_is_not_there_is_refused():
    assert "points to buffer 7 of 1" in outcome(
        "model.tflite", data_of([Part("w", INT8, buffer=7)])
    )


def test_a_side_below_zero_is_refused():
    assert "is no whole number" in outcome(
        "model.tflite", data_of([Part("w", INT8, shape=[-1, 72])])
    )


def test_tables_that_are_counted_again_and_again_are_refused(monkeypatch):
    monkeypatch.setattr(tflite_flatbuffer, "TABLES_LIMIT", 5)
    assert "more than 5 tables" in outcome("model.tflite", SAMPLE)


def test_lists_that_are_read_again_and_again_are_refused(monkeypatch):
    monkeypatch.setattr(tflite_flatbuffer, "NUMBERS_LIMIT", 5)
    assert "more than 5 numbers" in outcome("model.tflite", SAMPLE)


def test_a_vector_that_counts_more_than_there_is_is_refused():
    place = SAMPLE.index(INT8.tobytes()) - 4
    assert SAMPLE[place : place + 4] == (72).to_bytes(4, "little")
    lie = SAMPLE[:place] + b"\xff\xff\xff\xff" + SAMPLE[place + 4 :]
    assert "beyond the file's" in outcome("model.tflite", lie)


def test_what_only_has_the_name_is_said_to_be_no_model():
    assert "no TFL3" in the_failure(in_memory("m.tflite", b"hello, world")).reason
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
    assert "git lfs pull" in the_failure(in_memory("m.tflite", pointer)).reason


def test_values_behind_all_tables_are_read():
    w = values(2, 2)
    data = data_of([Part("w", w, behind=BEHIND)])
    assert "beyond the file's" in outcome("model.tflite", data)
    assert np.array_equal(
        arrays(in_memory("m.tflite", data.ljust(BEHIND, b"\0") + w.tobytes()))["w"], w
    )


def test_rows_shuffled_for_a_processor_are_left_out():
    data = Writer(shuffled=True).model(([Part("w", values(4, 16))], [(DENSE, [9, 0], 9)]))
    (skip,) = look(in_memory("m.tflite", data)).skipped
    assert "shuffled" in skip.reason
