"""A unit: one tensor, or several that are one layer, and what their bytes come to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from numpy.typing import NDArray

from auditor.records import Layer, Module, Skip
from auditor.spectral.matrices import cut
from auditor.weights import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What the bytes of a unit came to."""

    digest: str  # of all that its layer depends on; empty without a layer
    layer: Layer | None
    skips: tuple[Skip, ...] = ()  # its tensors that are no layer of their own, and why


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """The values that a weight stands for."""

    array: NDArray[Any]
    digest: str  # of all they depend on
    skips: tuple[Skip, ...] = ()  # of the tensors beside it that they were made from


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A tensor by its name, however it is stored; nothing is read before `values` is called."""

    name: str
    shape: tuple[int, ...]
    dtype: str  # as stored
    module: Module | None
    values: Callable[[], Values]

    def read(self) -> Read:
        """Its layer, or why it has none."""
        return as_layer(self, self.values())


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One tensor or several that are one layer; nothing is read before `read` is called."""

    name: str
    shape: tuple[int, ...]  # of the weight, or of what its factors multiply to
    tensors: tuple[Tensor, ...]
    read: Callable[[], Read]
    like: Tensor  # what takes as much memory and time
    values: int | None = None  # stored ones, where `shape` does not tell
    weight: Weight | None = None  # that an adapter can be added to
    is_on_baseline: bool = False  # whether it is a weight of the baseline, changed by an adapter

    @property
    def files(self) -> frozenset[str]:
        """Where its tensors lie."""
        return frozenset(tensor.file for tensor in self.tensors)

    def unread(self, reason: str) -> tuple[Skip, ...]:
        """The account of its tensors where one of them cannot be read."""
        return tuple(skipped(tensor, reason, read=False) for tensor in self.tensors)


def plain(tensor: Tensor, module: Module | None = None) -> Unit:
    """A tensor that holds the values it stands for."""
    weight = weight_of(tensor, module)
    is_real = "float" in tensor.element
    return Unit(
        name=tensor.name,
        shape=tensor.shape,
        tensors=(tensor,),
        read=weight.read,
        like=tensor,
        weight=weight if is_real else None,
    )


def weight_of(tensor: Tensor, module: Module | None = None) -> Weight:
    """A tensor as the weight that it holds as it is."""
    made = partial(_values, tensor)
    return Weight(tensor.name, tensor.shape, tensor.dtype, module, made)


def _values(tensor: Tensor) -> Values:
    data = tensor.read()
    return Values(tensor.array(data), tensor.digest(data))


def as_layer(weight: Weight, found: Values) -> Read:
    """The layer of a weight's values, or why there is none."""
    layer = cut(weight.name, found.array, weight.dtype, weight.module)
    if isinstance(layer, Skip):
        return Read("", None, (layer, *found.skips))
    return Read(found.digest, layer, found.skips)


def skipped(tensor: Tensor, reason: str, *, read: bool = True) -> Skip:
    """The account of a tensor that is no layer of its own."""
    return Skip(tensor.name, tensor.shape, reason, tensor.dtype, read)


def combined(*parts: str) -> str:
    """One digest of several, and of what is done with them."""
    return sha256("|".join(parts).encode()).hexdigest()
