"""From an ONNX tensor's bytes to PyTorch's axis order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.weights.affine import Spread, meant, whole
from auditor.weights.onnx_uses import GATES
from auditor.weights.onnx_values import Held
from auditor.weights.tensors import BITS, Bytes, Tensor

Array = NDArray[Any]
PLAIN = Spread()
ENDS = ("", "_reverse")  # of a name, by direction


@dataclass(frozen=True, slots=True)
class Stored:
    """Values as a file has them, with what makes them real numbers where they are none."""

    values: Held
    scale: Held | None = None
    zero: Held | None = None
    spread: Spread = PLAIN

    @property
    def element(self) -> str:
        """Element type of the values that are meant."""
        return "float32" if self.scale else self.values.dtype

    def array(self) -> Array:
        """The values that are meant; those without a numpy type as so many raw bytes."""
        shape = self.values.constant.shape
        if self.scale:
            numbers = whole(self.values.dtype, shape, self.values.read())
            zero = _decoded(self.zero) if self.zero else None
            return meant(numbers, _decoded(self.scale), zero, self.spread)
        return np.frombuffer(self.values.read(), f"V{BITS[self.element] // 8}").reshape(shape)

    def tensor(
        self,
        file: str,
        name: str,
        shape: tuple[int, ...],
        arrange: Callable[[Array], Array] | None = None,
    ) -> Tensor:
        """The tensor of that shape that `arrange` makes of the values."""

        def read() -> Bytes:
            array = self.array()
            return (arrange(array) if arrange else array).tobytes()

        plain = arrange is None and self.scale is None
        return Tensor(
            name,
            shape,
            self.values.dtype,
            file,
            self.values.read if plain else read,
            read_as="float32" if self.scale else "",
            stored=self.values.size,
        )


def turned(array: Array) -> Array:
    """(out, in) of (in, out)."""
    return array.T


def by_direction(
    operator: str, shape: tuple[int, ...]
) -> Iterator[tuple[str, tuple[int, ...], Callable[[Array], Array]]]:
    """What PyTorch appends to a name, shape and values for each direction of an RNN.

    Parameters
    ----------
    operator
        One of `GATES`.
    shape
        (directions, gates * hidden, in) of weights, (directions, 2 * gates * hidden) of
        biases; one direction or two.
    """
    gates = GATES[operator]
    order = gates if len(shape) == 3 else (*gates, *(len(gates) + gate for gate in gates))
    if shape[1] % len(order):
        order = (0,)  # no such layer: its rows stay as they are
    for direction in range(shape[0]):
        yield ENDS[direction], shape[1:], partial(_direction, direction=direction, order=order)


def _direction(array: Array, direction: int, order: tuple[int, ...]) -> Array:
    one = array[direction]
    blocks = one.reshape(len(order), -1)
    return np.take(blocks, order, axis=0).reshape(one.shape)


def _decoded(values: Held) -> Array:
    return whole(values.dtype, values.constant.shape, values.read())
