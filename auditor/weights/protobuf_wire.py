"""Protocol buffers as they lie in a file: numbered fields, walked without a schema.

Nothing is built of a message but what its reader asks for, so that gigabytes of values inside
one are stepped over.

References
----------
https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from auditor.errors import WeightsError
from auditor.weights.formats import Blob
from auditor.weights.lens import Lens

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types; 3 and 4, groups, are long gone
FIELDS_LIMIT = 1_000_000  # in a file: 5 s of walking; graphs of 30,000 nodes have half of it
MESSAGES_LIMIT = 200_000  # in a file: 200 MB in memory; such graphs have half of it
LONGEST = 10  # bytes of a varint of 64 bits


class Field(NamedTuple):
    """One field: its number, and its value or where its bytes lie."""

    number: int
    kind: int  # wire type
    value: int  # of a varint
    start: int
    end: int


class Wire:
    """Walks the messages of one file; for one thread."""

    def __init__(self, file: Blob) -> None:
        self._lens = Lens(file)
        self._fields = FIELDS_LIMIT
        self._messages = MESSAGES_LIMIT

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message that lies from `start` to `end`.

        Raises
        ------
        WeightsError
            If a field reaches over the end of its message, is none of protocol buffers, or
            the file has more fields than any graph.
        """
        self._messages -= 1
        while start < end:
            self._fields -= 1
            if self._fields < 0 or self._messages < 0:
                raise WeightsError(
                    f"has more than {FIELDS_LIMIT} fields or {MESSAGES_LIMIT} messages, "
                    "more than any model's graph"
                )
            field = self._field(start, end)
            yield field
            start = field.end

    def collect(self, span: Field, wanted: Collection[int]) -> dict[int, list[Field]]:
        """The wanted fields of the message inside a field, by number, in their order."""
        found: dict[int, list[Field]] = {number: [] for number in wanted}
        for field in self.fields(span.start, must_be(LENGTH, span).end):
            if field.number in found:
                found[field.number].append(field)
        return found

    def text(self, fields: Sequence[Field]) -> str:
        """The text of a field that is there once; empty where it is not."""
        field = only(fields)
        if field is None:
            return ""
        must_be(LENGTH, field)
        return self._lens.text(field.start, field.end - field.start)

    def numbers(self, fields: Sequence[Field], most: int) -> tuple[int, ...]:
        """Repeated varints, packed or not, as signed numbers of 64 bits.

        Raises
        ------
        WeightsError
            If there are more than `most`.
        """
        found: list[int] = []
        for field in fields:
            packed = field.kind == LENGTH
            found += self._packed(field, most) if packed else [must_be(VARINT, field).value]
            if len(found) > most:
                raise WeightsError(f"has a list of more than {most} numbers")
        return tuple(value - (value >> 63 << 64) for value in found)

    def _packed(self, field: Field, most: int) -> list[int]:
        found: list[int] = []
        position = field.start
        while position < field.end and len(found) <= most:
            value, position = self._varint(position, field.end)
            found.append(value)
        return found

    def _field(self, start: int, end: int) -> Field:
        key, after = self._varint(start, end)
        number, kind = key >> 3, key & 7
        value = 0
        if kind == VARINT:
            value, stop = self._varint(after, end)
        elif kind == LENGTH:
            length, after = self._varint(after, end)
            stop = after + length
        elif kind in {FIXED64, FIXED32}:
            stop = after + (8 if kind == FIXED64 else 4)
        else:
            raise WeightsError(f"byte {start} starts no field of a protocol buffer")
        if stop > end or number == 0:
            raise WeightsError(
                f"the field at byte {start} reaches to byte {stop} of a message that ends at "
                f"{end}; it is cut off or no protocol buffer"
            )
        return Field(number, kind, value, after, stop)

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        """An unsigned number of 64 bits, and where it ends."""
        value = self._lens.byte(position) if position < end else 0x80
        if value < 0x80:  # most of them
            return value, position + 1
        value = 0
        for place in range(position, min(end, position + LONGEST)):
            byte = self._lens.byte(place)
            value |= (byte & 0x7F) << 7 * (place - position)
            if byte < 0x80:
                return value & (2**64 - 1), place + 1
        raise WeightsError(f"the number at byte {position} does not end; the file is cut off")


def only(fields: Sequence[Field]) -> Field | None:
    """A field that a message has once, or None.

    Raises
    ------
    WeightsError
        If it is there twice: readers differ in what that means.
    """
    if len(fields) > 1:
        raise WeightsError(
            f"the message around byte {fields[0].start} has field {fields[0].number} twice"
        )
    return fields[0] if fields else None


def must_be(kind: int, field: Field) -> Field:
    """The field itself.

    Raises
    ------
    WeightsError
        If it is of another wire type.
    """
    if field.kind != kind:
        raise WeightsError(
            f"field {field.number} at byte {field.start} has wire type {field.kind}, not {kind}"
        )
    return field
