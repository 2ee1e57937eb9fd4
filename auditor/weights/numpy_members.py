"""An array wherever it lies: in a file of its own, or in a zip archive, stored or deflated."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from auditor.errors import WeightsError
from auditor.weights.archive import Member
from auditor.weights.formats import Blob
from auditor.weights.numpy_header import HEAD_LIMIT, Header, parse
from auditor.weights.tensors import NATIVE, Bytes, size_of

PIECE = 1 << 20  # bytes inflated at a time
RATIO = 100  # weights deflate to some 90 %, pruned ones to a few; only zeros to less than 1
ROOM = 64 << 20  # bytes an archive may inflate to however small it is


@dataclass(frozen=True, slots=True)
class Array:
    """An array of an archive or file; nothing but its header is read yet."""

    name: str
    header: Header
    member: Member
    file: Blob

    def raw(self, limit: int | None = None) -> Bytes:
        """What stands behind the header, at most `limit` bytes of it.

        Raises
        ------
        WeightsError
            If it cannot be inflated, or is not what its check sum says.
        """
        begin, member = self.header.length, self.member
        size = member.size - begin if limit is None else min(limit, member.size - begin)
        if not member.deflated:
            return self.file.read(member.place.start + begin, size)
        data = inflated(self.file, member, begin + size)
        if begin + size == member.size and zlib.crc32(data) != member.crc:
            raise WeightsError(f"member {self.name[:200]!r} is damaged: its check sum differs")
        return memoryview(data)[begin:]

    def values(self) -> Bytes:
        """The values, little-endian and in C order."""
        head, data = self.header, self.raw()
        if not head.swapped and (not head.fortran or len(head.shape) < 2):
            return data
        code = NATIVE[head.dtype]
        found = np.frombuffer(data, code.replace("<", ">") if head.swapped else code)
        laid = found.reshape(head.shape[::-1]).T if head.fortran else found
        return laid.astype(code, copy=False).tobytes()


def array(file: Blob, member: Member, name: str) -> Array:
    """The array of a member; one that is read fills it to its end.

    Raises
    ------
    WeightsError
        If it has no header of an array, or is not as long as that says.
    """
    count = min(HEAD_LIMIT, member.size)
    if member.deflated:
        head = bytes(inflated(file, member, count))
    else:
        head = file.read(member.place.start, count)
    header = parse(head)
    if not header.reason:
        size = header.length + size_of(header.dtype, header.shape)
        if size != member.size:
            raise WeightsError(
                f"array {name[:200]!r} of shape {header.shape} and type {header.dtype} takes "
                f"{size} bytes with its header, found {member.size}; it is cut off or something "
                "was appended, save each array by itself"
            )
    return Array(name, header, member, file)


def inflated(file: Blob, member: Member, count: int) -> bytearray:
    """The first `count` bytes of a deflated member; no more is ever inflated.

    Raises
    ------
    WeightsError
        If it is damaged, or ends before.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)  # as zip has it: without a head of its own
    at, end = member.place.start, member.place.start + member.place.size
    result = bytearray()
    while len(result) < count:
        data = stream.unconsumed_tail
        if not data:
            data = file.read(at, min(PIECE, end - at))
            at += len(data)
        try:
            piece = stream.decompress(data, min(PIECE, count - len(result)))
        except zlib.error as error:
            raise WeightsError(f"a compressed member is damaged: {error}") from error
        if not piece and not data:
            raise WeightsError("a compressed member ends before its stated size; it is damaged")
        result += piece
    return result


def must_be_no_bomb(members: Iterable[Member], size: int) -> None:
    """Refuse an archive that is far larger inside than outside.

    Raises
    ------
    WeightsError
        If its members come to more than `RATIO` times its `size` in bytes, and `ROOM`.
    """
    total = sum(member.size for member in members)
    if total > max(ROOM, RATIO * size):
        raise WeightsError(
            f"states {total} bytes inside an archive of {size}, more than {RATIO} times as many; "
            "no weights are compressed so well: save them uncompressed, with numpy.savez"
        )
