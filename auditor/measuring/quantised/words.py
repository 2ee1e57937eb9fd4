"""Whole numbers of a few bits in words of 32: GPTQ, AWQ, compressed-tensors."""

import numpy as np

from auditor.architecture.configs import Config
from auditor.measuring.quantised.recipe import (
    LARGEST,
    WORDS,
    Array,
    Arrays,
    Meaning,
    Parts,
    Recipe,
    must,
    numbers,
    shown,
    sides,
)
from auditor.spectral.quantised import packed

AWQ_BITS = 4


def _is_gptq(parts: Parts) -> bool:
    """Words of inputs that follow one another: a column for every output."""
    return parts.codes.shape[1:] == parts.shape("scale")[1:]


def _is_awq(parts: Parts) -> bool:
    """Words of eight outputs: a row for every input."""
    return (8 * parts.codes.shape[1],) == parts.shape("scale")[1:]


def _gptq(parts: Parts) -> Meaning:
    rows, outputs = sides(parts.codes)
    groups, columns = sides(parts.others["zero"])
    bits = packed.WORD * columns // outputs
    fits = bits in packed.BITS and columns * packed.WORD == outputs * bits
    must(fits, f"{shown(parts.others['zero'])} fits no codes of {packed.BITS} bits")
    must(not rows * packed.WORD % bits, "its words end in the middle of a code")
    must(parts.shape("scale") == (groups, outputs), f"{shown(parts.others['scale'])} does not fit")
    inputs = rows * packed.WORD // bits
    _check_groups(parts, inputs, groups)
    stated = _stated_offset(parts.config)

    def values(a: Arrays) -> Array:
        offset = _seen_offset(a["zero"], bits) if stated is None else stated
        arrays = (a["codes"], a["zero"], a["scale"])
        return packed.gptq(arrays, _groups(a, inputs, groups), bits=bits, offset=offset)

    return Meaning((outputs, inputs), values, f"int{bits}", f"offset {stated}")


def _check_groups(parts: Parts, inputs: int, groups: int) -> None:
    index = parts.others.get("index")
    if index is None:
        must(0 < groups <= inputs and not inputs % groups, "its groups are of unequal length")
    else:
        must(index.shape == (inputs,) and "int" in index.dtype, f"{shown(index)} is no group index")


def _groups(a: Arrays, inputs: int, groups: int) -> Array:
    """The group of every input: in order, unless an index says otherwise."""
    return a["index"] if "index" in a else np.arange(inputs) // (inputs // groups)


def _stated_offset(config: Config) -> int | None:
    """What was taken off each zero point by the configuration; None where it says nothing."""
    if config.get("quant_method", "gptq") != "gptq" or "bits" not in config:
        return None
    return 0 if config.get("checkpoint_format") == "gptq_v2" else 1


def _seen_offset(zeros: Array, bits: int) -> int:
    """The same by the zero points: of symmetric codes all are half the range, or one less."""
    found, half = np.unique(packed.unpacked(zeros.T, bits)), 2 ** (bits - 1)
    must(
        len(found) == 1 and half - int(found[0]) in {0, 1},
        "nothing says how its zero points are stored; put its config.json or "
        "quantize_config.json beside it",
    )
    return int(half - int(found[0]))


def _awq(parts: Parts) -> Meaning:
    inputs, columns = sides(parts.codes)
    groups, wide = sides(parts.others["zero"])
    layout = str(parts.config.get("version", "gemm")).lower()
    must(layout == "gemm", f"its layout is {layout[:20]!r}, only 'gemm' is known here")
    must(wide == columns, f"{shown(parts.others['zero'])} does not fit its codes")
    must(parts.shape("scale") == (groups, 8 * columns), "its scales do not fit its zero points")
    must(not inputs % groups, "its groups are of unequal length")
    return Meaning(
        (8 * columns, inputs),
        lambda a: packed.awq(a["codes"], a["zero"], a["scale"]),
        f"int{AWQ_BITS}",
    )


def _packed_rows(parts: Parts) -> Meaning:
    rows, columns = sides(parts.codes)
    scale, zero = parts.shape("scale"), parts.others.get("zero")
    shape = numbers(parts.others["shape"])
    fits = len(shape) == 2 and shape[0] == rows and 0 < shape[1] < LARGEST
    must(fits, f"{shown(parts.others['shape'])} holds {shape}, no shape of its codes")
    inputs = shape[1]
    bits = next((b for b in (4, 8) if -(-inputs // (packed.WORD // b)) == columns), 0)
    must(bits, f"{columns} words in a row do not hold {inputs} codes of 4 or 8 bits")
    must(len(scale) == 2 and scale[0] == rows, f"{shown(parts.others['scale'])} does not fit")
    in_words = (-(-rows // (packed.WORD // bits)), scale[1])
    must(zero is None or sides(zero) == in_words, "its zero points do not fit its scales")
    _check_groups(parts, inputs, scale[1])

    def values(a: Arrays) -> Array:
        groups = _groups(a, inputs, scale[1])
        return packed.packed_rows(a["codes"], a["scale"], a.get("zero"), groups, bits=bits)

    return Meaning((rows, inputs), values, f"int{bits}")


RECIPES = (
    Recipe(
        name="GPTQ",
        codes=".qweight",
        dtypes=WORDS,
        parts={"scale": (".scales",), "zero": (".qzeros",), "index": (".g_idx",)},
        needs=("scale", "zero"),
        meaning=_gptq,
        named=".weight",
        applies=_is_gptq,
    ),
    Recipe(
        name="AWQ",
        codes=".qweight",
        dtypes=WORDS,
        parts={"scale": (".scales",), "zero": (".qzeros",)},
        needs=("scale", "zero"),
        meaning=_awq,
        named=".weight",
        applies=_is_awq,
    ),
    Recipe(
        name="compressed-tensors",
        codes=".weight_packed",
        dtypes=WORDS,
        parts={
            "scale": (".weight_scale",),
            "zero": (".weight_zero_point",),
            "shape": (".weight_shape",),
            "index": (".weight_g_idx",),
        },
        needs=("scale", "shape"),
        meaning=_packed_rows,
        named=".weight",
    ),
)
