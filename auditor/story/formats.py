"""How many bits a stored weight has, and how far rounding to them can move a layer."""

from auditor.weights.gguf_blocks import BLOCK_TYPES
from auditor.weights.tensors import BITS

PACKED = frozenset({"int16", "uint16", "int32", "uint32", "int64", "uint64"})  # codes in words
CODES = {"int8": 8.0, "uint8": 8.0, "nf4": 4.0, "fp4": 4.0, "mxfp4": 4.0, "nvfp4": 4.0}
BLOCKS = {
    kind.label: 8.0 * kind.size / kind.values for kind in BLOCK_TYPES.values() if not kind.is_plain
}
SIGNIFICANT = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
FEW = 4.0  # bits of codes in words, whose number no type tells
ROOM = 4.0  # a block's largest value is some 2 to 4 times as large as its values are usually


def bits(dtype: str) -> float:
    """Bits a value takes as stored, with its part of the scales; of an unknown type 64.

    Examples
    --------
    >>> bits("float16"), bits("q4_0"), bits("nf4")
    (16.0, 4.5, 4.0)
    """
    if dtype in PACKED:
        return FEW
    return BLOCKS.get(dtype) or CODES.get(dtype) or float(BITS.get(dtype, 64))


def is_quantised(dtype: str) -> bool:
    """Whether values are stored as codes with a scale beside them."""
    return dtype in PACKED or dtype in BLOCKS or dtype in CODES


def rounding(dtype: str) -> float:
    """The most that rounding to a stored type moves a layer, relative to its size.

    Of floats the largest error of a value. Of b bits with a common scale 4 · 2^-b: a step is
    2 · max / 2^b, its rounding a step / √12, and the largest value of a block is 2 to 4 times
    as large as its values are usually.

    Examples
    --------
    >>> rounding("bfloat16"), rounding("q8_0"), rounding("q4_0")
    (0.00390625, 0.015625, 0.25)
    """
    if dtype in SIGNIFICANT:
        return 2.0 ** -SIGNIFICANT[dtype]
    if dtype.startswith("float8"):
        return 0.125 if "e5m2" in dtype else 0.0625
    return min(1.0, ROOM * 2.0 ** -int(bits(dtype)))
