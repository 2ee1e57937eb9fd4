"""The values of an ONNX tensor: in the file, as raw bytes or numbers, or in one beside it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from auditor.errors import WeightsError
from auditor.weights.affine import PACKED, packed_size
from auditor.weights.formats import Blob
from auditor.weights.onnx_graph import (
    DOUBLE_DATA,
    FLOAT_DATA,
    INT32_DATA,
    INT64_DATA,
    RAW_DATA,
    UINT64_DATA,
    Constant,
)
from auditor.weights.tensors import BITS, Bytes

KINDS = {  # TensorProto.DataType -> element type
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "text",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8_e4m3fn",
    18: "float8_e4m3fnuz",
    19: "float8_e5m2",
    20: "float8_e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4_e2m1fn",
    24: "float8_e8m0fnu",
    25: "uint2",
    26: "int2",
    27: "float6_e2m3fn",
    28: "float6_e3m2fn",
}
FIXED = {  # fields of numbers of a fixed width -> element types that lie in them as in memory
    RAW_DATA: BITS.keys() | PACKED,
    FLOAT_DATA: {"float32", "complex64"},
    DOUBLE_DATA: {"float64", "complex128"},
}
VARINTS = {  # fields of numbers of any width -> element types, one in a number
    INT32_DATA: {
        "int32", "int16", "int8", "uint16", "uint8", "bool", "float16", "bfloat16",
        "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
        *PACKED,  # two in a number
    },
    INT64_DATA: {"int64"},
    UINT64_DATA: {"uint32", "uint64"},
}  # fmt: skip
STEP = 1 << 20  # encoded bytes decoded at a time: about 30 times that in memory


@dataclass(frozen=True, slots=True)
class Held:
    """The values of a constant, not read yet."""

    constant: Constant
    dtype: str
    size: int  # bytes they take in the file
    read: Callable[[], Bytes]  # as in memory, two values a byte where they are packed


def held(file: Blob, constant: Constant, beside: Callable[[str], Blob]) -> Held:
    """Where the values lie, held against their shape and the size of the file.

    Parameters
    ----------
    file
        That has the constant.
    constant
        Of an element type that `KINDS` and `packed_size` know.
    beside
        Opens a file by the name that external data gives.

    Raises
    ------
    WeightsError
        If there are not as many bytes as the values need.
    """
    dtype = KINDS[constant.kind]
    size = packed_size(dtype, constant.shape)
    if constant.external is not None:
        return _outside(constant, dtype, size, beside)
    if constant.holder in VARINTS and dtype in VARINTS[constant.holder]:
        count = size if dtype in PACKED else math.prod(constant.shape)
        if not count <= constant.size <= 10 * count:
            raise _wrong(constant, dtype, f"{constant.size} bytes of numbers")
        return Held(constant, dtype, constant.size, partial(_numbers, file, constant, size, count))
    if constant.size != size or (size and dtype not in FIXED.get(constant.holder, ())):
        raise _wrong(constant, dtype, f"{constant.size} bytes in field {constant.holder}")
    return Held(constant, dtype, size, partial(file.read, constant.start, size))


def _outside(constant: Constant, dtype: str, size: int, beside: Callable[[str], Blob]) -> Held:
    entries = dict(constant.external or ())
    label = f"tensor {constant.name[:200]!r}"
    try:
        start, length = int(entries.get("offset", "0")), int(entries.get("length", str(size)))
    except ValueError as error:
        raise WeightsError(f"{label} has an offset or length that is no number") from error
    other = beside(entries.get("location", ""))
    if length != size or not 0 <= start <= other.size - size:
        raise WeightsError(
            f"{label} needs {size} bytes, and points to {length} at {start} of the "
            f"{other.size} bytes of {other.name[:200]!r}"
        )
    return Held(constant, dtype, size, partial(other.read, start, size))


def _wrong(constant: Constant, dtype: str, found: str) -> WeightsError:
    return WeightsError(
        f"tensor {constant.name[:200]!r} has {found}, "
        f"which are no {dtype} values of shape {list(constant.shape)}"
    )


def _numbers(file: Blob, constant: Constant, size: int, count: int) -> bytes:
    """Varints, each cut to the width of the element type."""
    item = f"<u{size // count}" if count else "|u1"
    parts: list[bytes] = []
    start, end, found = constant.start, constant.start + constant.size, 0
    while start < end:
        code = np.frombuffer(file.read(start, min(STEP, end - start)), np.uint8)
        last = np.flatnonzero(code < 0x80)
        if not last.size:
            break
        values = _varints(code[: last[-1] + 1], last)
        parts.append(values.astype(item).tobytes())
        found += values.size
        start += int(last[-1]) + 1
    if found != count or start != end:
        raise _wrong(constant, KINDS[constant.kind], f"{found} numbers")
    return b"".join(parts)


def _varints(code: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Whole varints of at most 64 bits, given where each ends."""
    first = np.concatenate([[0], last[:-1] + 1])
    if int((last - first).max()) >= 10:
        raise WeightsError("a number of more than 64 bits among a tensor's values")
    place = np.arange(code.size) - np.repeat(first, last - first + 1)
    parts = (code & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.add.reduceat(parts, first)
