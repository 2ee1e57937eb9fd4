"""A sparse matrix as ``scipy.sparse.save_npz`` writes it: a term-document matrix, say.

Read as the dense matrix it stands for, since spectra are taken of all singular values. Every
index is held against the shape before a value is placed.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.errors import WeightsError
from auditor.records import Skip
from auditor.weights.numpy_members import Array
from auditor.weights.tensors import NATIVE, Bytes, Tensor, decode, whole_numbers

Arrays = Mapping[str, NDArray[Any]]
Indices = NDArray[np.int64]
Entries = tuple[Indices, Indices, NDArray[Any]]  # rows, columns, values: all (n,)

COMMON = frozenset({"format", "shape", "data"})
PARTS = {  # format -> its arrays beside the common ones
    "csr": ("indices", "indptr"),
    "csc": ("indices", "indptr"),
    "bsr": ("indices", "indptr"),
    "coo": ("row", "col"),
    "dia": ("offsets",),
}
WORD = 64  # bytes; the array that names the format has three letters
DENSE_LIMIT = 1 << 30  # bytes of the dense matrix in float64, as its spectrum is computed
OUTSIDE = "its sparse matrix has an index outside its shape; it is damaged, save it again"


def is_sparse(names: Mapping[str, Array]) -> bool:
    """Whether the arrays of an archive are one sparse matrix, by their names."""
    found = names.keys() - {"_is_array"}
    return any(found == COMMON | set(parts) for parts in PARTS.values())


def matrix(file: str, arrays: Mapping[str, Array]) -> Tensor | Skip:
    """The matrix, named after its file.

    Raises
    ------
    WeightsError
        If the arrays are not what their format has. The values' positions are only looked at
        when the tensor is read.
    """
    form, shape, data = _format(arrays["format"]), _shape(arrays["shape"]), arrays["data"].header
    name = PurePosixPath(file).stem
    if form not in PARTS or not set(PARTS[form]) <= arrays.keys():
        raise WeightsError(
            f"is a sparse matrix of format {form[:20]!r}; expected one of {', '.join(PARTS)} "
            "with its arrays"
        )
    dense = 8 * math.prod(shape)
    if data.reason or dense > DENSE_LIMIT:
        why = data.reason or (
            f"dense it takes {dense / 2**30:.1f} GiB, at most {DENSE_LIMIT >> 30} are read; "
            "keep fewer of its rows or columns"
        )
        return Skip(name, shape, f"unreadable: {why}", data.dtype, read=False)
    stored = sum(arrays[part].member.place.size for part in ("data", *PARTS[form]))
    read = partial(_dense, form, shape, {part: arrays[part] for part in ("data", *PARTS[form])})
    return Tensor(name, shape, data.dtype, file, read, stored=stored)


def _format(array: Array) -> str:
    """Three letters, as bytes or as text of four bytes a letter."""
    if array.header.dtype[0] not in "SU" or array.member.size - array.header.length > WORD:
        raise WeightsError("is a sparse matrix whose format is no short text; save it again")
    coding = "utf-32-le" if array.header.dtype[0] == "U" else "ascii"
    return bytes(array.raw()).decode(coding, errors="replace").rstrip("\0")


def _shape(array: Array) -> tuple[int, int]:
    header = array.header
    if header.dtype not in NATIVE or "int" not in header.dtype or header.shape != (2,):
        raise WeightsError("is a sparse array whose shape is not two whole numbers; save a matrix")
    rows, columns = whole_numbers(_loaded(array).tolist(), "the shape of its sparse matrix")
    return rows, columns


def _loaded(array: Array) -> NDArray[Any]:
    return decode(array.header.dtype, array.header.shape, array.values())


def _dense(form: str, shape: tuple[int, int], parts: Mapping[str, Array]) -> Bytes:
    """Values of the dense matrix; what stands at one place twice is added up, as SciPy does."""
    loaded = {name: _loaded(part) for name, part in parts.items()}
    for name in PARTS[form]:
        if loaded[name].dtype.kind not in "iu" or loaded[name].ndim != 1:
            raise WeightsError(f"its sparse matrix has {name} that are no list of whole numbers")
    rows, columns, values = ENTRIES[form](loaded, shape)
    if rows.size and not _within(rows, shape[0]) & _within(columns, shape[1]):
        raise WeightsError(OUTSIDE)
    result = np.zeros(math.prod(shape), values.dtype)
    with np.errstate(over="ignore"):  # sums may be infinite: that is found as non-finite later
        np.add.at(result, rows * shape[1] + columns, values)
    return result.data.cast("B") if result.size else b""


def _within(indices: Indices, count: int) -> bool:
    return bool(indices.min() >= 0 and indices.max() < count)


def _wide(indices: NDArray[Any]) -> Indices:
    """As int64; what does not fit becomes negative, and is found outside."""
    return indices.astype(np.int64)


def _lines(parts: Arrays, count: int) -> tuple[Indices, Indices, NDArray[Any]]:
    """For compressed formats: line, position in it, and value of every entry."""
    ends, positions, data = _wide(parts["indptr"]), _wide(parts["indices"]), parts["data"]
    steps_back = ends.size > 1 and bool((ends[1:] < ends[:-1]).any())
    if ends.size != count + 1 or ends[0] != 0 or steps_back or len(positions) != len(data):
        raise WeightsError("its sparse matrix has an indptr that does not fit; save it again")
    if ends[-1] > len(positions):
        raise WeightsError(OUTSIDE)
    lines = np.repeat(np.arange(count), np.diff(ends))
    return lines, positions[: lines.size], data[: lines.size]


def _by_rows(parts: Arrays, shape: tuple[int, int]) -> Entries:
    _must_be_flat(parts)
    return _lines(parts, shape[0])


def _by_columns(parts: Arrays, shape: tuple[int, int]) -> Entries:
    _must_be_flat(parts)
    columns, rows, values = _lines(parts, shape[1])
    return rows, columns, values


def _by_blocks(parts: Arrays, shape: tuple[int, int]) -> Entries:
    """Blocks (n, height, width), in lines of blocks."""
    sides = parts["data"].shape[1:]
    if len(sides) != 2 or 0 in sides or shape[0] % sides[0] or shape[1] % sides[1]:
        raise WeightsError(f"its sparse matrix has blocks of shape {sides}, which do not fill it")
    height, width = sides
    lines, positions, blocks = _lines(parts, shape[0] // height)
    if positions.size and not _within(positions, shape[1] // width):
        raise WeightsError(OUTSIDE)
    rows = lines[:, None, None] * height + np.arange(height)[:, None]
    columns = positions[:, None, None] * width + np.arange(width)
    full = blocks.shape
    return (
        np.broadcast_to(rows, full).reshape(-1),
        np.broadcast_to(columns, full).reshape(-1),
        blocks.reshape(-1),
    )


def _by_coordinates(parts: Arrays, _shape: tuple[int, int]) -> Entries:
    _must_be_flat(parts)
    rows, columns, data = _wide(parts["row"]), _wide(parts["col"]), parts["data"]
    if not rows.size == columns.size == data.size:
        raise WeightsError("its sparse matrix has not as many rows and columns as values")
    return rows, columns, data


def _by_diagonals(parts: Arrays, shape: tuple[int, int]) -> Entries:
    """Diagonals (n, length): column j of one that is shifted by k belongs to row j - k."""
    offsets, data = _wide(parts["offsets"]), parts["data"]
    if data.ndim != 2 or len(data) != offsets.size:
        raise WeightsError("its sparse matrix has not as many diagonals as offsets")
    if offsets.size and not _within(offsets + shape[0], sum(shape) + 1):
        raise WeightsError(OUTSIDE)
    data = data[:, : shape[1]]
    columns = np.broadcast_to(np.arange(data.shape[1]), data.shape)
    rows = columns - offsets[:, None]
    inside = (rows >= 0) & (rows < shape[0])
    return rows[inside], columns[inside], data[inside]


def _must_be_flat(parts: Arrays) -> None:
    if parts["data"].ndim != 1:
        raise WeightsError("its sparse matrix has values that are no list; save it again")


ENTRIES: dict[str, Callable[[Arrays, tuple[int, int]], Entries]] = {
    "csr": _by_rows,
    "csc": _by_columns,
    "bsr": _by_blocks,
    "coo": _by_coordinates,
    "dia": _by_diagonals,
}
