"""Whether files that lie elsewhere are fetched whole, or only as far as they are read."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditor.amounts import as_size
from auditor.errors import SourceError
from auditor.records import SourceFile
from auditor.wall.jobs import Terms
from auditor.weights.choosing import wanted


@dataclass(frozen=True, slots=True)
class Space:
    """Where fetched files are kept, and how many bytes of them."""

    folder: Path  # there already or not
    limit: int

    @property
    def room(self) -> int:
        """Bytes there is room for: within the limit, and on the disk."""
        folder = self.folder.absolute()
        there = next(path for path in (folder, *folder.parents) if path.exists())
        return min(self.limit, shutil.disk_usage(there).free)


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
    staged, room = total(file for file in absent if file.staged), space.room
    if staged > room:
        raise SourceError(
            f"{as_size(staged)} are to be fetched, from a place that hands out no parts of files, "
            f"and {as_size(room)} are the less of limits.disk and of what is free; make room, or "
            "raise limits.disk"
        )
    return len(absent) > 0 and (is_partial(terms) or total(absent) > room)


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
    if total(absent) > space.room:
        return (
            f"{size} do not fit into {room}, the less of limits.disk and of what is free; "
            "what is read in parts cannot be held against digests"
        )
    return f"{size} fit into {room}, so that they can be held against their digests"
