"""Pickles that lie in an archive beside its weights: sample inputs, constants, other archives.

They hold no weights, but loading the archive the usual way loads some of them too, without
PyTorch's guard. They are replayed for the names they ask for, and for nothing else.

References
----------
``torch/export/pt2_archive/_package.py`` of PyTorch 2.13 calls ``torch.load(...,
weights_only=False)`` for pickled weights and constants, and falls back to it for inputs.
"""

import zlib
from collections.abc import Callable, Iterator
from io import BytesIO

from auditor.errors import WeightsError
from auditor.records import PickleGlobal
from auditor.weights.archive import Archive, Member
from auditor.weights.danger import is_dangerous
from auditor.weights.formats import Blob
from auditor.weights.pickles import SIZE_LIMIT, Global, unpickle

DEPTH = 4  # archives in archives; a checkpoint in an export in a package has three
MEMBERS = 100_000
PICKLED = (".pkl", ".pickle", ".pt", ".pth")
STARTS = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
ZIP = b"PK\x03\x04"
HEAD = 64


def recorded(file: str, name: Global) -> PickleGlobal:
    """What a pickle in a file asked to import, as a record."""
    return PickleGlobal(file, name.path[:500], is_dangerous(name.module, name.name))


def named_inside(
    file: Blob, archive: Archive, is_raw: Callable[[str], bool]
) -> tuple[PickleGlobal, ...]:
    """What every pickle in an archive asks to import.

    Parameters
    ----------
    file, archive
        The file and its directory.
    is_raw
        Whether a member holds plain numbers, which nobody loads as anything else.

    Raises
    ------
    WeightsError
        If there is more to replay than any model has.
    """
    names: dict[Global, None] = {}
    _Replay().into(names, file, archive, is_raw)
    return tuple(recorded(file.name, name) for name in names)


class _Replay:
    """A walk through archives in archives that may be endless, with what is left of its budget."""

    def __init__(self) -> None:
        self._bytes = SIZE_LIMIT
        self._members = MEMBERS

    def into(
        self,
        names: dict[Global, None],
        file: Blob,
        archive: Archive,
        is_raw: Callable[[str], bool],
        depth: int = 0,
    ) -> None:
        """Add what the pickles of an archive and of those inside it name."""
        self._members -= len(list(archive))
        if depth > DEPTH or self._members < 0:
            raise WeightsError("holds archives in archives, more than any model; save it again")
        for name, data in self._loadable(file, archive, is_raw):
            if data.head().startswith(ZIP):
                if (inner := _archive(data)) is not None:
                    self.into(names, data, inner, _nothing, depth + 1)
            elif name.endswith(PICKLED) or data.head().startswith(STARTS):
                self._spend(data.size)
                replayed = unpickle(BytesIO(data.read(0, data.size)))
                names.update(dict.fromkeys(replayed.globals))

    def _loadable(
        self, file: Blob, archive: Archive, is_raw: Callable[[str], bool]
    ) -> Iterator[tuple[str, Blob]]:
        """Members somebody might load; one that is not where its directory says nobody can."""
        for name in archive:
            try:
                member = None if is_raw(name) else archive.member(name)
            except WeightsError:
                continue
            if member is not None and member.size:
                yield name, self._opened(file, name, member)

    def _opened(self, file: Blob, name: str, member: Member) -> Blob:
        stored = file.part(member.place.start, member.place.size)
        if not member.deflated:
            return stored
        head = _inflated(stored.read(0, min(HEAD, stored.size)), HEAD)
        if not (name.endswith(PICKLED) or head.startswith((ZIP, *STARTS))):
            return _in_memory(file.name, b"")
        self._spend(max(stored.size, member.size))
        return _in_memory(file.name, _inflated(stored.read(0, stored.size), member.size))

    def _spend(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise WeightsError(f"holds more than {SIZE_LIMIT} bytes of pickles beside its weights")


def _archive(data: Blob) -> Archive | None:
    """The directory of an archive; None where it has none, so that nobody can load it."""
    try:
        return Archive(data, rooted=False)
    except WeightsError:
        return None


def _inflated(data: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, limit)
    except zlib.error:
        return b""


def _in_memory(name: str, data: bytes) -> Blob:
    return Blob(name, len(data), BytesIO(data), _alone)


def _alone(_file: str, name: str) -> Blob:
    raise WeightsError(f"points out of its archive to {name[:200]!r}")


def _nothing(_name: str) -> bool:
    return False
