"""Whether files that lie elsewhere are fetched whole, or only in parts, and room for them."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from auditor.amounts import as_size
from auditor.errors import SourceError
from auditor.file_cache import free, size_of, trim
from auditor.records import SourceFile
from auditor.wall.jobs import Desk, Examined, Execute, Job, Terms
from auditor.wall.room import Room
from auditor.weights.choosing import wanted

TRIMMED = 0.9  # of the limit, so that not every fetch has to look through what is kept


@dataclass(frozen=True, slots=True)
class Space:
    """Where fetched files are kept, and how many bytes of them."""

    folder: Path  # there already or not
    limit: int

    @property
    def room(self) -> int:
        """Bytes there is room for: within the limit, and on the disk.

        What is kept of other versions makes way, also what is read just now: it is waited for.
        """
        return min(self.limit, free(self.folder) + size_of(self.folder))

    def has(self, size: int) -> bool:
        """Whether there is room for so many bytes."""
        return size <= min(self.limit, free(self.folder)) or size <= self.room


@dataclass(slots=True)
class Store:
    """Room on the disk for the files of jobs side by side: what they read stays in the limit."""

    space: Space
    stop: threading.Event
    _room: Room = field(init=False)
    _promised: int = field(init=False, default=0)  # bytes to be fetched for jobs at work
    _kept: int | None = field(init=False, default=None)  # at most; None: not looked at yet
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """All of it is free."""
        self._room = Room(self.space.limit)

    def within(self, execute: Execute) -> Execute:
        """Do jobs once there is room for their files, first come, first served."""

        def executed(job: Job, desk: Desk) -> Examined:
            with self._held(job):
                return execute(job, desk)

        return executed

    @contextmanager
    def _held(self, job: Job) -> Iterator[None]:
        """Keep room for the files of a job inside the block, and have it free on the disk."""
        files = list(_kept_copies(job))
        if not files:
            yield
            return
        absent = total(file for file in files if file.is_elsewhere)
        with self._room.taken(total(files), self.stop):
            self._promise(absent)
            try:
                yield
            finally:
                self._promise(-absent)

    def _promise(self, absent: int) -> None:
        """Count what is going to be fetched; look through the folder when it may be too much."""
        with self._lock:
            self._promised += absent
            if absent <= 0:
                return
            if self._kept is not None:
                self._kept += absent
            if self._kept is None or self._kept > self.space.limit:
                trim(self.space.folder, int(TRIMMED * self.space.limit) - self._promised)
                self._kept = size_of(self.space.folder) + self._promised


def _kept_copies(job: Job) -> Iterator[SourceFile]:
    """Files of a job of which a copy is kept here, now or once they are fetched."""
    sides = [(job.files, job.ranged)]
    if job.against is not None:
        sides.append((job.against.files, job.against.ranged))
    for files, in_parts in sides:
        for file in wanted(files).used:
            if file.discard is not None and not (in_parts and file.ranges is not None):
                yield file


def ranged(files: Sequence[SourceFile], terms: Terms, space: Space) -> bool:
    """Whether to fetch only the parts of a version's files that are read.

    Whole files are preferred, for only those can be held against their digests: they are
    fetched where they fit, unless only some of the tensors are wanted.

    Parameters
    ----------
    files
        Every file of the version.
    terms
        Whether all of the tensors are wanted.
    space
        Where they would be kept; it has to have the space, too.

    Raises
    ------
    SourceError
        If they do not fit, and their place hands out whole files only.
    """
    absent = missing(files)
    staged = total(file for file in absent if file.staged)
    if not space.has(staged):
        raise SourceError(
            f"{as_size(staged)} are to be fetched, from a place that hands out no parts of files, "
            f"and {as_size(space.room)} are the less of limits.disk and of what is free; make "
            "room, or raise limits.disk"
        )
    return len(absent) > 0 and (is_partial(terms) or not space.has(total(absent)))


def is_partial(terms: Terms) -> bool:
    """Whether only some of the tensors are wanted."""
    return bool(terms.settings.layers) or terms.time_budget is not None


def missing(files: Iterable[SourceFile]) -> list[SourceFile]:
    """Weight files that are needed and not on this machine."""
    return [file for file in wanted(files).used if file.is_elsewhere]


def total(files: Iterable[SourceFile]) -> int:
    """Bytes of all of them."""
    return sum(file.size for file in files)


def mode(absent: Sequence[SourceFile], *, in_parts: bool) -> str:
    """How the files that are not here are had: ``local``, ``ranges`` or ``whole``."""
    if not absent:
        return "local"
    return "ranges" if in_parts else "whole"


def why(absent: Sequence[SourceFile], space: Space, *, some: bool) -> str:
    """Why files are fetched as they are."""
    if not absent:
        return "they are on this machine"
    size, room = as_size(total(absent)), as_size(space.room)
    if some:
        return "only some of the tensors are wanted; they cannot be held against digests then"
    if not space.has(total(absent)):
        return (
            f"{size} do not fit into {room}, the less of limits.disk and of what is free; "
            "what is read in parts cannot be held against digests"
        )
    return f"{size} fit into {room}, so that they can be held against their digests"
