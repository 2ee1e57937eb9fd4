"""Codes of 4 bits for the values of a table: bitsandbytes, MXFP4, NVFP4."""

import json
import math
from collections.abc import Callable
from functools import partial

import numpy as np

from auditor.architecture.configs import Config
from auditor.errors import WeightsError
from auditor.measuring.quantised.recipe import LARGEST, Array, Arrays, Meaning, Parts, Recipe, must
from auditor.spectral.quantised import coded
from auditor.weights import Tensor
from auditor.weights.tensors import decode

OCTETS = frozenset({"uint8"})
STORED = frozenset({"uint8", "bfloat16", "float16", "float32"})  # what bitsandbytes puts bytes in
STATE_LIMIT = 1 << 16  # bytes of what it says of a weight; it needs about 200
KINDS = frozenset({"nf4", "fp4"})


def _bitsandbytes(parts: Parts) -> Meaning:
    state, scale = _state(parts.others["state"]), parts.others["scale"]
    shape, block, kind = _shape(state), _whole(state, "blocksize"), state.get("quant_type")
    count = math.prod(shape)
    must(kind in KINDS, "its state names neither nf4 nor fp4")
    must(not block % 2, "its blocks begin in the middle of a byte")
    held = parts.codes.nbytes
    must(held == -(-count // 2), f"{held} bytes do not hold {count} codes of 4 bits")
    must(math.prod(scale.shape) == -(-count // block), "its scales are not one for every block")
    must(math.prod(parts.shape("table")) == 16, "its table has not 16 values")
    nested = _nested(parts, state) if "nested scale" in parts.others else None

    def values(a: Arrays) -> Array:
        scales = nested(a).values() if nested else a["scale"].reshape(-1)
        flat = coded.from_table(a["codes"], a["table"].reshape(-1), scales, block)
        return flat[:count].reshape(shape)

    return Meaning(shape, values, str(kind))


def _nested(parts: Parts, state: Config) -> Callable[[Arrays], coded.Nested]:
    """How scales that are quantised themselves are read."""
    block, offset = _whole(state, "nested_blocksize"), state.get("nested_offset")
    table, count = parts.others.get("nested table"), math.prod(parts.shape("scale"))
    must(isinstance(offset, int | float) and abs(offset) < LARGEST, "its state names no offset")
    must(parts.others["scale"].dtype == "uint8", "its quantised scales are no bytes")
    must(table and math.prod(table.shape) == 256, "the table of its scales has not 256 values")
    fits = math.prod(parts.shape("nested scale")) == -(-count // block)
    must(fits, "the scales of its scales are not one for every block")

    def nested(a: Arrays) -> coded.Nested:
        inner, values = a["nested scale"].reshape(-1), a["nested table"].reshape(-1)
        return coded.Nested(a["scale"].reshape(-1), values, inner, block, float(offset or 0.0))

    return nested


def _state(tensor: Tensor) -> Config:
    """What bitsandbytes says of a weight: JSON, stored as bytes."""
    must(tensor.dtype == "uint8" and tensor.nbytes <= STATE_LIMIT, "its state is no short text")
    try:
        found = json.loads(bytes(tensor.read()).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError("its state is not valid JSON") from error
    must(isinstance(found, dict), "its state is no JSON object")
    return dict(found)


def _shape(state: Config) -> tuple[int, ...]:
    found = state.get("shape")
    sides = found if isinstance(found, list) and len(found) <= 4 else []
    must(sides and all(type(s) is int and 0 < s < LARGEST for s in sides), "its state has no shape")
    must(math.prod(sides) < LARGEST, "its state names a shape larger than any weight")
    return tuple(sides)


def _whole(state: Config, name: str) -> int:
    found = state.get(name)
    if type(found) is not int or not 0 < found < LARGEST:
        raise WeightsError(f"its state names no {name}")
    return found


def _microscaled(parts: Parts, *, block: int, dtype: str) -> Meaning:
    """`block` codes of a row share a scale; blocks may have a dimension of their own."""
    stored, scale = parts.codes.shape, parts.shape("scale")
    is_apart = len(stored) == len(scale) + 1
    whole = (*stored[:-2], stored[-2] * stored[-1]) if is_apart else stored
    shape = (*whole[:-1], 2 * whole[-1])
    fits = (*scale[:-1], scale[-1] * block) == shape and (not is_apart or 2 * stored[-1] == block)
    must(fits, f"its scales are not one for every {block} values of a row")

    def values(a: Arrays) -> Array:
        return coded.from_e2m1(a["codes"].reshape(whole), _factors(a), block)

    return Meaning(shape, values, dtype)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _factors(a: Arrays) -> Array:
    """The scale of every block."""
    scale = a["scale"]
    if scale.dtype == np.uint8:  # the exponent of a power of two
        scale = decode("float8_e8m0fnu", scale.shape, np.ascontiguousarray(scale).data.cast("B"))
    if "divisor" in a:
        return np.asarray(scale / a["divisor"].astype(np.float32).reshape(-1)[0])
    if "factor" in a:
        return np.asarray(scale * a["factor"].astype(np.float32).reshape(-1)[0])
    return scale


def _is_power(parts: Parts) -> bool:
    return parts.others["scale"].dtype in {"uint8", "float8_e8m0fnu"}


MXFP4 = partial(_microscaled, block=32, dtype="mxfp4")
NVFP4 = partial(_microscaled, block=16, dtype="nvfp4")

RECIPES = (
    Recipe(
        name="bitsandbytes",
        codes=".weight",
        dtypes=STORED,
        parts={
            "scale": (".weight.absmax",),
            "table": (".weight.quant_map",),
            "nested scale": (".weight.nested_absmax",),
            "nested table": (".weight.nested_quant_map",),
            "state": tuple(f".weight.quant_state.bitsandbytes__{kind}" for kind in sorted(KINDS)),
        },
        needs=("scale", "table", "state"),
        meaning=_bitsandbytes,
        is_bytes=True,
    ),
    Recipe(
        name="MXFP4",
        codes="_blocks",
        dtypes=OCTETS,
        parts={"scale": ("_scales",)},
        needs=("scale",),
        meaning=MXFP4,
        named="",
        applies=_is_power,
    ),
    Recipe(
        name="MXFP4 of compressed-tensors",
        codes=".weight_packed",
        dtypes=OCTETS,
        parts={"scale": (".weight_scale",)},
        needs=("scale",),
        meaning=MXFP4,
        named=".weight",
        applies=_is_power,
    ),
    Recipe(
        name="NVFP4 of compressed-tensors",
        codes=".weight_packed",
        dtypes=OCTETS,
        parts={"scale": (".weight_scale",), "divisor": (".weight_global_scale",)},
        needs=("scale", "divisor"),
        meaning=NVFP4,
        named=".weight",
    ),
    Recipe(
        name="NVFP4 of ModelOpt",
        codes=".weight",
        dtypes=OCTETS,
        parts={"scale": (".weight_scale",), "factor": (".weight_scale_2",)},
        needs=("scale", "factor"),
        meaning=NVFP4,
    ),
)
