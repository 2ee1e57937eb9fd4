"""Jobs on small real files, and files that do something when the child asks for them."""

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from auditor.architecture.building import build
from auditor.memory import Passing
from auditor.records import Settings, SourceFile
from auditor.sources.folder import files_at, version_at
from auditor.wall.jobs import (
    Against,
    Desk,
    Job,
    Memory,
    Progress,
    Terms,
    any_weights,
    at_leisure,
    quiet,
)

QUICK = Settings(bootstrap=0, mp_fit=False, randomize=False)


def job(folder: Path, before: Path | None = None, **terms: Any) -> Job:
    """To measure what is in a folder, against what is in another one."""
    told = Terms(**{"settings": QUICK, "memory": 1 << 30, **terms})
    against = None if before is None else Against(version_at(before), files_at(before))
    return Job(files_at(folder), str(folder), told, against)


def is_there(pid: int) -> bool:
    """Whether a process runs, or waits to be reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def desk(memory: Memory | None = None, progress: Progress = quiet, **changed: Any) -> Desk:
    found = Desk(memory or Passing(), progress, any_weights, build, at_leisure)
    return replace(found, **changed)


def when_opened(asked: Job, act: Callable[[], object]) -> Job:
    """The same job; something happens when the child asks for its first file."""
    first, *rest = asked.files

    def opened() -> BinaryIO:
        act()
        return first.open()

    return replace(asked, files=(replace(first, open=opened), *rest))


class Distant(io.RawIOBase):
    """Bytes that lie elsewhere: no descriptor, and an account of what was read."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = io.BytesIO(data)
        self.counts: list[int] = []

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.data.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        self.counts.append(len(buffer))
        return self.data.readinto(buffer)


def distant(file: SourceFile, *, ranged: bool) -> tuple[SourceFile, Distant]:
    """The same file, as if it lay elsewhere."""
    with file.open() as handle:
        far = Distant(handle.read())
    made: Any = lambda: far  # noqa: E731 - a handle is handed out once
    return replace(file, open=made, ranges=made if ranged else None), far
