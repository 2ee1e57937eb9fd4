"""PyTorch's way to say where a tensor lies: sizes, strides and an offset over a storage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from auditor.errors import WeightsError
from auditor.records import Skip
from auditor.weights.formats import Blob
from auditor.weights.tensors import BITS, Tensor, size_of, whole_numbers

ROOM = 1 << 20  # bytes a repeating tensor may have however small its file is


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of bytes of a file."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class View:
    """An array laid over a storage; `strides` and `offset` count elements."""

    storage: str
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    @property
    def extent(self) -> int:
        """Elements from the first to behind the last one; 0 for an empty array."""
        if 0 in self.shape:
            return 0
        return 1 + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))

    @property
    def geometry(self) -> "View":
        """The same for all views of the same values: strides nobody walks are 0."""
        walked = zip(self.shape, self.strides, strict=True)
        strides = tuple(stride if n > 1 else 0 for n, stride in walked)
        return View(self.storage, self.dtype, self.shape, strides, self.offset)

    @property
    def is_contiguous(self) -> bool:
        """Whether the values lie in C order without gaps."""
        if 0 in self.shape:
            return True
        step = 1
        for n, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if n > 1 and stride != step:
                return False
            step *= n
        return True


@dataclass(frozen=True, slots=True)
class Unread:
    """A tensor that is there but not read, and why."""

    reason: str
    shape: tuple[int, ...] = ()
    dtype: str = ""


def checked_view(
    storage: str, dtype: str, shape: object, strides: object, offset: object
) -> View | Unread:
    """A view, if its numbers are such.

    Raises
    ------
    WeightsError
        If they are not: a lie, not a feature that is missing here.
    """
    sizes, steps = whole_numbers(shape, "a size"), whole_numbers(strides, "a stride")
    (begin,) = whole_numbers((offset,), "an offset")
    if len(sizes) != len(steps):
        raise WeightsError(f"a tensor has {len(sizes)} sizes and {len(steps)} strides")
    if BITS.get(dtype, 0) < 8:
        return Unread(f"no reader for element type {dtype[:50]}", sizes, dtype[:50])
    return View(storage, dtype, sizes, steps, begin)


def lay(
    file: Blob, found: Mapping[str, View | Unread], place: Callable[[View], Place]
) -> tuple[list[Tensor], list[Skip]]:
    """Tensors to read and tensors to skip, for views found in a file.

    Of several views of the same values the first is a tensor, the others are tied to it.

    Raises
    ------
    WeightsError
        If a view reaches outside its storage.
    """
    first: dict[View, str] = {}
    tensors, skipped = [], []
    for name, view in found.items():
        part = view if isinstance(view, Unread) else _or_unread(name, view, place(view), file)
        if isinstance(part, Unread):
            reason = f"unreadable: {part.reason}"
            skipped.append(Skip(name, part.shape, reason, part.dtype, read=False))
        elif (original := first.setdefault(part.geometry, name)) != name and part.extent:
            skipped.append(Skip(name, part.shape, f"tied to {original}", part.dtype))
        else:
            read = _reader(file, part, place(part))
            tensors.append(Tensor(name, part.shape, part.dtype, file.name, read))
    return tensors, skipped


def _or_unread(name: str, view: View, place: Place, file: Blob) -> View | Unread:
    item = BITS[view.dtype] // 8
    if view.extent and (view.offset + view.extent) * item > place.size:
        raise WeightsError(
            f"tensor {name[:200]!r} reaches to byte {(view.offset + view.extent) * item} "
            f"of a storage of {place.size}"
        )
    if size_of(view.dtype, view.shape) > max(file.size, ROOM):
        return Unread("repeats its values to more bytes than its file has", view.shape, view.dtype)
    return view


def _reader(file: Blob, view: View, place: Place) -> Callable[[], bytes]:
    item = BITS[view.dtype] // 8
    start, count = place.start + view.offset * item, view.extent * item

    def read() -> bytes:
        if not view.extent:
            return b""
        data = file.read(start, count)
        return data if view.is_contiguous else _gathered(data, view, item)

    return read


def _gathered(data: bytes, view: View, item: int) -> bytes:
    """The values of a strided view in C order."""
    strides = tuple(stride * item for stride in view.strides)
    return np.ndarray(view.shape, f"V{item}", buffer=data, strides=strides).tobytes()
