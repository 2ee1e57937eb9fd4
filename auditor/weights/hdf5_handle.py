"""A stretch of a weight file, as the seekable file that libraries ask for."""

import re
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from typing import Any

from auditor.errors import WeightsError
from auditor.weights.formats import Blob

PIECE = 16 << 20  # bytes a library may ask for at once: an honest file's structure has kilobytes

TEXTS = 64 << 20  # bytes of all texts; the longest known, a configuration, has 0.7 MB
HEAP = b"GCOL"  # how a collection of texts starts, and nothing else that libraries ask for
HEAD = 16  # bytes before each of them, and before the first
ALIGNED = 8


class Stretch(RawIOBase):
    """The bytes of `file` from `start` to before `start` + `size`.

    What the HDF5 library asks for is looked at first: it would never come back from a damaged
    collection of texts.
    """

    def __init__(self, file: Blob, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._at = 0
        self._heaps: set[int] = set()  # collections of texts that were seen
        self._left = TEXTS

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte comes from, counted from the start of the stretch."""
        return self._at

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Go elsewhere, as in any file; `WeightsError` where that is before the start."""
        base = {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise WeightsError("its structure points to before its start; it is damaged")
        self._at = base + offset
        return self._at

    def read(self, count: int = -1, /) -> bytes:
        """The next bytes, fewer where the stretch ends."""
        left = max(0, self._size - self._at)
        data = self._file.read(self._start + self._at, left if count < 0 else min(count, left))
        self._at += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - anything that has bytes
        """Fill a library's buffer, which is a small one."""
        if len(buffer) > PIECE or len(buffer) > self._size - self._at:
            raise WeightsError(
                f"its structure has {len(buffer)} bytes at {self._at}, where {self._size} is the "
                "end; the file was cut off or damaged"
            )
        first, count = max(0, self._at - len(HEAP) + 1), len(buffer)
        end = min(self._size, self._at + count + len(HEAP) - 1)
        around = self._file.read(self._start + first, end - first)
        for found in re.finditer(HEAP, around):
            self._must_end(first + found.start())
        buffer[:] = around[self._at - first :][:count]
        self._at += count
        return count

    def _must_end(self, heap: int) -> None:
        """Refuse texts that HDF5 would look for without end: it adds up sizes, also 0 or 2**64."""
        if heap in self._heaps or heap + HEAD > self._size:
            return
        self._heaps.add(heap)
        size = int.from_bytes(self._file.read(self._start + heap + 8, 8), "little")
        self._left -= size
        if self._left < 0:
            raise WeightsError(f"its texts take more than {TEXTS} bytes; it is damaged")
        data = self._file.read(self._start + heap, min(size, self._size - heap))
        at = HEAD
        while at + HEAD <= len(data):
            index = int.from_bytes(data[at : at + 2], "little")
            size = int.from_bytes(data[at + 8 : at + HEAD], "little")
            step = HEAD + size if index else size  # what is free counts its head
            step = -(-step // ALIGNED) * ALIGNED
            if step < HEAD or at + step > len(data):
                raise WeightsError(
                    f"a text of {size} bytes does not fit the {len(data)} bytes it lies in; "
                    "the file is damaged"
                )
            at += step
