"""A stretch of a weight file, as the seekable file that libraries ask for."""

from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from typing import Any

from auditor.errors import WeightsError
from auditor.weights.formats import Blob

PIECE = 16 << 20  # bytes a library may ask for at once: an honest file's structure has kilobytes


class Stretch(RawIOBase):
    """The bytes of `file` from `start` to before `start` + `size`."""

    def __init__(self, file: Blob, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._at = 0

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
        buffer[:] = self.read(len(buffer))
        return len(buffer)
