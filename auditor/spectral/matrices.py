"""From a tensor to the matrices whose spectra are taken; nothing disappears silently.

A dense weight is one matrix. A convolution is one matrix (out × in) for each position of its
kernel and each group, a stack of experts one for each expert. The matrices are views: nothing
is copied and the stored precision is kept.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.records import Layer, Matrix, Module, Settings, Skip
from auditor.spectral.blockwise import BLOCK, rows_of
from auditor.spectral.fused import Split, split
from auditor.spectral.kinds import is_embedding, is_stack, kind_of

MOST_SLICES = 4096  # more kernel positions or experts than any model has: one matrix instead
MOST_DIMENSIONS = 5
LARGEST = 2.0**480  # beyond it a sum of squares is infinite in float64


def cut(name: str, array: NDArray[Any], dtype: str, module: Module | None = None) -> Layer | Skip:
    """Cut a tensor into the matrices it acts by, or say why it has none.

    Parameters
    ----------
    name
        Of the tensor; decides only between readings of one and the same shape: experts or
        convolution, and the kind that reports show.
    array : any shape
        The values, floats narrower than float32 already widened.
    dtype
        As stored, before any widening.
    module
        What holds the tensor, where the architecture is known: only that tells grouped and
        transposed convolutions, and a stack of matrices from a kernel, from a shape.

    Returns
    -------
    Layer or Skip
        A layer's slices are views of `array`, all of one shape and finite. A value whose
        square does not fit float64 (above 2**480) counts as non-finite.
    """
    values = _trimmed(name, array, module)
    reason = _unfit(name, values)
    if reason is not None:
        return _skip(name, array, dtype, reason)
    if non_finite := non_finite_values(values):
        return Skip(name, array.shape, "non-finite", dtype, non_finite=non_finite)
    kind = kind_of(name, values.shape, module)
    slices = _slices(name, values, kind, module)
    is_kernel = kind.startswith("conv") and len(slices) > 1
    positions = math.prod(values.shape[2:]) if is_kernel else 1
    return Layer(name, kind, dtype, array.shape, slices, positions)


def divide(layer: Layer, settings: Settings, fused: Split | None = None) -> tuple[Layer, ...]:
    """The layers that a tensor is shown as: one, unless the settings ask for its parts.

    Parameters
    ----------
    layer
        A whole tensor.
    settings
        With ``pool=False`` every slice of several is a layer ``name[0]``, ``name[1]``, …;
        with ``split_qkv`` a fused projection is ``name[q]``, ``name[k]`` and ``name[v]``.
    fused
        Where query, key and value lie in it; None leaves it whole.
    """
    if settings.split_qkv and fused is not None:
        parts = zip(("[q]", "[k]", "[v]"), split(layer.slices[0], fused), strict=True)
        return tuple(
            replace(_part(layer, label, matrix), kind="dense", shape=matrix.shape)
            for label, matrix in parts
        )
    if settings.pool or len(layer.slices) == 1:
        return (layer,)
    return tuple(_part(layer, f"[{i}]", matrix) for i, matrix in enumerate(layer.slices))


def non_finite_values(values: NDArray[Any]) -> int:
    """How many values are nan, infinite, or have a square that is."""
    largest = max(float(values.max()), -float(values.min()))  # nan if any value is
    if largest <= LARGEST:
        return 0
    limit = min(LARGEST, float(np.finfo(values.dtype).max))
    rows = rows_of(values, max(1, BLOCK * len(values) // values.size))
    return int(values.size - sum(np.count_nonzero(np.abs(part) <= limit) for _, part in rows))


def _part(layer: Layer, label: str, matrix: Matrix) -> Layer:
    return replace(layer, name=layer.name + label, slices=(matrix,), positions=1, part=label)


def _trimmed(name: str, array: NDArray[Any], module: Module | None) -> NDArray[Any]:
    """The array without leading axes of 1 where it is an embedding or a stack, not a conv."""
    is_kernel = not is_embedding(name) and not (module and is_stack(name, array.shape, module))
    if array.ndim < 3 or is_kernel:
        return array
    first = next((i for i, side in enumerate(array.shape) if side != 1), array.ndim - 1)
    return array.reshape(array.shape[first:])


def _unfit(name: str, values: NDArray[Any]) -> str | None:
    """Why an array has no spectrum, judged without its values unless it holds integers."""
    if values.dtype.kind in "biu" and values.ndim > 1 and values.size:
        return _integers(values)
    reasons = (
        (values.size == 0, "empty"),
        (values.ndim == 0, "scalar"),
        (values.ndim == 1 or _is_biases(name, values), "vector"),
        (values.dtype.kind != "f", f"{values.dtype.name} values, only real ones are analysed"),
        (
            values.ndim > MOST_DIMENSIONS,
            f"{values.ndim} dimensions, at most {MOST_DIMENSIONS} are analysed",
        ),
    )
    return next((reason for applies, reason in reasons if applies), None)


def _is_biases(name: str, values: NDArray[Any]) -> bool:
    """Whether it holds one vector for each expert."""
    return values.ndim == 2 and name.endswith("bias") and is_stack(name, (1, *values.shape))


def _integers(values: NDArray[Any]) -> str:
    """An index or mask, or weights quantised to a byte; only the latter count as unread."""
    if values.dtype.kind == "b" or values.dtype.itemsize > 1:
        return "integer index"
    is_mask = bool(values.min() >= 0 and values.max() <= 1)
    return "integer index" if is_mask else "quantised integers without a known scale"


def _skip(name: str, array: NDArray[Any], dtype: str, reason: str) -> Skip:
    """A skip with the account of its values: biases and normalisations are checked too."""
    if array.dtype.kind not in "fc" or array.size == 0:
        return Skip(name, array.shape, reason, dtype, read=not reason.startswith("quantised"))
    return Skip(
        name,
        array.shape,
        reason,
        dtype,
        read=array.ndim < 2 or (array.dtype.kind == "f" and array.ndim <= MOST_DIMENSIONS),
        non_finite=int(array.size - np.count_nonzero(np.isfinite(array))),
        all_zero=not array.any(),
    )


def _slices(
    name: str, values: NDArray[Any], kind: str, module: Module | None
) -> tuple[Matrix, ...]:
    """The matrices of a tensor, as views."""
    if values.ndim == 2:
        return (values,)
    if kind == "depthwise":
        return (values.reshape(values.shape[0], -1),)
    slices = _stack(values) if is_stack(name, values.shape, module) else _kernel(values, module)
    return slices if len(slices) <= MOST_SLICES else (values.reshape(values.shape[0], -1),)


def _stack(values: NDArray[Any]) -> tuple[Matrix, ...]:
    return tuple(values.reshape(-1, *values.shape[-2:]))


def _kernel(values: NDArray[Any], module: Module | None) -> tuple[Matrix, ...]:
    """A matrix (out / groups, in) for every group and position of a kernel."""
    rows, cols, *kernel = values.shape
    groups = module.groups if module and rows % module.groups == 0 else 1
    grouped = values.reshape(groups, rows // groups, cols, math.prod(kernel))
    return tuple(matrix for group in grouped for matrix in np.moveaxis(group, 2, 0))
