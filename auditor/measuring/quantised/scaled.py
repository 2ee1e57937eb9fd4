"""One number a value, with a scale for the whole weight, its rows, groups in them, or tiles."""

from functools import partial

import numpy as np

from auditor.architecture.configs import Config
from auditor.errors import WeightsError
from auditor.measuring.quantised.recipe import (
    BYTES,
    FLOATS,
    LARGEST,
    Array,
    Arrays,
    Meaning,
    Parts,
    Recipe,
    must,
    numbers,
    shown,
)
from auditor.spectral.quantised import scaled

TILE = (128, 128)  # of 8-bit floats, where the configuration names no other
TOP = np.float32(127.0)  # the code of a row's largest value


def _plain(parts: Parts) -> Meaning:
    shape, scale = parts.codes.shape, parts.others["scale"]
    beside = [one for what in ("scale", "zero") if (one := parts.others.get(what))]
    if all(scaled.is_scale(one.shape, shape) for one in beside):
        return Meaning(shape, _by_row)
    width = scaled.group_of(scale.shape, shape)
    if width and all(one.shape == scale.shape for one in beside):
        return Meaning(shape, partial(_by_tile, tile=(1, width)))
    tile = _tile(parts.config)
    if len(beside) == 1 and scaled.is_tiled(scale.shape, shape, tile):
        return Meaning(shape, partial(_by_tile, tile=tile), recipe=f"tiles {tile}")
    unfit = next((one for one in beside if not scaled.is_scale(one.shape, shape)), scale)
    raise WeightsError(f"{shown(unfit)} is not one value, or one for a row, group or tile")


def _by_row(a: Arrays) -> Array:
    return scaled.dequantise(a["codes"], a["scale"], a.get("zero"))


def _by_tile(a: Arrays, *, tile: tuple[int, int]) -> Array:
    return scaled.dequantise_tiles(a["codes"], a["scale"], tile, a.get("zero"))


def _tile(config: Config) -> tuple[int, int]:
    found = config.get("weight_block_size")
    if isinstance(found, list) and len(found) == 2:
        height, width = found
        if type(height) is int and type(width) is int and 0 < height < LARGEST > width > 0:
            return height, width
    return TILE


def _of_largest(parts: Parts) -> Meaning:
    """A row's scale is its largest value, whose code is 127."""
    shape, scale, layout = parts.codes.shape, parts.others["scale"], parts.others.get("layout")
    must(scaled.is_scale(scale.shape, shape), f"{shown(scale)} is not one for every row")
    is_by_row = layout is None or numbers(layout) == [0]
    must(is_by_row, "its numbers are in the order of one kind of processor, not by row")
    return Meaning(shape, lambda a: scaled.dequantise(a["codes"], a["scale"] / TOP))


RECIPES = (
    Recipe(
        name="bitsandbytes",
        codes=".weight",
        dtypes=frozenset({"int8"}),
        parts={"scale": (".SCB",), "layout": (".weight_format",)},
        needs=("scale",),
        meaning=_of_largest,
    ),
    Recipe(
        name="8-bit with scales",
        codes="",
        dtypes=BYTES | FLOATS,
        parts={
            "scale": (".weight_scale", ".scale", ".weight_scale_inv", ".scale_weight"),
            "zero": (".weight_zero_point", ".zero_point"),
        },
        needs=("scale",),
        meaning=_plain,
    ),
)
