"""Element types of ggml: what a block of each takes, and the values quantised blocks stand for.

A quantised row is a chain of blocks, each some 32 to 256 small integers with a scale of their
own. What they stand for the gguf package computes, piece by piece.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from auditor.weights.formats import Blob
from auditor.weights.tensors import BITS

PIECE = 1 << 20  # values dequantised at a time; the package needs some 20 bytes for each


@dataclass(frozen=True, slots=True)
class BlockType:
    """An element type of ggml."""

    label: str
    values: int  # in a block
    size: int  # bytes of a block

    @property
    def is_plain(self) -> bool:
        """Whether its bytes are its values."""
        return self.label in BITS


BLOCK_TYPES = {  # ggml's number -> what it is; a number that is missing here was given up
    0: BlockType("float32", 1, 4),
    1: BlockType("float16", 1, 2),
    2: BlockType("q4_0", 32, 18),
    3: BlockType("q4_1", 32, 20),
    6: BlockType("q5_0", 32, 22),
    7: BlockType("q5_1", 32, 24),
    8: BlockType("q8_0", 32, 34),
    9: BlockType("q8_1", 32, 40),
    10: BlockType("q2_k", 256, 84),
    11: BlockType("q3_k", 256, 110),
    12: BlockType("q4_k", 256, 144),
    13: BlockType("q5_k", 256, 176),
    14: BlockType("q6_k", 256, 210),
    15: BlockType("q8_k", 256, 292),
    16: BlockType("iq2_xxs", 256, 66),
    17: BlockType("iq2_xs", 256, 74),
    18: BlockType("iq3_xxs", 256, 98),
    19: BlockType("iq1_s", 256, 50),
    20: BlockType("iq4_nl", 32, 18),
    21: BlockType("iq3_s", 256, 110),
    22: BlockType("iq2_s", 256, 82),
    23: BlockType("iq4_xs", 256, 136),
    24: BlockType("int8", 1, 1),
    25: BlockType("int16", 1, 2),
    26: BlockType("int32", 1, 4),
    27: BlockType("int64", 1, 8),
    28: BlockType("float64", 1, 8),
    29: BlockType("iq1_m", 256, 56),
    30: BlockType("bfloat16", 1, 2),
    34: BlockType("tq1_0", 256, 54),
    35: BlockType("tq2_0", 256, 66),
    39: BlockType("mxfp4", 32, 17),
    40: BlockType("nvfp4", 64, 36),
    41: BlockType("q1_0", 128, 18),
}


@cache
def can_dequantise(code: int) -> bool:
    """Whether the installed gguf package knows what blocks of a type stand for."""
    from gguf import GGMLQuantizationType  # noqa: PLC0415 - slow, and only for quantised files
    from gguf.quants import dequantize  # noqa: PLC0415

    try:
        dequantize(np.zeros((1, BLOCK_TYPES[code].size), np.uint8), GGMLQuantizationType(code))
    except (NotImplementedError, ValueError):
        return False
    return True


def dequantised(file: Blob, start: int, blocks: int, code: int) -> NDArray[np.float32]:
    """The values of a chain of blocks; memory stays near what they take.

    Parameters
    ----------
    file, start
        Where the first block lies.
    blocks
        How many follow one another.
    code
        A type that `can_dequantise`.

    Returns
    -------
    (n,) float32
        Writable.

    Raises
    ------
    WeightsError
        If the file ends before.
    """
    from gguf import GGMLQuantizationType  # noqa: PLC0415 - slow, and only for quantised files
    from gguf.quants import dequantize  # noqa: PLC0415

    kind, step = BLOCK_TYPES[code], max(1, PIECE // BLOCK_TYPES[code].values)
    result = np.empty((blocks, kind.values), np.float32)
    with np.errstate(all="ignore"):  # a scale may be infinite: that is found as non-finite later
        for first in range(0, blocks, step):
            count = min(step, blocks - first)
            raw = file.read(start + first * kind.size, count * kind.size)
            row = np.frombuffer(raw, np.uint8)[np.newaxis]  # one row: it loops over rows
            values = dequantize(row, GGMLQuantizationType(code))
            result[first : first + count] = values.reshape(count, kind.values)
    return result.reshape(-1)
