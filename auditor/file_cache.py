"""Files that were fetched from elsewhere, kept on this machine: whole and checked, or not there."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from auditor.errors import SourceError

STAGING = ".staging-"
STALE = 24 * 3600  # seconds after which a staging folder belongs to nobody
RESERVE = 256 << 20  # bytes of the disk that are left free: a full one stops everybody


@dataclass(frozen=True, slots=True)
class FileCache:
    """Kept files, found by a key that says which bytes they are."""

    folder: Path

    def find(self, key: str) -> Path | None:
        """The kept file; finding it counts as use. None where it has to be fetched."""
        kept = self._place(key)
        if not kept.is_file():
            return None
        os.utime(kept)  # when it was last wanted, for `trim`
        return kept

    def add(self, key: str, size: int, fetch: Callable[[Path], Path]) -> Path:
        """Keep what `fetch` puts, whole and checked, into the folder it is given.

        Raises
        ------
        SourceError
            If the disk has no room for `size` bytes; and what `fetch` raises. Nothing is
            kept then.
        """
        kept = self._place(key)
        kept.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if size + RESERVE > free:
            raise SourceError(
                f"a file of {size:,} bytes does not fit on the disk of {self.folder}, which has "
                f"{free:,} bytes left; make room there, or set data: to a folder on another disk"
            )
        staging = Path(mkdtemp(prefix=STAGING, dir=self.folder))
        try:
            fetch(staging).replace(kept)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return kept

    def _place(self, key: str) -> Path:
        digest = sha256(key.encode("utf-8", "replace")).hexdigest()
        return self.folder / digest[:2] / digest


def trim(folder: Path, quota: int) -> int:
    """Remove kept files, the one not wanted for longest first, until `quota` bytes are left.

    What a killed process left half fetched is removed too, a day later. A file in use stays
    readable to whoever has it open.

    Returns
    -------
    int
        Bytes that were removed.
    """
    for staging in folder.glob(f"{STAGING}*"):
        if time.time() - staging.stat().st_mtime > STALE:
            shutil.rmtree(staging, ignore_errors=True)
    kept = [(path, path.stat()) for path in folder.glob("??/*")]
    kept.sort(key=lambda entry: entry[1].st_mtime_ns, reverse=True)
    total = removed = 0
    for path, stat in kept:
        total += stat.st_size
        if total > quota:
            path.unlink(missing_ok=True)
            removed += stat.st_size
    return removed
