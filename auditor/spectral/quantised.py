"""Weights stored as whole numbers, back to the values they stand for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_scale(shape: tuple[int, ...], weight: tuple[int, ...]) -> bool:
    """Whether a scale has one value, or one for every row of the weight.

    Examples
    --------
    >>> is_scale((), (8, 4)), is_scale((8, 1), (8, 4)), is_scale((4,), (8, 4))
    (True, True, False)
    """
    sides = [side for side in shape if side != 1]
    return not sides or (sides == [weight[0]] and shape[0] == weight[0])


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
    values = weight.astype(np.float32)
    if zero is not None:
        values -= _by_row(zero, values.ndim)
    values *= _by_row(scale, values.ndim)
    return values


def _by_row(values: NDArray[Any], dimensions: int) -> NDArray[np.float32]:
    return values.astype(np.float32).reshape(-1, *(1,) * (dimensions - 1))
