"""What an HDF5 dataset says of itself, checked before a value of it is read."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.errors import WeightsError
from auditor.weights.formats import Blob
from auditor.weights.hdf5_filters import Filter, is_known
from auditor.weights.hdf5_values import Chunk, Element, Values, is_credible
from auditor.weights.views import Unread

Id = Any  # an object of h5py, which has no types

FLOATS = {  # (bytes, (sign, exponent and its bits, mantissa and its bits), bias)
    (2, (15, 10, 5, 0, 10), 15): ("float16", "f2"),
    (2, (15, 7, 8, 0, 7), 127): ("bfloat16", "u2"),
    (4, (31, 23, 8, 0, 23), 127): ("float32", "f4"),
    (8, (63, 52, 11, 0, 52), 1023): ("float64", "f8"),
}
BFLOAT16 = Element("bfloat16", "<u2")  # which Keras stores as two bytes without a meaning
MOST_CHUNKS = 250_000  # of a dataset; h5py cuts 30 GB into so many
NO_NUMBERS = {  # by the number of their class
    2: "times",
    3: "texts",
    4: "bit fields",
    5: "opaque values",
    6: "records",
    7: "references",
    8: "enumerated values",
    9: "lists of varying length",
    10: "arrays",
    11: "complex numbers",
}
LARGEST = 2**58  # values; numpy cannot count the bytes of more, even where one side is 0


def shown(name: bytes) -> str:
    """A name or text of the file as text."""
    return name.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Dataset:
    """An array of an HDF5 file, not read yet."""

    shape: tuple[int, ...]
    element: Element
    values: Values
    stored: int  # bytes


def described(dataset: Id, file: Blob, where: str) -> Dataset | Unread:
    """A dataset, or why no numbers can be read of it.

    Parameters
    ----------
    dataset
        As h5py opened it.
    file
        That it lies in.
    where
        Its name, fit to be shown.

    Raises
    ------
    WeightsError
        If its values lie in another file, it needs code to be read, or its numbers lie.
    """
    plan = dataset.get_create_plist()
    _must_be_self_contained(plan, where)
    shape, element = _shape(dataset, where), _element(dataset)
    if not isinstance(element, Element):
        return Unread(element, shape)
    stored, size = int(dataset.get_storage_size()), math.prod(shape) * int(element.code[2:])
    if not is_credible(size, min(stored, file.size)):
        reason = f"repeats {stored} bytes of its file until they are {size}"
        return Unread(reason, shape, element.label)
    values = _values(dataset, plan, element, where)
    if _is_filled(plan, values, shape):
        reason = "has values that nobody wrote, and a fill value, which is not read here"
        return Unread(reason, shape, element.label)
    if values.run is not None and stored != size:
        raise WeightsError(f"{where} stores {stored} bytes, its shape and type take {size}")
    _must_lie_inside(values, size, file, where)
    return Dataset(shape, element, values, stored)


def _must_be_self_contained(plan: Id, where: str) -> None:
    """Refuse values that lie in other files, and filters that are code from elsewhere."""
    from h5py import h5d  # noqa: PLC0415 - h5py takes 0.2 s to import

    if plan.get_layout() == h5d.VIRTUAL:
        raise WeightsError(
            f"{where} is a virtual dataset, put together from others; save it with its own values"
        )
    if plan.get_external_count():
        raise WeightsError(
            f"{where} has its values in another file; nothing outside this file is opened: "
            "save it with its values in it"
        )
    unknown = [step.code for step in _steps(plan) if not is_known(step)]
    if unknown:
        raise WeightsError(
            f"{where} needs the HDF5 filter {unknown[0]}, which is code that is not loaded here; "
            "save it with gzip or without compression"
        )


def _steps(plan: Id) -> tuple[Filter, ...]:
    found = (plan.get_filter(i) for i in range(plan.get_nfilters()))
    return tuple(Filter(code, tuple(options)) for code, _flags, options, _name in found)


def _shape(dataset: Id, where: str) -> tuple[int, ...]:
    from h5py import h5s  # noqa: PLC0415 - as above

    space = dataset.get_space()
    if space.get_simple_extent_type() == h5s.NULL:
        return (0,)
    shape = tuple(int(side) for side in space.shape)
    if math.prod(side for side in shape if side) >= LARGEST:
        raise WeightsError(f"{where} states a shape of {shape}, longer than any array can be")
    return shape


def _element(dataset: Id) -> Element | str:
    """What the values are, or why they are no numbers."""
    from h5py import h5t  # noqa: PLC0415 - as above

    kind = dataset.get_type()
    group = kind.get_class()
    if group == h5t.OPAQUE and kind.get_size() == 2 and _says_bfloat16(dataset):
        return BFLOAT16
    if group == h5t.ENUM and kind.get_size() == 1 and kind.dtype == np.bool_:
        return Element("bool", "|b1")
    if group not in (h5t.FLOAT, h5t.INTEGER):
        return f"holds {NO_NUMBERS.get(group, 'values')} and no plain numbers"
    found = _float(kind) if group == h5t.FLOAT else _integer(kind)
    return found or f"no reader for HDF5 numbers of {kind.get_size()} bytes laid out as these are"


def _float(kind: Id) -> Element | None:
    size = kind.get_size()
    known = FLOATS.get((size, kind.get_fields(), kind.get_ebias()))
    return Element(known[0], _order(kind) + known[1]) if known and _is_plain(kind, size) else None


def _integer(kind: Id) -> Element | None:
    size = kind.get_size()
    if size not in (1, 2, 4, 8) or not _is_plain(kind, size):
        return None
    sign = "int" if kind.get_sign() else "uint"
    return Element(f"{sign}{8 * size}", f"{_order(kind)}{sign[0]}{size}")


def _is_plain(kind: Id, size: int) -> bool:
    """Whether every bit counts, in an order of bytes that numpy has."""
    whole = kind.get_precision() == 8 * size and kind.get_offset() == 0
    return whole and kind.get_order() in (0, 1)


def _order(kind: Id) -> str:
    return ">" if kind.get_order() == 1 else "<"


def _says_bfloat16(dataset: Id) -> bool:
    from h5py import h5a  # noqa: PLC0415 - as above

    return bool(h5a.exists(dataset, b"dtype")) and text(dataset, b"dtype", 64) == "bfloat16"


def text(owner: Id, name: bytes, limit: int) -> str:
    """An attribute that is one text; empty where it is anything else.

    Raises
    ------
    WeightsError
        If it has more than `limit` bytes.
    """
    from h5py import h5a, h5t  # noqa: PLC0415 - as above

    attribute = h5a.open(owner, name)
    kind = attribute.get_type()
    if kind.get_class() != h5t.STRING or attribute.shape != ():
        return ""
    data = b""
    if kind.get_size() <= limit:
        found = np.empty((), attribute.dtype)
        attribute.read(found)
        value: object = found[()]
        data = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
    if max(len(data), kind.get_size()) > limit:
        raise WeightsError(f"its attribute {shown(name)} has more than {limit} bytes")
    return shown(data)


def _values(dataset: Id, plan: Id, element: Element, where: str) -> Values:
    """Where the values lie; those that lie nowhere are 0."""
    from h5py import h5d, h5s  # noqa: PLC0415 - as above

    if plan.get_layout() == h5d.CHUNKED:
        chunks, sides = _chunks(dataset, where), tuple(plan.get_chunk())
        return Values(chunks=chunks, sides=sides, steps=_steps(plan))
    if plan.get_layout() == h5d.COMPACT:
        inline = np.zeros(dataset.shape, element.code)
        dataset.read(h5s.ALL, h5s.ALL, inline, dataset.get_type())  # at most 64 KiB
        return Values(inline=inline.tobytes())
    run = dataset.get_offset()
    return Values(run=None if run is None else int(run))


def _is_filled(plan: Id, values: Values, shape: tuple[int, ...]) -> bool:
    """Whether values nobody wrote stand for something else than 0.

    For what, the library would tell, and not come back from a damaged file.
    """
    from h5py import h5d  # noqa: PLC0415 - as above

    if plan.fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED or not math.prod(shape):
        return False
    if values.sides:
        parts = zip(shape, values.sides, strict=True)
        return len(values.chunks) < math.prod(-(-side // part) for side, part in parts)
    return values.run is None and not values.inline


def _chunks(dataset: Id, where: str) -> tuple[Chunk, ...]:
    found: list[Chunk] = []
    shape = dataset.shape  # chunks beyond it are left of a larger one

    def take(info: Any) -> bool | None:  # noqa: ANN401 - as above
        start = tuple(info.chunk_offset)
        if all(at < side for at, side in zip(start, shape, strict=True)):
            found.append(Chunk(start, info.filter_mask, int(info.byte_offset), int(info.size)))
        return len(found) > MOST_CHUNKS or None

    dataset.chunk_iter(take)
    if len(found) > MOST_CHUNKS:
        raise WeightsError(f"{where} is cut into more than {MOST_CHUNKS} chunks")
    return tuple(found)


def _must_lie_inside(values: Values, size: int, file: Blob, where: str) -> None:
    """Refuse values that the file ends before."""
    ends = [chunk.offset + chunk.size for chunk in values.chunks]
    end = max(ends, default=0) if values.run is None else values.run + size
    if end > file.size:
        raise WeightsError(f"{where} reaches to byte {end} of {file.size}; the file was cut off")
