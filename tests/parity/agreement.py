"""Rows of the reference tool against our convention ``weightwatcher``, column by column.

Where the two differ on purpose, `FAULTS` names the fault of the reference and the columns
that it spoils; a layer is let off only for those.
"""

import math
import re
from collections.abc import Iterable, Mapping, Set
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.audit import measure
from auditor.records import Layer, Settings
from auditor.spectral.matrices import cut, divide

Tensors = Mapping[str, NDArray[Any]]
Row = Mapping[str, Any]

BARE = Settings(convention="weightwatcher", bootstrap=0, mp_fit=False, randomize=False)

SHAPES = {"N", "M", "num_evals"}
RANKS = {"matrix_rank", "rank_loss", "weak_rank_loss"}
FITTED = {"alpha", "D", "xmin", "xmax", "sigma", "num_pl_spikes", "alpha_weighted"}
NORMS = {"norm", "log_norm", "spectral_norm", "log_spectral_norm", "lambda_max", "stable_rank"}
DETX = {"detX_num", "detX_val", "ERG_gap"}
BULK = {"num_spikes", "sigma_mp", "mp_softrank", "bulk_min", "bulk_max", "W_scale"}
FINGERS = {"num_fingers", "raw_alpha"}
DEFAULT = SHAPES | RANKS | FITTED | NORMS | {"log_alpha_norm", "entropy", "sv_max", "sv_min"}

CLOSE, LOOSE = 1e-9, 1e-6  # relative
EPS = float(np.finfo(np.float64).eps)
EXACT = SHAPES | RANKS | {"num_pl_spikes", "detX_num", "ERG_gap"}
OF_TAIL = FITTED | {"log_alpha_norm"}  # rests on eigenvalues from xmin up

SV_MIN = "sv_min of a convolution is the largest of its slices' smallest"
DEPTHWISE = "a depthwise convolution is cut into vectors"
CONV1D = "a Conv1d is cut along the wrong axes"
SWAPPED = "a kernel of even size with out < in, or wider than out + in, has Q < 1"
SIGMA = "sigma of fewer than 8 points is that of an alpha of 0"
LAST = "detX_val where no product is below 1 is the second smallest"
CLIPPED = "clipping a layer of fewer than 20 eigenvalues fails"
FAULTS = {
    SV_MIN: {"sv_min"},
    DEPTHWISE: DEFAULT | DETX | FINGERS | BULK,
    CONV1D: DEFAULT | DETX | FINGERS | BULK,
    SWAPPED: {"N", "M"},
    SIGMA: {"sigma"},
    LAST: {"detX_val"},
    CLIPPED: OF_TAIL | FINGERS,
}


def layers(tensors: Tensors, settings: Settings = BARE) -> dict[str, Layer]:
    """The analysed layers by the name that the reference gives them, a slice as ``name[0]``."""
    cuts = [cut(name, array, array.dtype.name) for name, array in tensors.items()]
    parts = [divide(layer, settings) for layer in cuts if isinstance(layer, Layer)]
    return {re.sub(r"\.weight\b", "", part.name): part for part in chain.from_iterable(parts)}


def name_of(row: Row) -> str:
    """The layer that a row is about."""
    is_slice = "slice_id" in row and row["rf"] > 1
    return f"{row['longname']}[{row['slice_id']:.0f}]" if is_slice else str(row["longname"])


def is_swapped(shape: tuple[int, ...]) -> bool:
    """Whether the reference takes the sides of a convolution for each other."""
    if len(shape) != 4 or shape[0] >= shape[1]:
        return False
    return shape[2] * shape[3] % 2 == 0 or shape[0] + shape[1] < shape[2] + shape[3]


def faults(layer: Layer, row: Row) -> set[str]:
    """What the reference does wrong with this layer."""
    found = {
        SV_MIN: len(layer.slices) > 1,
        DEPTHWISE: layer.kind == "depthwise",
        CONV1D: layer.kind == "conv1d",
        SWAPPED: is_swapped(layer.shape),
        SIGMA: row["status"] == "success" and row["sigma"] < 0.0,
        LAST: row.get("detX_num") == row["num_evals"],
        CLIPPED: row["status"] == "failed" and "num_fingers" in row and row["num_evals"] < 20,
    }
    return {name for name, is_found in found.items() if is_found}


def theirs(row: Row, column: str) -> float:
    """The reference's number, nan where it says by -1, 0 or -inf that there is none."""
    undefined = OF_TAIL | FINGERS | {"ERG_gap"} if row["status"] == "failed" else set()
    if column in (undefined | DETX if row["norm"] == 0.0 else undefined):
        return math.nan
    if column in BULK and row["sigma_mp"] == -1.0:
        return math.nan
    value = float(row[column])
    return math.nan if value == -math.inf else value


def values(layer: Layer, settings: Settings) -> dict[str, float]:
    """Every column of ours."""
    found = measure(layer, settings).measurement
    return {**found.metrics, "N": found.n, "M": found.m, "num_evals": found.num_evals}


def is_close(column: str, mine: float, wanted: float, row: Row) -> bool:
    """Whether two numbers agree as far as the weights determine them."""
    lowest = {"detX_val": wanted, "sv_min": 0.0, **dict.fromkeys(OF_TAIL, row["xmin"])}
    reaches_far = lowest.get(column, math.inf) < LOOSE * row["lambda_max"]
    limit = LOOSE if reaches_far else CLOSE
    limit = 0.0 if column in EXACT else limit
    noise = EPS * row["N"] * row["sv_max"] if column == "sv_min" else 0.0
    both_undefined = math.isnan(mine) and math.isnan(wanted)
    return both_undefined or math.isclose(mine, wanted, rel_tol=limit, abs_tol=noise)


def differing(
    row: Row, layer: Layer, settings: Settings = BARE, columns: Set[str] = frozenset(DEFAULT)
) -> dict[str, tuple[float, float]]:
    """Columns in which the two differ: (ours, the reference's)."""
    mine = values(layer, settings)
    pairs = {column: (mine[column], theirs(row, column)) for column in sorted(columns)}
    return {column: pair for column, pair in pairs.items() if not is_close(column, *pair, row)}


def disagreements(
    rows: Iterable[Row],
    tensors: Tensors,
    settings: Settings = BARE,
    columns: Set[str] = frozenset(DEFAULT),
) -> list[str]:
    """A line for every number that differs without a fault of the reference to explain it."""
    found = layers(tensors, settings)
    lines = []
    for row in rows:
        layer = found[name_of(row)]
        excused = set().union(*(FAULTS[name] for name in faults(layer, row)))
        lines += [
            f"{layer.name}: {column} is {mine!r}, not {wanted!r}"
            for column, (mine, wanted) in differing(row, layer, settings, columns).items()
            if column not in excused
        ]
    return lines
