"""FlatBuffers as they lie in a file: tables of numbered slots, read where they are.

The accessors that the flatbuffers compiler generates want the whole file in memory and follow
any offset; here each offset and count is held against the file before it is followed.

References
----------
https://flatbuffers.dev/internals/
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from auditor.errors import WeightsError
from auditor.weights.formats import Blob
from auditor.weights.lens import Lens

TABLES_LIMIT = 100_000  # followed in a file, again and again counted; large models have 10,000
NUMBERS_LIMIT = 2_000_000  # of all lists read, likewise; large models have 100,000


class Vector(NamedTuple):
    """Where the items of a vector lie, and how many."""

    start: int
    length: int


class Flat:
    """The tables of one file; for one thread."""

    def __init__(self, file: Blob) -> None:
        self.lens = Lens(file)
        self.size = file.size
        self._tables = TABLES_LIMIT
        self._numbers = NUMBERS_LIMIT

    def root(self) -> "Table":
        """The table that all others hang from."""
        return self.table(0)

    def number(self, offset: int, code: str) -> int:
        """A whole number; `code` is its format for `struct`."""
        (value,) = struct.unpack("<" + code, self.lens.bytes(offset, struct.calcsize("<" + code)))
        return int(value)

    def table(self, offset: int) -> "Table":
        """The table that the number at `offset` leads to.

        Raises
        ------
        WeightsError
            If the file has more tables than any model.
        """
        self._tables -= 1
        if self._tables < 0:
            raise WeightsError(f"has more than {TABLES_LIMIT} tables, more than any model")
        start = offset + self.number(offset, "I")
        names = start - self.number(start, "i")
        return Table(self, start, names, self.number(names, "H"))

    def numbers(self, vector: Vector) -> tuple[int, ...]:
        """The numbers of 32 bits in a vector.

        Raises
        ------
        WeightsError
            If the file's lists are longer together than any model's.
        """
        self._numbers -= vector.length
        if self._numbers < 0:
            raise WeightsError(f"has lists of more than {NUMBERS_LIMIT} numbers together")
        data = self.lens.bytes(vector.start, 4 * vector.length)
        return struct.unpack(f"<{vector.length}i", data)


@dataclass(frozen=True, slots=True)
class Table:
    """One table; its slots are numbered as in the schema, from 0."""

    flat: Flat
    start: int
    names: int  # where its vtable lies
    size: int  # of the vtable, bytes

    def slot(self, index: int) -> int:
        """Where a slot's value lies; 0 where it has none."""
        place = 4 + 2 * index
        offset = self.flat.number(self.names + place, "H") if place + 2 <= self.size else 0
        return self.start + offset if offset else 0

    def number(self, index: int, code: str) -> int:
        """A whole number; 0 where there is none, as the schema has it."""
        place = self.slot(index)
        return self.flat.number(place, code) if place else 0

    def table(self, index: int) -> "Table | None":
        """The table a slot leads to."""
        place = self.slot(index)
        return self.flat.table(place) if place else None

    def tables(self, index: int) -> Iterator["Table"]:
        """The tables of a vector of them."""
        vector = self.vector(index, 4)
        for item in range(vector.length):
            yield self.flat.table(vector.start + 4 * item)

    def vector(self, index: int, item: int) -> Vector:
        """A vector of items of `item` bytes each.

        Raises
        ------
        WeightsError
            If it reaches beyond the end of the file.
        """
        place = self.slot(index)
        if not place:
            return Vector(0, 0)
        start = place + self.flat.number(place, "I")
        count = self.flat.number(start, "I")
        if start + 4 + count * item > self.flat.size:
            raise WeightsError(
                f"a vector of {count} items at byte {start} reaches beyond the file's "
                f"{self.flat.size} bytes; it is cut off"
            )
        return Vector(start + 4, count)

    def numbers(self, index: int, most: int) -> tuple[int, ...]:
        """The numbers of 32 bits in a slot's vector.

        Raises
        ------
        WeightsError
            If there are more than `most`, or as `Flat.numbers`.
        """
        vector = self.vector(index, 4)
        if vector.length > most:
            raise WeightsError(
                f"has a list of {vector.length} numbers, at most {most} are expected"
            )
        return self.flat.numbers(vector)

    def text(self, index: int) -> str:
        """A name; empty where there is none."""
        vector = self.vector(index, 1)
        return self.flat.lens.text(vector.start, vector.length)
