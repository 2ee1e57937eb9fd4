"""A file that lies elsewhere, read through windows: what is not looked at is not fetched.

Reading forward the windows grow to `LARGEST` and the next one is fetched while the last one
is worked on; anywhere else they are as small as what is asked for, at least `SMALLEST`.
"""

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from auditor.errors import SourceError

SMALLEST = 16 << 10  # bytes: most shards' headers; 60 of them are read with 1 MB of traffic
LARGEST = 16 << 20  # bytes: fewer, and the time to the first byte rules at 50 ms a request
STREAMING = 1 << 20  # bytes of a window from which on somebody reads on, and not a header
KEPT = 4  # windows: a header at the start and a directory at the end must not evict each other

Fetch = Callable[[int, int], bytes]  # offset, count -> exactly so many bytes


@dataclass(frozen=True, slots=True)
class Window:
    """Bytes of a file, and where they lie in it."""

    start: int
    data: bytes

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.start + len(self.data)


@dataclass(slots=True)
class Shelf:
    """The last large windows of all files of a version: bounded, however many files it has."""

    capacity: int = KEPT
    _windows: OrderedDict[tuple[int, int], Window] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, owner: int, window: Window) -> None:
        """Keep a window; the one not looked at for longest goes."""
        with self._lock:
            self._windows[owner, window.start] = window
            while len(self._windows) > self.capacity:
                self._windows.popitem(last=False)

    def find(self, owner: int, offset: int) -> Window | None:
        """A window of `owner` that holds the byte at `offset`."""
        with self._lock:
            for key, window in self._windows.items():
                if key[0] == owner and window.start <= offset < window.end:
                    self._windows.move_to_end(key)
                    return window
        return None

    def clear(self, owner: int) -> None:
        """Forget the windows of `owner`."""
        with self._lock:
            for key in [key for key in self._windows if key[0] == owner]:
                del self._windows[key]


class Windows(io.RawIOBase):
    """A seekable, read-only handle over ``fetch(offset, count)``.

    Parameters
    ----------
    fetch
        Called from one thread besides the reader's, too.
    size
        Bytes of the file; nothing is fetched beyond.
    shelf
        Where large windows are kept, shared by the files of a version.
    name
        Of the file, in messages.

    Notes
    -----
    As every file object it has one position: threads that share it take turns. Reading
    raises `SourceError` where `fetch` does, or where an answer has another length.
    """

    def __init__(
        self, fetch: Fetch, size: int, shelf: Shelf | None = None, name: str = "file"
    ) -> None:
        super().__init__()
        self._fetch, self._size, self._name = fetch, size, name
        self._large = shelf or Shelf()
        self._small = Shelf()
        self._position = self._edge = self._fetched = 0
        self._width = SMALLEST // 2
        self._ahead: _Ahead | None = None
        self._counting = threading.Lock()

    @property
    def counted(self) -> int:
        """Bytes fetched so far."""
        return self._fetched

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Offset of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; nothing is fetched."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to byte {base + offset}: a file starts at 0")
        self._position = base + offset
        return self._position

    def read(self, count: int | None = -1, /) -> bytes:
        """So many bytes, fewer only at the end of the file; all that is left for -1."""
        self._must_be_open()
        left = max(0, self._size - self._position)
        wanted = left if count is None or count < 0 else min(count, left)
        found = io.BytesIO()  # which gives out what was written to it without another copy
        while found.tell() < wanted:
            need = wanted - found.tell()
            window = self._window(self._position, need)
            first = self._position - window.start
            self._position += found.write(memoryview(window.data)[first : first + need])
        return found.getvalue()

    def readinto(self, buffer: object, /) -> int:
        """Fill a buffer, as far as the file goes."""
        into = memoryview(cast("bytearray", buffer)).cast("B")
        data = self.read(len(into))
        into[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Forget all windows, and wait for the one that is on its way."""
        if not self.closed:
            if self._ahead is not None:
                self._ahead.thread.join()
            self._large.clear(id(self))
            self._small.clear(id(self))
        super().close()

    def _must_be_open(self) -> None:
        if self.closed:
            raise ValueError(f"{self._name} is closed")

    def _window(self, offset: int, need: int) -> Window:
        """The window that holds `offset`: a kept one, the one ahead, or a new one."""
        found = self._kept(offset) or self._arrived(offset)
        if found is None:
            forward = offset == self._edge
            self._width = min(2 * self._width, LARGEST) if forward else SMALLEST
            self._width = max(self._width, min(need, LARGEST))
            found = self._new(offset, self._width)
            self._edge = found.start
        if found.start == self._edge:
            self._edge = found.end
        self._look_ahead(found)
        return found

    def _kept(self, offset: int) -> Window | None:
        owner = id(self)
        return self._small.find(owner, offset) or self._large.find(owner, offset)

    def _arrived(self, offset: int) -> Window | None:
        """The window ahead, waited for, if it holds `offset` and could be fetched."""
        ahead = self._ahead
        if ahead is None or not ahead.start <= offset < ahead.end:
            return None
        ahead.thread.join()
        self._ahead = None
        return self._kept(offset)

    def _look_ahead(self, last: Window) -> None:
        """Fetch what comes after the newest window, while somebody reads on in it."""
        streaming = self._width >= STREAMING and last.end == self._edge < self._size
        if streaming and (self._ahead is None or self._ahead.start != self._edge):
            if self._ahead is not None:
                self._ahead.thread.join()  # one at a time
            self._ahead = _Ahead(self._edge, min(self._edge + LARGEST, self._size), self._new)

    def _new(self, start: int, width: int) -> Window:
        count = min(width, self._size - start)
        data = self._fetch(start, count)
        if len(data) != count:
            raise SourceError(
                f"{self._name}: {len(data)} bytes came where {count} were asked for; "
                "the transfer was cut"
            )
        with self._counting:
            self._fetched += count
        window = Window(start, data)
        shelf = self._small if count < STREAMING else self._large
        shelf.put(id(self), window)
        return window


class _Ahead:
    """A window on its way to a shelf; one that fails is asked for again by who needs it."""

    def __init__(self, start: int, end: int, fetch: Callable[[int, int], object]) -> None:
        self.start, self.end = start, end
        self._fetch = fetch
        self.thread = threading.Thread(target=self._run, name="window-ahead", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with suppress(SourceError, OSError):
            self._fetch(self.start, self.end - self.start)


def windowed(fetch: Fetch, size: int, shelf: Shelf, name: str) -> BinaryIO:
    """`Windows`, as the type that `open` gives."""
    return cast("BinaryIO", Windows(fetch, size, shelf, name))
