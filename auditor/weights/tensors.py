"""A tensor as a file holds it, and what its bytes mean.

Element types go by PyTorch's long names: ``float32``, ``bfloat16``, ``float8_e4m3fn``.
All bytes are little-endian and in C order.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.errors import WeightsError
from auditor.spectral.blockwise import blockwise

Bytes = bytes | memoryview
DIMENSIONS = 64  # numpy's own limit
WHOLE = 64 * 1024**2  # bytes of widened values that are made at once
LARGEST = 2**58  # product of an empty array's other sides: numpy counts their bytes all the same

NATIVE = {  # element types numpy has itself
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "|i1",
    "uint64": "<u8",
    "uint32": "<u4",
    "uint16": "<u2",
    "uint8": "|u1",
    "bool": "|b1",
    "complex64": "<c8",
    "complex128": "<c16",
}
FLOAT8 = {  # (exponent bits, mantissa bits, bias, what is special)
    "float8_e4m3fn": (4, 3, 7, "nan at all ones"),
    "float8_e5m2": (5, 2, 15, "ieee"),
    "float8_e4m3fnuz": (4, 3, 8, "nan at minus zero"),
    "float8_e5m2fnuz": (5, 2, 16, "nan at minus zero"),
}
BITS = {
    **{name: 8 * np.dtype(code).itemsize for name, code in NATIVE.items()},
    **dict.fromkeys(FLOAT8, 8),
    "bfloat16": 16,
    "complex32": 32,
    "float8_e8m0fnu": 8,
    "float6_e2m3fn": 6,
    "float6_e3m2fn": 6,
    "float4_e2m1fn": 4,
}


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """An array inside a weight file, not read yet."""

    name: str  # dotted, as ``state_dict()`` names it; hostile input
    shape: tuple[int, ...]
    dtype: str  # as stored: float32, bfloat16, q4_k, ...
    file: str
    read: Callable[[], Bytes]  # its bytes in C order; may be called from any thread
    read_as: str = ""  # element type of what `read` gives, where that is not the stored one
    stored: int | None = None  # bytes it takes in its file, where that is not `nbytes`
    heads: int = 0  # of attention whose rows llama.cpp may have put in its own order; 0: none

    @property
    def element(self) -> str:
        """Element type of what `read` gives."""
        return self.read_as or self.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of what `read` gives."""
        return size_of(self.element, self.shape)

    def array(self, data: Bytes) -> NDArray[Any]:
        """The values of what `read` gave, as `as_read` widens them."""
        return as_read(self.element, self.shape, data)

    def digest(self, data: Bytes) -> str:
        """`digest` of what `read` gave: the same values in any file have one."""
        return digest(self.element, self.shape, data)


def size_of(dtype: str, shape: tuple[int, ...]) -> int:
    """Bytes of an array.

    Raises
    ------
    WeightsError
        If the element type is unknown, the values do not fill whole bytes, or an empty
        array has sides that no array can have.
    """
    if dtype not in BITS:
        raise WeightsError(f"unknown element type {dtype!r}; expected one of {', '.join(BITS)}")
    if 0 in shape and math.prod(side for side in shape if side) >= LARGEST:
        raise WeightsError(f"an empty array of shape {shape} is longer than any array can be")
    size, rest = divmod(math.prod(shape) * BITS[dtype], 8)
    if rest:
        raise WeightsError(f"a {dtype} array of shape {shape} does not end at a whole byte")
    return size


def whole_numbers(values: object, what: str) -> tuple[int, ...]:
    """A list of whole numbers from 0 to 2**63, as sizes and places in files are.

    Raises
    ------
    WeightsError
        If it is anything else; `what` names it in the message.
    """
    if (
        not isinstance(values, list | tuple)
        or len(values) > DIMENSIONS
        or not all(type(value) is int and 0 <= value < 2**63 for value in values)
    ):
        raise WeightsError(f"{what} is no whole number or no list of at most {DIMENSIONS} of them")
    return tuple(values)


def is_decodable(dtype: str) -> bool:
    """Whether `decode` knows the element type; packed 4 and 6 bit types it does not."""
    return BITS.get(dtype, 0) >= 8


def decode(dtype: str, shape: tuple[int, ...], data: Bytes) -> NDArray[Any]:
    """The values of a tensor.

    Parameters
    ----------
    dtype, shape
        As in `Tensor`.
    data
        Little-endian, C order, exactly as many bytes as `dtype` and `shape` need.

    Returns
    -------
    array of the given shape
        bfloat16 and the 8-bit floats are widened to float32, complex32 to complex64, without
        a change of value; every other type as it is. May share memory with `data`.

    Raises
    ------
    WeightsError
        If the element type is unknown or `data` has the wrong length.

    References
    ----------
    OCP 8-bit Floating Point Specification (OFP8) rev. 1.0, 2023, for e4m3 and e5m2;
    OCP Microscaling Formats (MX) v1.0, 2023, for e8m0; Noune et al., "8-bit Numerical Formats
    for Deep Neural Networks", 2022, arXiv:2206.02915, for the ``fnuz`` types.

    Examples
    --------
    >>> decode("bfloat16", (2,), bytes.fromhex("803f 00c0")).tolist()
    [1.0, -2.0]
    """
    _must_fit(dtype, shape, data)
    return _values(dtype, data).reshape(shape)


def as_read(dtype: str, shape: tuple[int, ...], data: Bytes) -> NDArray[Any]:
    """The values that `decode` gives.

    Those of a type that is widened, if they take more than `WHOLE` bytes, are only widened
    where they are read (`blockwise`).

    Raises
    ------
    WeightsError
        As `decode`.
    """
    _must_fit(dtype, shape, data)
    rule = _widening(dtype)
    if rule is None or 4 * math.prod(shape) <= WHOLE:
        return decode(dtype, shape, data)
    return blockwise(_codes(dtype, data).reshape(shape), rule, np.float32)


def _must_fit(dtype: str, shape: tuple[int, ...], data: Bytes) -> None:
    if not is_decodable(dtype):
        raise WeightsError(f"no reader for element type {dtype!r}")
    if len(data) != size_of(dtype, shape):
        raise WeightsError(
            f"a {dtype} array of shape {shape} needs {size_of(dtype, shape)} bytes, not {len(data)}"
        )


def _values(dtype: str, data: Bytes) -> NDArray[Any]:
    if rule := _widening(dtype):
        return rule(_codes(dtype, data))
    if dtype == "complex32":
        return np.frombuffer(data, "<f2").astype(np.float32).view(np.complex64)
    return np.frombuffer(data, NATIVE[dtype])


def _codes(dtype: str, data: Bytes) -> NDArray[Any]:
    return np.frombuffer(data, "<u2" if dtype == "bfloat16" else np.uint8)


def _widening(dtype: str) -> Callable[[NDArray[Any]], NDArray[np.float32]] | None:
    """What makes float32 of the codes of a type that numpy has not."""
    if dtype == "bfloat16":
        return _from_bfloat16
    if dtype in NATIVE or dtype == "complex32":
        return None
    return _table(dtype).__getitem__


def _from_bfloat16(codes: NDArray[Any]) -> NDArray[np.float32]:
    """It is the upper half of a float32."""
    wide = codes.astype("<u4")
    wide <<= 16
    return wide.view(np.float32)


def _table(dtype: str) -> NDArray[np.float32]:
    """All 256 values of an 8-bit float, by its code."""
    code = np.arange(256)
    if dtype == "float8_e8m0fnu":
        return np.where(code == 255, np.nan, np.ldexp(1.0, code - 127)).astype(np.float32)
    exponent_bits, mantissa_bits, bias, special = FLOAT8[dtype]
    mantissa = code & ((1 << mantissa_bits) - 1)
    exponent = code >> mantissa_bits & ((1 << exponent_bits) - 1)
    fraction = mantissa + np.where(exponent == 0, 0, 1 << mantissa_bits)  # the hidden one
    scale = np.maximum(exponent, 1) - bias - mantissa_bits
    value = np.where(code < 128, 1.0, -1.0) * np.ldexp(fraction.astype(np.float64), scale)
    return _with_specials(value, code, special).astype(np.float32)


def _with_specials(
    value: NDArray[np.float64], code: NDArray[Any], special: str
) -> NDArray[np.float64]:
    low = code & 0x7F
    if special == "nan at all ones":
        return np.where(low == 0x7F, np.nan, value)
    if special == "nan at minus zero":
        return np.where(code == 0x80, np.nan, value)
    infinite = np.where(low == 0x7C, np.copysign(np.inf, value), value)
    return np.where(low > 0x7C, np.nan, infinite)


def digest(dtype: str, shape: tuple[int, ...], data: Bytes) -> str:
    """SHA-256 over shape, dtype and C-order bytes: the same values in any file have one digest."""
    total = sha256(f"{dtype}[{','.join(map(str, shape))}]".encode())
    total.update(data)
    return total.hexdigest()
