"""Room on the disks that this installation writes to."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from auditor.amounts import as_size
from auditor.config import Config
from auditor.file_cache import RESERVE
from auditor.ledger.engines import parse


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system under one of our places."""

    what: str  # data, reports or ledger
    path: Path
    free: int  # bytes

    @property
    def is_short(self) -> bool:
        """Whether less is free than fetching leaves free: whatever writes there may fail."""
        return self.free < RESERVE

    @property
    def sentence(self) -> str:
        """How much is free where, and what to do where that is too little."""
        found = f"{as_size(self.free)} free for {self.what} at {self.path}"
        if not self.is_short:
            return found
        return f"{found}, expected {as_size(RESERVE)}; delete files, or move {self.what} elsewhere"


def disks(config: Config) -> Iterator[Disk]:
    """The disks of fetched files, of reports, and of a ledger that is a file."""
    for what, path in _places(config):
        yield Disk(what, path, shutil.disk_usage(nearest(path)).free)


def nearest(path: Path) -> Path:
    """The path, or of the folders above it the nearest that is there."""
    return next(parent for parent in (path, *path.parents) if parent.exists())


def _places(config: Config) -> Iterator[tuple[str, Path]]:
    yield "data", config.data.absolute()
    yield "reports", config.reports.absolute()
    url = parse(config.ledger)
    if url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}:
        yield "ledger", Path(str(url.database)).absolute()
