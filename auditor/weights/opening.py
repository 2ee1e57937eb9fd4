"""The files of a version, opened: whole and checked, or only as far as they are read."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath
from typing import BinaryIO

from auditor.errors import SourceError, WeightsError, translate
from auditor.records import FileRecord, SourceFile
from auditor.weights.formats import Blob
from auditor.weights.names import leads_out

CHUNK = 8 << 20  # bytes hashed at a time


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is open, and the account of it."""

    record: FileRecord
    blob: Blob


@dataclass(slots=True)
class Opener:
    """Opens each file once; every handle stays open as long as `stack`."""

    files: Mapping[str, SourceFile]  # all files of the version, by name
    stack: ExitStack
    ranged: bool  # fetch only what is read, where the source can: bytes nobody can check
    unchecked: bool = False  # hash nothing: no value is going to be read
    _opened: dict[str, Opened] = field(default_factory=dict)

    def open(self, file: SourceFile) -> Opened:
        """The file, held against the size and digest its source states.

        Raises
        ------
        SourceError
            If it cannot be fetched, or has not that size or digest.
        """
        if file.name not in self._opened:
            self._opened[file.name] = self._open(file)
        return self._opened[file.name]

    def _open(self, file: SourceFile) -> Opened:
        with translate(OSError, to=SourceError, doing=f"reading {file.name!r}"):
            if self.ranged and file.ranges is not None:
                handle = self.stack.enter_context(file.ranges())
                record = FileRecord(file.name, file.size, file.sha256 or "", verified=False)
            else:
                handle, record = self._whole(file)
        return Opened(record, Blob(file.name, file.size, handle, self._beside))

    def _whole(self, file: SourceFile) -> tuple[BinaryIO, FileRecord]:
        """A copy that was kept and is damaged is forgotten, and had once more."""
        handle = self.stack.enter_context(file.open())
        if self.unchecked:
            return handle, FileRecord(file.name, file.size, file.sha256 or "", verified=False)
        try:
            digest = _verified(file, handle)
        except SourceError:
            if file.discard is None:
                raise
            file.discard()
            handle = self.stack.enter_context(file.open())
            digest = _verified(file, handle)
        return handle, FileRecord(file.name, file.size, digest, verified=True)

    def _beside(self, file: str, name: str) -> Blob:
        """What `file` calls `name`: a file of the same version, in its folder or below."""
        shown, path = name[:200], PurePosixPath(name)
        if leads_out(name):
            raise WeightsError(
                f"points to {shown!r}; expected a file beside it or in a folder below it"
            )
        found = self.files.get(str(PurePosixPath(file).parent / path))
        if found is None:
            raise WeightsError(f"points to {shown!r}, which is not there; fetch it too")
        return self.open(found).blob


def _verified(file: SourceFile, handle: BinaryIO) -> str:
    """SHA-256 of the whole file, which has the size and digest its source states."""
    total, size = sha256(), 0
    while chunk := handle.read(CHUNK):
        total.update(chunk)
        size += len(chunk)
    if size != file.size:
        raise SourceError(f"{file.name!r} has {size} bytes, its source states {file.size}")
    if file.sha256 is not None and total.hexdigest() != file.sha256.lower():
        raise SourceError(
            f"{file.name!r} has SHA-256 {total.hexdigest()}, its source states {file.sha256}; "
            "it was damaged on the way or changed"
        )
    return total.hexdigest()
