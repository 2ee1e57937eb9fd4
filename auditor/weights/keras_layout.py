"""Keras' order of axes, and PyTorch's: the same weights then have the same bytes.

Keras stores what a layer multiplies by with the inputs before the outputs, and a kernel's
positions before both; PyTorch has the outputs first and the positions last.

References
----------
``build`` and ``add_weight`` of the layers in https://github.com/keras-team/keras
"""

import math
import re
from dataclasses import dataclass

from auditor.weights.views import Unread

MATRICES = frozenset({"kernel", "recurrent_kernel", "pointwise_kernel"})
ATTENTIONS = frozenset({"multi_head_attention", "group_query_attention", "grouped_query_attention"})
INTO_HEADS = frozenset({"query", "key", "value", "gate"})  # (inputs, heads, channels)
OUT_OF_HEADS = frozenset({"attention_output", "output"})  # (heads, channels, outputs)
EQUATION = re.compile(r"(?:\.\.\.)?([a-z]+),([a-z]+)->(?:\.\.\.)?([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a layer is, by its class."""

    name: str = ""  # in small letters: conv2d_transpose
    equation: str = ""  # of an EinsumDense: ab,bc->ac


@dataclass(frozen=True, slots=True)
class Layout:
    """How a stored array becomes PyTorch's: its axes in another order, then another shape."""

    axes: tuple[int, ...]
    shape: tuple[int, ...]


def as_it_is(shape: tuple[int, ...]) -> Layout:
    """The layout that changes nothing."""
    return Layout(tuple(range(len(shape))), shape)


def layout(
    weight: str, shape: tuple[int, ...], layer: str, kind: Kind, above: Kind
) -> Layout | Unread:
    """How a layer's weight is handed over.

    Parameters
    ----------
    weight
        Its own name: ``kernel``, ``bias``, ``0`` where the file has only its position.
    shape
        As stored.
    layer, kind
        Name and class of the layer it belongs to.
    above
        Class of what that layer is a part of.

    Returns
    -------
    Layout or Unread
        Unread where an array of three axes or more is a matrix, and the file does not say
        which axes are its rows.
    """
    if weight == "bias":
        return Layout(tuple(range(len(shape))), (math.prod(shape),)) if shape else as_it_is(shape)
    if weight == "depthwise_kernel" or (weight == "kernel" and kind.name.startswith("depthwise")):
        return _depthwise(shape)
    if weight in MATRICES or weight.isdecimal():
        return _matrix(weight, shape, layer, kind, above)
    return as_it_is(shape)


def _matrix(
    weight: str, shape: tuple[int, ...], layer: str, kind: Kind, above: Kind
) -> Layout | Unread:
    """Of a weight that multiplies what comes in."""
    rank = len(shape)
    if kind.equation and rank > 1:
        return _einsum(shape, kind.equation)
    if weight.isdecimal():
        return _unnamed(shape)
    part = layer.strip("_").removesuffix("_dense")
    if rank > 2 and (part in INTO_HEADS | OUT_OF_HEADS or kind.name.endswith("dense")):
        return _heads(shape, part) if above.name in ATTENTIONS else _unknown(shape)
    return _kernel(shape)


def _unnamed(shape: tuple[int, ...]) -> Layout | Unread:
    """Of a layer that nobody knows: in Keras only a kernel has four axes or five."""
    if len(shape) in (4, 5):
        return _kernel(shape)
    return _unknown(shape) if len(shape) == 3 and shape[0] != 1 else as_it_is(shape)


def _unknown(shape: tuple[int, ...]) -> Unread:
    return Unread(f"its file does not tell which of its {len(shape)} axes are rows", shape)


def _kernel(shape: tuple[int, ...]) -> Layout:
    """(positions..., in, out) to (out, in, positions...); a transposed one has them swapped."""
    rank = len(shape)
    if rank < 2:
        return as_it_is(shape)
    axes = (rank - 1, rank - 2, *range(rank - 2))
    return Layout(axes, tuple(shape[axis] for axis in axes))


def _depthwise(shape: tuple[int, ...]) -> Layout:
    """(positions..., in, multiplier) to (in x multiplier, 1, positions...)."""
    rank = len(shape)
    if rank not in (3, 4):
        return as_it_is(shape)
    axes = (rank - 2, rank - 1, *range(rank - 2))
    return Layout(axes, (shape[-2] * shape[-1], 1, *shape[:-2]))


def _heads(shape: tuple[int, ...], part: str) -> Layout | Unread:
    """The projections of an attention into its heads, and from them."""
    if part in INTO_HEADS:
        return Layout((*range(1, len(shape)), 0), (math.prod(shape[1:]), shape[0]))
    if part in OUT_OF_HEADS:
        return Layout((len(shape) - 1, *range(len(shape) - 1)), (shape[-1], math.prod(shape[:-1])))
    return _unknown(shape)


def _einsum(shape: tuple[int, ...], equation: str) -> Layout | Unread:
    """Rows are the axes that come out, columns those that are summed over."""
    found = EQUATION.fullmatch(equation.replace(" ", ""))
    if found is None or len(found[2]) != len(shape) or len(set(found[2])) != len(shape):
        return _unknown(shape)
    inputs, letters, outputs = found.groups()
    rows = [i for i, x in enumerate(letters) if x in outputs and x not in inputs]
    columns = [i for i, x in enumerate(letters) if x in inputs and x not in outputs]
    stack = [i for i, x in enumerate(letters) if x in inputs and x in outputs]
    if sorted([*rows, *columns, *stack]) != list(range(len(shape))) or not rows or not columns:
        return _unknown(shape)
    sides = [math.prod(shape[i] for i in part) for part in (rows, columns)]
    return Layout((*stack, *rows, *columns), (*(shape[i] for i in stack), *sides))
