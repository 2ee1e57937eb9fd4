"""Whole numbers or narrow floats with a scale: of the whole weight, a row, or a block of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_GROUP = 16  # columns that share a scale; no method in use has fewer


def is_scale(shape: tuple[int, ...], weight: tuple[int, ...]) -> bool:
    """Whether a scale has one value, or one for every row of the weight.

    Examples
    --------
    >>> is_scale((), (8, 4)), is_scale((8, 1), (8, 4)), is_scale((4,), (8, 4))
    (True, True, False)
    """
    sides = [side for side in shape if side != 1]
    return not sides or (sides == [weight[0]] and shape[0] == weight[0])


def group_of(shape: tuple[int, ...], weight: tuple[int, ...]) -> int | None:
    """How many columns of a row share a scale; None where that is not how it is laid out.

    Examples
    --------
    >>> group_of((8, 4), (8, 128)), group_of((8, 3), (8, 128))
    (32, None)
    """
    if len(shape) != 2 or len(weight) != 2 or shape[0] != weight[0] or not shape[1]:
        return None
    columns, rest = divmod(weight[1], shape[1])
    return columns if columns >= LEAST_GROUP and not rest else None


def is_tiled(shape: tuple[int, ...], weight: tuple[int, ...], tile: tuple[int, int]) -> bool:
    """Whether a scale has one value for every tile of the weight, those at its edges included.

    Examples
    --------
    >>> is_tiled((2, 1), (200, 128), (128, 128)), is_tiled((1, 1), (200, 128), (128, 128))
    (True, False)
    """
    if len(shape) != 2 or len(weight) != 2:
        return False
    return all(-(-side // of) == n for side, of, n in zip(weight, tile, shape, strict=True))


@np.errstate(over="ignore", invalid="ignore")
def dequantise(
    weight: NDArray[Any], scale: NDArray[Any], zero: NDArray[Any] | None = None
) -> NDArray[np.float32]:
    """``(weight - zero) * scale``, by row where there is a scale for every row.

    Parameters
    ----------
    weight : (rows, ...)
        Whole numbers or narrow floats.
    scale, zero
        One value, or one for every row; a zero point of None is 0.

    Examples
    --------
    >>> dequantise(np.array([[1, -2]], np.int8), np.array(0.5)).tolist()
    [[0.5, -1.0]]
    """
    values = np.array(weight, np.float32)
    if zero is not None:
        values -= _by_row(zero, values.ndim)
    values *= _by_row(scale, values.ndim)
    return values


@np.errstate(over="ignore", invalid="ignore")
def dequantise_tiles(
    weight: NDArray[Any],
    scale: NDArray[Any],
    tile: tuple[int, int],
    zero: NDArray[Any] | None = None,
) -> NDArray[np.float32]:
    """``(weight - zero) * scale``, where every tile of the weight has a scale.

    Parameters
    ----------
    weight : (rows, cols)
        Whole numbers or narrow floats.
    scale, zero : (ceil(rows / tile[0]), ceil(cols / tile[1]))
        Of the tiles; those at the lower and right edge may be cut off.
    tile
        Rows and columns of a tile.

    References
    ----------
    DeepSeek-AI, "DeepSeek-V3 Technical Report", 2024, arXiv:2412.19437, section 3.3: tiles of
    128 × 128, whose factor is stored as ``weight_scale_inv``.

    Examples
    --------
    >>> dequantise_tiles(np.ones((1, 4)), np.array([[2.0, 3.0]]), (1, 2)).tolist()
    [[2.0, 2.0, 3.0, 3.0]]
    """
    values = np.array(weight, np.float32)
    height, width = tile
    for column in range(scale.shape[1]):
        part = values[:, column * width : (column + 1) * width]
        if zero is not None:
            part -= _of_rows(zero[:, column], height, len(values))
        part *= _of_rows(scale[:, column], height, len(values))
    return values


def _of_rows(values: NDArray[Any], height: int, rows: int) -> NDArray[np.float32]:
    """One value for every row, (rows, 1), from one for every `height` of them."""
    return np.repeat(np.asarray(values, np.float32), height)[:rows, None]


def _by_row(values: NDArray[Any], dimensions: int) -> NDArray[np.float32]:
    return np.asarray(values, np.float32).reshape(-1, *(1,) * (dimensions - 1))
