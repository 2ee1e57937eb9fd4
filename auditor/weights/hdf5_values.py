"""Where the values of an HDF5 dataset lie in its file, and how they are read from there.

The HDF5 library tells the places; the bytes are read and unpacked here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.errors import WeightsError
from auditor.weights.formats import Blob
from auditor.weights.hdf5_filters import Filter, restored

ROOM = 16 << 20  # bytes a dataset or chunk may have however little is stored of it
EXPANSION = 100  # times its stored bytes a larger one may have; a float32 of weights has 1 to 4


def is_credible(size: int, stored: int) -> bool:
    """Whether values of `size` bytes may come from `stored` ones, and not from a bomb."""
    return size <= max(ROOM, EXPANSION * stored)


@dataclass(frozen=True, slots=True)
class Element:
    """The type of a dataset's values."""

    label: str  # as `auditor.weights.tensors` names it
    code: str  # of the numpy type that has the same bytes, with the stored byte order


@dataclass(frozen=True, slots=True)
class Chunk:
    """A block of a dataset, as stored."""

    start: tuple[int, ...]  # index of its first value
    mask: int  # bit i: filter i was left out
    offset: int
    size: int  # bytes stored


@dataclass(frozen=True, slots=True)
class Values:
    """What the bytes of a dataset are made from: `inline`, or a run, or chunks over zeros."""

    inline: bytes = b""  # all values, out of the dataset's header
    run: int | None = None  # where all values lie in one run
    chunks: Sequence[Chunk] = ()
    sides: tuple[int, ...] = ()  # of every chunk
    steps: Sequence[Filter] = ()

    @property
    def offset(self) -> int:
        """Where the first stored byte lies."""
        return self.run if self.run is not None else min((c.offset for c in self.chunks), default=0)


def array(file: Blob, values: Values, element: Element, shape: tuple[int, ...]) -> NDArray[Any]:
    """All values of a dataset, in the byte order they are stored in.

    Raises
    ------
    WeightsError
        If the file is cut off, or a chunk cannot be unpacked to what the dataset says.
    """
    kind = np.dtype(element.code)
    size = math.prod(shape) * kind.itemsize
    if values.inline or values.run is not None:
        data = values.inline if values.run is None else file.read(values.run, size)
        return np.frombuffer(data, kind).reshape(shape)
    found = np.zeros(shape, kind)
    for chunk in values.chunks:
        _place(found, chunk, _unpacked(file, chunk, values, kind))
    return found


def _unpacked(file: Blob, chunk: Chunk, values: Values, kind: np.dtype[Any]) -> NDArray[Any]:
    size = math.prod(values.sides) * kind.itemsize
    if not is_credible(size, chunk.size):
        raise WeightsError(
            f"a chunk has {size} bytes, of which {chunk.size} are stored; it is made to fill memory"
        )
    data = restored(file.read(chunk.offset, chunk.size), values.steps, chunk.mask, size)
    return np.frombuffer(data, kind).reshape(values.sides)


def _place(into: NDArray[Any], chunk: Chunk, block: NDArray[Any]) -> None:
    """Put a chunk where it belongs; what reaches over the end of the dataset is left out."""
    whole = zip(chunk.start, block.shape, into.shape, strict=True)
    target = tuple(slice(start, min(start + side, end)) for start, side, end in whole)
    into[target] = block[tuple(slice(0, part.stop - part.start) for part in target)]
