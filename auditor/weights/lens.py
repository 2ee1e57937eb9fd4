"""Small steps through a file whose tables are spread over it, without a read for each step."""

from auditor.errors import WeightsError
from auditor.weights.formats import Blob

SPAN = 8 << 10  # bytes read at once; what is skipped between tables is not read at all
TEXT_LIMIT = 64 << 10  # bytes of one name; graph compilers make names of some hundred
TEXTS_LIMIT = 64 << 20  # bytes of all names; the largest graphs known, of 100,000 nodes, have 20


class Lens:
    """A file seen through a few thousand bytes at a time; for one thread."""

    def __init__(self, file: Blob) -> None:
        self.file = file
        self._start = 0
        self._data = b""
        self._texts = TEXTS_LIMIT

    def byte(self, offset: int) -> int:
        """The byte at `offset`; outside the file it is a `WeightsError`."""
        place = offset - self._start
        if not 0 <= place < len(self._data):
            self._data = self.file.read(offset, max(1, min(SPAN, self.file.size - offset)))
            self._start, place = offset, 0
        return self._data[place]

    def bytes(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset`; outside the file they are a `WeightsError`."""
        place = offset - self._start
        if place < 0 or place + count > len(self._data):
            self._data = self.file.read(offset, max(count, min(SPAN, self.file.size - offset)))
            self._start, place = offset, 0
        return self._data[place : place + count]

    def text(self, offset: int, count: int) -> str:
        """A name; bytes that are no UTF-8 are shown by their numbers.

        Raises
        ------
        WeightsError
            If it is longer than any name, or all together are.
        """
        self._texts -= count
        if count > TEXT_LIMIT or self._texts < 0:
            raise WeightsError(
                f"has a name of {count} bytes or names of more than {TEXTS_LIMIT} bytes together"
            )
        return self.bytes(offset, count).decode("utf-8", "backslashreplace")
