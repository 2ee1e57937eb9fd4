"""``.tflite``: a FlatBuffer of operators, tensors and buffers.

Walked where it lies (`tflite_flatbuffer`), a buffer is read when its tensor is. Constants are
what has a buffer with bytes; integers with a scale are handed over as the values they stand
for, and the kernels of convolutions in PyTorch's axis order, which is not TensorFlow's.

References
----------
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from auditor.errors import WeightsError
from auditor.records import Skip
from auditor.weights.affine import PACKED, UNSCALED, Spread, meant, packed_size, whole
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.tensors import (
    BITS,
    DIMENSIONS,
    Bytes,
    Tensor,
    is_decodable,
    whole_numbers,
)
from auditor.weights.tflite_flatbuffer import Flat, Table, Vector
from auditor.weights.unsupported import POINTER

MAGIC = b"TFL3"  # at byte 4
KINDS = {  # TensorType -> element type
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    5: "text",
    6: "bool",
    7: "int16",
    8: "complex64",
    9: "int8",
    10: "float64",
    11: "complex128",
    12: "uint64",
    15: "uint32",
    16: "uint16",
    17: "int4",
    18: "bfloat16",
}
AXES = {  # a BuiltinOperator's input 1 -> its axes in PyTorch's order
    3: (0, 3, 1, 2),  # CONV_2D: (out, kh, kw, in)
    4: (3, 0, 1, 2),  # DEPTHWISE_CONV_2D: (1, kh, kw, channels)
    67: (3, 0, 1, 2),  # TRANSPOSE_CONV: (out, kh, kw, in), in PyTorch (in, out, kh, kw)
    132: (4, 3, 0, 1, 2),  # CONV_3D: (kd, kh, kw, in, out)
}
DEQUANTIZE, FULLY_CONNECTED = 6, 9
MOST_INPUTS = 4096  # of an operator: a concatenation of all there is
SHUFFLED = "unreadable: its rows are shuffled for one processor; convert it without that"
SPARSE = "unreadable: a sparse tensor is not read here; convert it without sparsity"


@dataclass(frozen=True, slots=True)
class Entry:
    """A constant tensor of a model."""

    shape: tuple[int, ...]  # as stored
    dtype: str
    place: Vector  # its bytes
    scale: Vector  # float32, one or one for each place along `axis`; or none
    zero: Vector  # int64
    axis: int
    axes: tuple[int, ...]  # PyTorch's order of the stored axes
    unread: str  # why it cannot be read; empty if it can

    @property
    def shown(self) -> tuple[int, ...]:
        """Its shape in PyTorch's order."""
        return tuple(self.shape[axis] for axis in self.axes)

    @property
    def is_scaled(self) -> bool:
        """Whether its numbers stand for others: integers with a scale do."""
        return self.scale.length > 0 and "float" not in self.dtype


def read(file: Blob) -> Contents:
    """The constant tensors of one file.

    Raises
    ------
    WeightsError
        If the file is no TensorFlow Lite model, cut off, or states sizes it has not.
    """
    if file.size < 8 or file.read(4, 4) != MAGIC:
        raise WeightsError("has no TFL3 at byte 4; it is no TensorFlow Lite model or cut off")
    model = Flat(file).root()
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
    buffers = [_place(buffer) for buffer in model.tables(4)]
    first: dict[Entry, str] = {}
    names: set[str] = set()
    found: list[Tensor | Skip] = []
    for number, graph in enumerate(model.tables(2)):
        prefix = f"{number}/" if number else ""
        for name, entry in _entries(graph, codes, buffers):
            unique = _unique(prefix + name, names)
            original = first.setdefault(entry, unique)
            found.append(_found(file, unique, entry, "" if original == unique else original))
    return Contents(
        tensors=tuple(one for one in found if isinstance(one, Tensor)),
        skipped=tuple(one for one in found if isinstance(one, Skip)),
    )


def _place(buffer: Table) -> Vector:
    """Where a buffer's bytes lie: inside it, or behind all tables in files above 2 GB."""
    place = buffer.vector(0, 1)
    offset, size = buffer.number(1, "Q"), buffer.number(2, "Q")
    if place.length or offset < 2:  # 0 and 1 mean none
        return place
    if offset + size > buffer.flat.size:
        raise WeightsError(
            f"a buffer of {size} bytes at {offset} reaches beyond the file's "
            f"{buffer.flat.size}; it is cut off"
        )
    return Vector(offset, size)


def _unique(name: str, names: set[str]) -> str:
    """A name no other tensor has: names are only labels in this format."""
    if name in names or not name:
        name = f"{name}#{len(names)}"
    if name in names:
        raise WeightsError(f"two tensors are called {name[:200]!r}")
    names.add(name)
    return name


def _entries(graph: Table, codes: list[int], buffers: list[Vector]) -> Iterator[tuple[str, Entry]]:
    """The constants of a subgraph, with their names."""
    orders, shuffled = _orders(graph, codes)
    for index, tensor in enumerate(graph.tables(0)):
        buffer = tensor.number(2, "I")
        if buffer >= len(buffers):
            raise WeightsError(f"a tensor points to buffer {buffer} of {len(buffers)}")
        if buffers[buffer].length:
            reason = SHUFFLED if index in shuffled else SPARSE if tensor.slot(6) else ""
            yield tensor.text(3), _entry(tensor, buffers[buffer], orders.get(index, set()), reason)


def _orders(graph: Table, codes: list[int]) -> tuple[dict[int, set[tuple[int, ...]]], set[int]]:
    """By a tensor's index, in which orders operators take its axes; and which are shuffled."""
    orders: dict[int, set[tuple[int, ...]]] = {}
    shuffled: set[int] = set()
    origin: dict[int, int] = {}  # of values that are only widened on their way
    for operator in graph.tables(3):
        code = operator.number(0, "I")
        kind = codes[code] if code < len(codes) else -1
        inputs = [origin.get(one, one) for one in operator.numbers(1, MOST_INPUTS)]
        if kind == DEQUANTIZE and inputs:
            origin.update(dict.fromkeys(operator.numbers(2, 1), inputs[0]))
            continue
        for position, index in enumerate(inputs):
            orders.setdefault(index, set()).add(AXES.get(kind, ()) if position == 1 else ())
        options = operator.table(4) if kind == FULLY_CONNECTED else None
        if options and options.number(1, "b"):
            shuffled.update(inputs[1:2])
    return orders, shuffled


def _entry(tensor: Table, place: Vector, orders: set[tuple[int, ...]], reason: str) -> Entry:
    shape = whole_numbers(tensor.numbers(0, DIMENSIONS), "the shape of a tensor")
    dtype = KINDS.get(tensor.number(1, "b"), "")
    order = next(iter(orders)) if len(orders) == 1 else ()
    axes = order if len(order) == len(shape) else tuple(range(len(shape)))
    none, recipe = Vector(0, 0), tensor.table(4)
    scale = recipe.vector(2, 4) if recipe else none
    zero = recipe.vector(3, 8) if recipe else none
    axis = recipe.number(6, "i") if recipe else 0
    entry = Entry(shape, dtype, place, scale, zero, axis, axes, reason)
    return replace(entry, unread=reason or _unfit(entry, tensor.number(1, "b")))


def _unfit(entry: Entry, code: int) -> str:
    """Why a constant cannot be read; empty if it can."""
    if not is_decodable(entry.dtype) and entry.dtype not in PACKED:
        return f"unreadable: no reader for element type {entry.dtype or code}"
    if not entry.is_scaled:
        return UNSCALED if entry.dtype in PACKED else ""
    counts, spread = (entry.scale.length, entry.zero.length or 1), Spread(entry.axis)
    if all(spread.fits((count,), entry.shape) for count in counts):
        return ""
    return f"quantised with {counts[0]} scales and {counts[1]} zero points, which do not fit it"


def _found(file: Blob, name: str, entry: Entry, original: str) -> Tensor | Skip:
    """A constant as it is handed over."""
    if entry.unread:
        return Skip(name, entry.shown, entry.unread, entry.dtype, read=False)
    if original:
        return Skip(name, entry.shown, f"tied to {original}", entry.dtype)
    size = packed_size(entry.dtype, entry.shape)
    if size != entry.place.length:
        raise WeightsError(
            f"tensor {name[:200]!r} has a buffer of {entry.place.length} bytes; "
            f"{entry.dtype} of shape {list(entry.shape)} takes {size}"
        )
    element = "float32" if entry.is_scaled else ""
    data = partial(_bytes, file, entry)
    return Tensor(name, entry.shown, entry.dtype, file.name, data, element, size)


def _bytes(file: Blob, entry: Entry) -> Bytes:
    data = file.read(*entry.place)
    if entry.is_scaled:
        scale = np.frombuffer(file.read(entry.scale.start, 4 * entry.scale.length), "<f4")
        zero = np.frombuffer(file.read(entry.zero.start, 8 * entry.zero.length), "<i8")
        numbers = whole(entry.dtype, entry.shape, data)
        values = meant(numbers, scale, zero if zero.size else None, Spread(entry.axis))
        return values.transpose(entry.axes).tobytes()
    if entry.shown == entry.shape:
        return data
    item = f"V{BITS[entry.dtype] // 8}"
    return np.frombuffer(data, item).reshape(entry.shape).transpose(entry.axes).tobytes()


def _matches(file: Blob, head: bytes) -> bool:
    """By its name, or by the mark behind its first offset."""
    if head.startswith(POINTER):
        return False
    return head[4:8] == MAGIC or (bool(head) and file.name.lower().endswith(".tflite"))


TFLITE = Format("TensorFlow Lite", _matches, read)
