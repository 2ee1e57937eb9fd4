"""Codes of 4 bits that stand for the values of a table, with a scale for every block of them.

References
----------
Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", 2023, arXiv:2305.14314, for
NF4 and scales that are quantised themselves; OCP Microscaling Formats (MX) v1.0, 2023, for
e2m1 and MXFP4; NVIDIA, "Introducing NVFP4", 2025, for blocks of 16.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
BLOCK = 1 << 20  # bytes taken apart at a time


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """Scales that are codes themselves: ``table[code] * scale[code's block] + offset``."""

    codes: NDArray[np.uint8]  # (n,)
    table: NDArray[Any]  # (256,)
    scales: NDArray[Any]  # one for every `block` codes
    block: int
    offset: float

    def values(self) -> NDArray[np.float32]:
        """The scales they stand for."""
        scales = np.repeat(np.asarray(self.scales, np.float32), self.block)[: len(self.codes)]
        found: NDArray[np.float32] = np.asarray(self.table, np.float32)[self.codes] * scales
        return found + np.float32(self.offset)


@np.errstate(over="ignore", invalid="ignore")
def from_table(
    packed: NDArray[np.uint8], table: NDArray[Any], scales: NDArray[Any], block: int
) -> NDArray[np.float32]:
    """``table[code] * scale``: two codes a byte, the first in its upper half.

    Parameters
    ----------
    packed : (n,)
        As bitsandbytes has them.
    table : (16,)
        The value of every code.
    scales : (ceil(2 n / block),)
        Of every `block` values, an even number.

    Returns
    -------
    (2 n,) float32

    Examples
    --------
    >>> from_table(np.array([0x12], np.uint8), np.arange(16), np.array([0.5]), 64).tolist()
    [0.5, 1.0]
    """
    pairs = _pairs(np.asarray(table, np.float32), first_is_low=False)
    return _scaled(packed, pairs, np.asarray(scales, np.float32), block)


@np.errstate(over="ignore", invalid="ignore")
def from_e2m1(packed: NDArray[np.uint8], scales: NDArray[Any], block: int) -> NDArray[np.float32]:
    """``e2m1(code) * scale``: two codes a byte, the first in its lower half.

    Parameters
    ----------
    packed : (..., cols / 2)
    scales : (..., cols / block)
        Of every `block` values of a row, an even number: 32 in MXFP4, 16 in NVFP4.

    Returns
    -------
    (..., cols) float32

    Examples
    --------
    >>> from_e2m1(np.array([[0x21]], np.uint8), np.array([[2.0]]), 2).tolist()
    [[1.0, 2.0]]
    """
    flat = _scaled(
        packed.reshape(-1),
        _pairs(E2M1, first_is_low=True),
        np.asarray(scales, np.float32).reshape(-1),
        block,
    )
    return flat.reshape(*packed.shape[:-1], -1)


def _pairs(table: NDArray[np.float32], *, first_is_low: bool) -> NDArray[np.float32]:
    """The two values of every byte, (256, 2)."""
    byte = np.arange(256)
    low, high = table[byte & 15], table[byte >> 4]
    return np.stack((low, high) if first_is_low else (high, low), axis=1)


def _scaled(
    packed: NDArray[np.uint8], pairs: NDArray[np.float32], scales: NDArray[np.float32], block: int
) -> NDArray[np.float32]:
    values = np.empty((len(packed), 2), np.float32)
    for start in range(0, len(packed), BLOCK):
        values[start : start + BLOCK] = pairs[packed[start : start + BLOCK]]
    flat = values.reshape(-1)
    whole = flat.size // block
    flat[: whole * block].reshape(whole, block)[...] *= scales[:whole, None]
    if whole * block < flat.size:  # the last block is not full
        flat[whole * block :] *= scales[whole]
    return flat
