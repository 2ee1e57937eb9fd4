"""Files that were fetched from elsewhere, kept on this machine: whole and checked, or not there.

Programs and threads that share a folder agree by locks of the system, which end with whoever
holds them: a file that is open is locked, and is not removed to make room; so is the folder a
file arrives in, which is told from one that a killed process left. Where a folder's file system
has no locks (some network ones), files in use may be removed, which their readers do not
notice, and what a killed process left is removed a day later.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

from auditor.errors import SourceError

STAGING = ".staging-"
STALE = 24 * 3600  # seconds after which a staging folder that cannot be locked is nobody's
RESERVE = 256 << 20  # bytes of the disk that are left free: a full one stops everybody


@dataclass(frozen=True, slots=True)
class FileCache:
    """Kept files, found by a key that says which bytes they are."""

    folder: Path

    def find(self, key: str) -> Path | None:
        """The kept file; finding it counts as use. None where it has to be fetched."""
        kept = self._place(key)
        try:
            os.utime(kept)  # when it was last wanted, for `trim`
        except OSError:
            return None
        return kept

    def open(self, key: str, size: int, fetch: Callable[[Path], Path]) -> BinaryIO:
        """A handle on the kept file; unless it is there, what `fetch` puts into a folder is kept.

        It stays where it is as long as the handle, or one made of its descriptor, is open.
        Room for a new one is made by removing kept files that nobody has open, the one not
        wanted for longest first.

        Parameters
        ----------
        key
            Says which bytes they are.
        size
            Bytes there will be.
        fetch
            Puts the file, whole and checked, into the folder it is given.

        Raises
        ------
        SourceError
            If the disk has no room for it beside those that are just arriving; and what
            `fetch` raises. Nothing is kept then.
        """
        kept = self.find(key)
        handle = _held(kept) if kept else None
        return self._added(key, size, fetch) if handle is None else handle

    def discard(self, key: str) -> None:
        """Forget the kept file: it turned out to be damaged."""
        self._place(key).unlink(missing_ok=True)

    def _added(self, key: str, size: int, fetch: Callable[[Path], Path]) -> BinaryIO:
        kept = self._place(key)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            with _alone(self.folder):
                self._make_room(size)
                staging = stack.enter_context(_staging(self.folder, size))
            fetched = fetch(staging)
            handle = fetched.open("rb")
            _locked(handle.fileno(), fcntl.LOCK_SH)
            fetched.replace(kept)
            return handle

    def _make_room(self, size: int) -> None:
        short = size + _arriving(self.folder) - free(self.folder)
        if short > 0 and _remove(self.folder, short) < short:
            left = max(0, free(self.folder) - _arriving(self.folder))
            raise SourceError(
                f"a file of {size:,} bytes does not fit on the disk of {self.folder}, which has "
                f"{left:,} bytes left; make room there, or set data: to a folder on another disk"
            )

    def _place(self, key: str) -> Path:
        digest = sha256(key.encode("utf-8", "replace")).hexdigest()
        return self.folder / digest[:2] / digest


def trim(folder: Path, quota: int) -> int:
    """Remove kept files, the one not wanted for longest first, until `quota` bytes are left.

    What somebody has open stays, and counts. What killed processes left half fetched is
    removed too.

    Returns
    -------
    int
        Bytes that were removed.
    """
    clear(folder)
    return _remove(folder, size_of(folder) - quota)


def free(folder: Path) -> int:
    """Bytes that may be taken on the disk of a folder, which is there already or not."""
    folder = folder.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return max(0, shutil.disk_usage(there).free - RESERVE)


def size_of(folder: Path) -> int:
    """Bytes of all kept files."""
    return sum(stat.st_size for _, stat in _kept(folder))


def clear(folder: Path) -> None:
    """Remove what processes that are no longer there left half fetched."""
    if folder.is_dir():
        with _alone(folder):  # one that was just made is locked a moment later
            _clear(folder)


def _clear(folder: Path) -> None:
    for staging in folder.glob(f"{STAGING}*"):
        if _is_abandoned(staging):
            shutil.rmtree(staging, ignore_errors=True)


def _kept(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.glob("??/*"):
        with suppress(FileNotFoundError):  # another process removed it
            yield path, path.stat()


def _remove(folder: Path, least: int) -> int:
    """Remove at least so many bytes of files that nobody has open, if there are so many."""
    removed = 0
    for path, stat in sorted(_kept(folder), key=lambda entry: entry[1].st_mtime_ns):
        if removed >= least:
            break
        with suppress(OSError), path.open("rb") as handle:
            if _locked(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB) is not False:
                path.unlink(missing_ok=True)
                removed += stat.st_size
    return removed


def _held(kept: Path) -> BinaryIO | None:
    """A handle that keeps the file where it is; None if it was removed just before."""
    try:
        handle = kept.open("rb")
    except FileNotFoundError:
        return None
    _locked(handle.fileno(), fcntl.LOCK_SH)
    if os.fstat(handle.fileno()).st_nlink:
        return handle
    handle.close()
    return None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only one, of all threads and processes, that looks for room in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _locked(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _staging(folder: Path, size: int) -> Iterator[Path]:
    """A folder for a file of so many bytes to arrive in; locked, as a sign of life."""
    staging = Path(mkdtemp(prefix=f"{STAGING}{size}-", dir=folder))
    descriptor = os.open(staging, os.O_RDONLY)
    try:
        _locked(descriptor, fcntl.LOCK_EX)
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(descriptor)


def _arriving(folder: Path) -> int:
    """Bytes that are promised to files just arriving, and not written yet."""
    _clear(folder)
    return sum(_missing(staging) for staging in folder.glob(f"{STAGING}*"))


def _missing(staging: Path) -> int:
    size = staging.name.removeprefix(STAGING).partition("-")[0]
    there = 0
    with suppress(FileNotFoundError):  # it has just arrived
        for path in staging.rglob("*"):
            there += path.stat().st_size if path.is_file() else 0
    return max(0, int(size) - there) if size.isdecimal() else 0


def _is_abandoned(staging: Path) -> bool:
    try:
        descriptor = os.open(staging, os.O_RDONLY)
    except OSError:  # it has gone
        return False
    try:
        held = _locked(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        old = time.time() - os.fstat(descriptor).st_mtime > STALE
    finally:
        os.close(descriptor)
    return old if held is None else held


def _locked(descriptor: int, how: int) -> bool | None:
    """Whether the lock was had; None where the file system has none."""
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
