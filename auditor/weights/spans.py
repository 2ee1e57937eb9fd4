"""A part of a file asked of a server by HTTP range, and whether the answer is that part."""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO

from auditor.errors import SourceError

CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
PATIENCE = 60.0  # seconds any transfer may take
SLOWEST = 64 << 10  # bytes a second: a server that drips slower would hold an audit for days


@dataclass(frozen=True, slots=True)
class Span:
    """`count` bytes from `offset` of the file `name`, which has `size` bytes."""

    name: str
    offset: int
    count: int
    size: int

    @property
    def headers(self) -> Mapping[str, str]:
        """What asks for it; compressed bytes would have other offsets."""
        last = self.offset + self.count - 1
        return {"Range": f"bytes={self.offset}-{last}", "Accept-Encoding": "identity"}

    def check(self, status: int, headers: Mapping[str, str]) -> None:
        """Hold an answer's status and headers against what was asked, before its body is read.

        Raises
        ------
        SourceError
            If it is another part, the whole file, or encoded.
        """
        name = self.name[:200]
        if status == 200:
            raise SourceError(
                f"{name!r}: the server ignores ranges and sends the whole file; "
                "have it fetched whole, on a disk with room for it"
            )
        found = CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        expected = (self.offset, self.offset + self.count - 1, self.size)
        if status != 206 or found is None or tuple(map(int, found.groups())) != expected:
            said = headers.get("content-range", "no Content-Range")[:100]
            raise SourceError(
                f"{name!r}: the server answered {status} with {said!r} where bytes {expected[0]} "
                f"to {expected[1]} of {self.size} were asked for"
            )
        if headers.get("content-encoding", "identity") != "identity":
            raise SourceError(f"{name!r}: the server compressed a part of it, unasked")

    def gather(self, chunks: Iterable[bytes]) -> bytes:
        """The body, which has to be exactly the part that was asked for.

        Raises
        ------
        SourceError
            If it is shorter or longer, or comes slower than `SLOWEST`.
        """
        found, until = BytesIO(), deadline(self.count)
        for chunk in chunks:
            if found.tell() + len(chunk) > self.count:
                raise SourceError(f"{self.name[:200]!r}: more bytes came than were asked for")
            found.write(chunk)
            until.check(self.name)
        if found.tell() != self.count:
            raise SourceError(
                f"{self.name[:200]!r}: {found.tell()} bytes came where {self.count} were asked "
                "for; the transfer was cut"
            )
        return found.getvalue()


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a transfer has to be through."""

    at: float  # on the monotonic clock, in seconds

    def check(self, name: str) -> None:
        """Raise `SourceError` if it is past."""
        if time.monotonic() > self.at:
            raise SourceError(
                f"{name[:200]!r} came slower than {SLOWEST >> 10} KiB a second; try again later"
            )


def deadline(count: int) -> Deadline:
    """When `count` bytes have to be here, from now on."""
    return Deadline(time.monotonic() + PATIENCE + count / SLOWEST)
