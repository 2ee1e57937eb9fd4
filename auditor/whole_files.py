"""Files that are there wholly or not at all, whatever happens while they are written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from glob import escape
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

LONGEST = 80  # characters of a name that its temporary one repeats; most systems allow 255 bytes


@contextmanager
def whole(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A file to write, which is put at `path` in one step when the block ends well.

    Nobody, and no power cut, ever sees less than all of it. Where the block fails, what was at
    `path` is still there. What a killed process left half-written of the same file is removed;
    what another one is still writing is not.

    Parameters
    ----------
    path
        Its folder exists.
    mode
        Who may read and write it, as far as the process's mask lets them.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    prefix = f".{path.name[:LONGEST]}."
    for left in path.parent.glob(f"{escape(prefix)}*.tmp"):
        _remove_abandoned(left)
    temporary = path.with_name(f"{prefix}{token_hex(4)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w+b") as file:
            with suppress(OSError):  # a file system without locks
                flock(file, LOCK_EX)  # whoever finds it sees that it is being written
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    _sync(path.parent)


def _remove_abandoned(left: Path) -> None:
    """Remove what nobody writes any more: the lock ended with its process."""
    with suppress(OSError), left.open("rb") as file:  # locked, or gone by now
        flock(file, LOCK_EX | LOCK_NB)
        left.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make the renaming itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
