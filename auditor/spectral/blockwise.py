"""Arrays that are computed from others where they are read, a block of rows at a time.

A weight in bfloat16 or an 8-bit float has no numpy type: as float32 it takes twice or four
times the memory. What reads it in blocks of rows never needs all of that.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike, NDArray

BLOCK = 1 << 20  # entries computed at a time where all of them are gone through
CODES = {np.dtype(np.uint8), np.dtype("<u2")}  # types whose values can be counted one by one

Rule = Callable[[NDArray[Any]], NDArray[Any]]


def blockwise(source: NDArray[Any], rule: Rule, dtype: DTypeLike) -> NDArray[Any]:
    """What `rule` makes of every entry of `source`, computed where it is read.

    It stands for the array itself, and every numpy function takes it: views of it (rows,
    transposed, reshaped) stay uncomputed; sums, extremes and the like go through blocks; and
    whatever else is done to it computes all of it first.

    Parameters
    ----------
    source
        Any shape.
    rule
        Gives an array of the shape it is given, each value from the one in its place.
    dtype
        Of what it gives.
    """
    return cast("NDArray[Any]", _Blockwise(source, rule, np.dtype(dtype)))


def rows_of(array: NDArray[Any], height: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Its rows as plain arrays, `height` at a time, each after the number of its first."""
    for start in range(0, array.shape[0], height):
        yield start, np.asarray(array[start : start + height])


def in_order(array: NDArray[Any]) -> NDArray[Any]:
    """All entries, ascending: (size,), in as much memory as the array has.

    Of codes of one or two bytes they are counted, not sorted.
    """
    computed = _computed(array)
    if computed is None or computed.source.dtype not in CODES:
        found = np.empty(array.shape, array.dtype)
        for start, rows in rows_of(array, _height(array)):
            found[start : start + len(rows)] = rows
        found = found.reshape(-1)
        found.sort()
        return found
    source, rule = computed.source, computed.rule
    codes = np.arange(1 << 8 * source.dtype.itemsize).astype(source.dtype)
    counts = np.zeros(codes.size, np.intp)
    for _, rows in rows_of(source, _height(source)):
        counts += np.bincount(rows.reshape(-1), minlength=codes.size)
    order = np.argsort(rule(codes), kind="stable")
    return blockwise(np.repeat(codes[order], counts[order]), rule, array.dtype)


def shuffle(array: NDArray[Any], rng: np.random.Generator) -> None:
    """Put the entries of a one-dimensional array in random order, where they lie."""
    computed = _computed(array)
    rng.shuffle(computed.source if computed else array)


def _computed(array: object) -> "_Blockwise | None":
    return array if isinstance(array, _Blockwise) else None


def _height(array: "NDArray[Any] | _Blockwise") -> int:
    """Rows of a block."""
    return int(max(1, BLOCK * array.shape[0] // max(array.size, 1)))


class _Blockwise(NDArrayOperatorsMixin):
    """See `blockwise`."""

    def __init__(self, source: NDArray[Any], rule: Rule, dtype: np.dtype[Any]) -> None:
        self.source = source
        self.rule = rule
        self.dtype = dtype
        self.shape = source.shape
        self.ndim = source.ndim
        self.size = source.size

    def __array__(
        self,
        dtype: DTypeLike | None = None,
        copy: bool | None = None,  # noqa: FBT001 - numpy's protocol
    ) -> NDArray[Any]:
        if copy is False:
            raise ValueError("its values are not in memory; allow a copy")
        found = np.asarray(self.rule(np.asarray(self.source)))
        return found if dtype is None else found.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - numpy's protocol
        plain = (np.asarray(one) if _computed(one) is not None else one for one in given)
        return getattr(ufunc, method)(*plain, **named)

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, where: Any) -> Any:  # noqa: ANN401 - as numpy's
        part = self.source[where]
        return self._of(part) if np.ndim(part) else self.rule(np.asarray(part)[np.newaxis])[0]

    @property
    def T(self) -> "_Blockwise":
        return self._of(self.source.T)

    def transpose(self, *axes: Any) -> "_Blockwise":  # noqa: ANN401
        return self._of(self.source.transpose(*axes))

    def reshape(self, *shape: Any) -> "_Blockwise":  # noqa: ANN401
        return self._of(self.source.reshape(*shape))

    def astype(self, dtype: DTypeLike, *, copy: bool = True) -> NDArray[Any]:
        return np.asarray(self).astype(dtype, copy=copy)

    def max(self, axis: int | None = None) -> Any:  # noqa: ANN401
        return self._reduced(np.maximum, axis)

    def min(self, axis: int | None = None) -> Any:  # noqa: ANN401
        return self._reduced(np.minimum, axis)

    def any(self, axis: int | None = None) -> Any:  # noqa: ANN401
        return self._reduced(np.logical_or, axis)

    def _of(self, source: NDArray[Any]) -> "_Blockwise":
        return _Blockwise(source, self.rule, self.dtype)

    def _reduced(self, ufunc: np.ufunc, axis: int | None) -> Any:  # noqa: ANN401
        """Of all entries, of each column, or of each row."""
        parts = (rows for _, rows in rows_of(cast("NDArray[Any]", self), _height(self)))
        found = [ufunc.reduce(rows, axis=axis) for rows in parts]
        return np.concatenate(found) if axis == 1 else ufunc.reduce(found, axis=0)
