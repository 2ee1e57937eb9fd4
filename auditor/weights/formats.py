"""What a format is: how its files are recognised, and how one of them is read."""

import threading
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import BinaryIO

from auditor.errors import WeightsError, translate
from auditor.records import PickleGlobal, Skip
from auditor.weights.tensors import Tensor

HEAD = 512  # bytes a format sees to recognise a file


class Blob:
    """An open weight file, read by offset from any thread."""

    def __init__(
        self, name: str, size: int, handle: BinaryIO, beside: Callable[[str, str], "Blob"]
    ) -> None:
        self.name = name
        self.size = size
        self._handle = handle
        self._beside = beside
        self._start = 0  # of this stretch, in the handle
        self._lock = threading.Lock()  # one position for all threads that share the handle

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from `offset`.

        Raises
        ------
        WeightsError
            If the file ends before.
        """
        if offset < 0 or count < 0 or offset + count > self.size:
            raise WeightsError(
                f"bytes {offset} to {offset + count} lie outside the file's {self.size} bytes"
            )
        doing = f"reading {count} bytes at {offset} of {self.name!r}"
        with self._lock, translate(OSError, ValueError, to=WeightsError, doing=doing):
            self._handle.seek(self._start + offset)
            data = self._handle.read(count)
        if len(data) != count:
            raise WeightsError(f"{self.name!r} ends at byte {offset + len(data)}, it was cut off")
        return data

    def part(self, start: int, count: int) -> "Blob":
        """A stretch of the file as a file of its own, as an archive holds them.

        Raises
        ------
        WeightsError
            If it reaches outside.
        """
        if start < 0 or count < 0 or start + count > self.size:
            raise WeightsError(f"a part of {count} bytes at {start} lies outside {self.name!r}")
        found = copy(self)
        found.size, found._start = count, self._start + start
        return found

    def beside(self, name: str) -> "Blob":
        """Another file of the version that this one points to, relative to its own folder.

        Raises
        ------
        WeightsError
            If the name leads out of the folder, or to nothing; nothing outside is touched.
        SourceError
            If the file is there and cannot be fetched.
        """
        return self._beside(self.name, name)

    def head(self) -> bytes:
        """The first bytes, fewer than `HEAD` in a shorter file."""
        return self.read(0, min(HEAD, self.size))


@dataclass(frozen=True, slots=True)
class Contents:
    """What a reader found in one file."""

    tensors: tuple[Tensor, ...] = ()
    skipped: tuple[Skip, ...] = ()
    globals: tuple[PickleGlobal, ...] = ()
    failure: str = ""  # why its tensors cannot be read; empty where they can
    beside: tuple[str, ...] = ()  # names of other files that hold values of its tensors

    @property
    def holds_its_own(self) -> bool:
        """Whether it is a weight file by itself, so that no other can hide it."""
        return bool(self.tensors or self.skipped or self.globals)


@dataclass(frozen=True, slots=True)
class Format:
    """A row of the table of readers.

    `read` raises `WeightsError` for a file it cannot parse, or returns `Contents` with a
    `failure` where it has pickle globals to report all the same.
    """

    name: str
    matches: Callable[[Blob, bytes], bool]  # by file name and first bytes
    read: Callable[[Blob], Contents]
