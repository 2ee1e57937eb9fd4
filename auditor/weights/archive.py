"""Zip archives as PyTorch and NumPy write them: a directory, and the place of each member.

The standard library reads the directory; members are read by their place in the file. Nothing
is decompressed here, so that an archive can not be larger inside than outside.
"""

import bisect
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from typing import cast

from auditor.errors import WeightsError, translate
from auditor.weights.formats import Blob
from auditor.weights.views import Place

DIRECTORY_LIMIT = 16 << 20  # bytes; some 150,000 members
LOCAL = struct.Struct("<4s22xHH")  # signature, length of name, length of extra field
ENCRYPTED = 0x1
UTF8 = 0x800


@dataclass(frozen=True, slots=True)
class Member:
    """Where a member lies, and what its directory says it is when inflated."""

    place: Place
    size: int  # bytes, as they were before they were deflated
    deflated: bool
    crc: int


class Archive:
    """The members of one archive, by their name below its root folder."""

    def __init__(self, file: Blob, *, rooted: bool = True) -> None:
        """Read the directory.

        Parameters
        ----------
        file
            The archive.
        rooted
            Whether all members lie in one folder, whose name is left out of theirs.

        Raises
        ------
        WeightsError
            If it cannot be read, is too long, or names a member twice.
        """
        self._file = file
        with translate(
            zipfile.BadZipFile,
            ValueError,
            NotImplementedError,
            EOFError,
            LookupError,
            OverflowError,
            struct.error,
            to=WeightsError,
            doing="reading the directory of a zip archive that is cut off or damaged",
        ):
            # ZipFile asks for no more than read, seek and tell
            directory = zipfile.ZipFile(cast("zipfile._ZipReadable", _Window(file))).infolist()
        self._starts = sorted(info.header_offset for info in directory)
        names = [info.orig_filename for info in directory]
        if any(map(_leads_out, directory)):
            raise WeightsError("its zip archive has a link or a name that leads out of its folder")
        roots = {name.partition("/")[0] for name in names if rooted}
        inner = [name.partition("/")[2] if rooted else name for name in names]
        self._members = dict(zip(inner, directory, strict=True))
        if len(self._members) != len(directory) or len(roots) > 1:
            raise WeightsError("its zip archive has a member twice, or more than one root folder")

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def place(self, name: str) -> Place:
        """Where the bytes of a stored member lie.

        Raises
        ------
        WeightsError
            As `member`, or if it is compressed.
        """
        member = self.member(name)
        if member.deflated:
            raise WeightsError(
                f"member {name[:200]!r} is compressed or encrypted, which PyTorch's never are; "
                "save it again with torch.save"
            )
        return member.place

    def member(self, name: str) -> Member:
        """Where a member lies, stored or deflated, and how large it is inflated.

        Raises
        ------
        WeightsError
            If there is no such member, or it is encrypted, compressed in another way, not
            where the directory says, or overlaps another.
        """
        info = self._members.get(name)
        if info is None:
            raise WeightsError(f"its zip archive has no member {name[:200]!r}")
        deflated = info.compress_type == zipfile.ZIP_DEFLATED
        is_stored = info.compress_type == zipfile.ZIP_STORED
        if not (deflated or is_stored) or info.flag_bits & ENCRYPTED:
            raise WeightsError(
                f"member {name[:200]!r} is compressed or encrypted in a way that is not read here; "
                "save it again"
            )
        return Member(self._place(info, name), info.file_size, deflated, info.CRC)

    def _place(self, info: zipfile.ZipInfo, name: str) -> Place:
        signature, name_length, extra = LOCAL.unpack(
            self._file.read(info.header_offset, LOCAL.size)
        )
        start = info.header_offset + LOCAL.size + name_length + extra
        after = bisect.bisect_right(self._starts, info.header_offset)
        end = self._starts[after] if after < len(self._starts) else self._file.size
        is_stored = info.compress_type == zipfile.ZIP_STORED
        if signature != b"PK\x03\x04" or (is_stored and info.file_size != info.compress_size):
            raise WeightsError(f"member {name[:200]!r} is not where its directory says")
        if (
            start + info.compress_size > end
            or self._local_name(info, name_length) != info.orig_filename
        ):
            raise WeightsError(f"member {name[:200]!r} overlaps what follows, or has another name")
        return Place(start, info.compress_size)

    def _local_name(self, info: zipfile.ZipInfo, length: int) -> str:
        raw = self._file.read(info.header_offset + LOCAL.size, length)
        return raw.decode("utf-8" if info.flag_bits & UTF8 else "cp437", errors="replace")

    def read(self, name: str, limit: int) -> bytes:
        """A member's bytes.

        Raises
        ------
        WeightsError
            As `place`, or if it is longer than `limit`.
        """
        place = self.place(name)
        if place.size > limit:
            raise WeightsError(f"member {name[:200]!r} has {place.size} bytes, expected few")
        return self._file.read(place.start, place.size)

    def must_be_little_endian(self) -> None:
        """Refuse an archive whose numbers are stored the other way round.

        Raises
        ------
        WeightsError
            If its byte order is not little-endian.
        """
        if "byteorder" in self and self.read("byteorder", 16) != b"little":
            raise WeightsError("its numbers are not little-endian; save it again on such a machine")


def _leads_out(info: zipfile.ZipInfo) -> bool:
    """Whether unpacking a member could write elsewhere; no tool that saves weights writes such."""
    name = info.orig_filename.replace("\\", "/")
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    return is_link or name.startswith("/") or ".." in name.split("/")


class _Window(RawIOBase):
    """A blob as a file that hands out no more than a directory at a time."""

    def __init__(self, file: Blob) -> None:
        self._blob = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        base = {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._blob.size}[whence]
        if base + offset < 0:
            raise ValueError("seek to before the start")
        self._at = base + offset
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._blob.size - self._at)
        count = left if size < 0 else min(size, left)
        if count > DIRECTORY_LIMIT:
            raise ValueError(f"a directory of {count} bytes is too long")
        data = self._blob.read(self._at, count)
        self._at += count
        return data
