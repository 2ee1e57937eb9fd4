"""Whole numbers that stand for ``(number - zero point) * scale``: ONNX's and TFLite's recipe."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.errors import WeightsError
from auditor.weights.tensors import Bytes, decode, size_of

PACKED = {"int4", "uint4", "float4_e2m1fn"}  # two values a byte, the lower half first
UNSCALED = "quantised integers without a known scale"  # why such a tensor is left out
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)  # OCP MX v1.0, 5.3.3; bit 3 is the sign


@dataclass(frozen=True, slots=True)
class Spread:
    """How the scales lie over the values."""

    axis: int = 0  # that has a scale each
    block: int = 0  # so many values along the axis share one; 0: one for each place

    def fits(self, scale: tuple[int, ...], values: tuple[int, ...]) -> bool:
        """Whether scales of that shape can lie over values of this one.

        Examples
        --------
        >>> Spread(axis=0).fits((8,), (8, 4)), Spread(axis=1).fits((8,), (8, 4))
        (True, False)
        >>> Spread(axis=1, block=32).fits((8, 4), (8, 128))
        True
        """
        if math.prod(scale) == 1:
            return True
        if not 0 <= self.axis < len(values):
            return False
        if not self.block:
            return scale == (values[self.axis],)
        blocks = -(-values[self.axis] // self.block)
        return scale == (*values[: self.axis], blocks, *values[self.axis + 1 :])

    def over(self, scale: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """The scales, laid so that they broadcast over values of that shape."""
        if scale.size == 1:
            return scale.reshape(())
        if self.block:
            return np.take(scale, np.arange(shape[self.axis]) // self.block, axis=self.axis)
        return scale.reshape(-1, *(1,) * (len(shape) - 1 - self.axis))


def packed_size(dtype: str, shape: tuple[int, ...]) -> int:
    """Bytes of stored values; those of four bits lie two in a byte.

    Raises
    ------
    WeightsError
        As `size_of`.
    """
    if dtype in PACKED:
        return -(-size_of("uint8", shape) // 2)
    return size_of(dtype, shape)


def whole(dtype: str, shape: tuple[int, ...], data: Bytes) -> NDArray[Any]:
    """The stored numbers; those of four bits are unpacked.

    Raises
    ------
    WeightsError
        If `data` has another length than they take.
    """
    if dtype not in PACKED:
        return decode(dtype, shape, data)
    count = math.prod(shape)
    if len(data) != packed_size(dtype, shape):
        raise WeightsError(f"a {dtype} array of shape {shape} does not take {len(data)} bytes")
    pairs = np.frombuffer(data, np.uint8)
    code = np.stack([pairs & 15, pairs >> 4], axis=-1).reshape(-1)[:count].reshape(shape)
    if dtype == "uint4":
        return code
    if dtype == "int4":
        return (code ^ 8).astype(np.int8) - np.int8(8)  # two's complement
    values: NDArray[np.float32] = np.where(code & 8, -1, 1) * E2M1[code & 7]
    return values.astype(np.float32)


@np.errstate(over="ignore", invalid="ignore")
def meant(
    numbers: NDArray[Any], scale: NDArray[Any], zero: NDArray[Any] | None, spread: Spread
) -> NDArray[np.float32]:
    """``(numbers - zero) * scale`` in float32, as the runtimes reckon.

    Parameters
    ----------
    numbers : any shape
        As stored.
    scale, zero
        One value, or as many as `spread` says; a zero point of None is 0.

    Examples
    --------
    >>> two = np.array([[1], [2]], np.int8)
    >>> meant(two, np.array([0.5, 2.0]), None, Spread(axis=0)).tolist()
    [[0.5], [4.0]]
    """
    values = numbers.astype(np.float32)
    if zero is not None:
        values -= spread.over(zero, numbers.shape).astype(np.float32)
    values *= spread.over(scale, numbers.shape).astype(np.float32)
    return values
