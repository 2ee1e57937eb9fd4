"""A folder of models, ``<root>/<model>/<version>/<files>``, and any path on this machine.

Names that begin with a dot are not looked at. A version counts once nobody has touched it
for a moment (`Folder.settle`); a program that may pause longer while it writes should write
under a name with a dot and rename the finished folder.
"""

import logging
import math
import os
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, ClassVar

from auditor.config.service import Pause
from auditor.errors import GoneError, RefusedError, SourceError, UsageError, translate
from auditor.naming import Natural, natural
from auditor.records import (
    NOTHING,
    Change,
    Gone,
    Known,
    ModelVersion,
    Priority,
    Reached,
    Rhythm,
    Role,
    Seen,
    SourceFile,
    VersionId,
)
from auditor.weights import role_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Folder:
    """Versions are sub-folders of a model's folder; the one written last is the newest."""

    root: Path
    name: str = "folder"
    history: int | None = 1  # how many versions of a newly watched model; None: all
    settle: Pause = 2.0  # seconds a version must have been left alone

    usual: ClassVar[Rhythm] = Rhythm(every=60)
    priority: ClassVar[Priority] = Priority.REGISTRATION

    def changes(self, cursor: str | None, known: Known = NOTHING) -> Iterator[Change]:  # noqa: ARG002 - see below
        """Every version there is, oldest first; of one moment in natural order, 2 before 10.

        A copy may carry any modification time, so no time separates old from new: all
        versions are reported at each sweep, and the ledger knows which it has seen. What
        was touched within `settle` seconds is waited for once, and otherwise left for the
        next sweep. A version whose files change has another `created_at` and is new again.

        Raises
        ------
        SourceError
            If `root` is not a folder that can be read.
        """
        there = self._there()
        yield from map(Seen, there)
        yield from self._gone(there, known, known.models())
        yield Reached("")

    def look(self, model: str, known: Known = NOTHING) -> Iterator[Change]:
        """The versions of one model."""
        there = [version for version in self._there() if version.id.model == model]
        yield from map(Seen, there)
        yield from self._gone(there, known, (model,))

    def resolve(self, ref: str, of: ModelVersion | None) -> ModelVersion | None:
        """The version before `of`, or the one in the folder that `ref` names."""
        if ref == "previous":
            return self._previous(of) if of is not None else None
        if of is not None and _is_one_name(ref):
            ref = str(self.root / of.id.model / ref)
        folder, root = Path(ref).absolute(), self.root.absolute()
        below = folder.relative_to(root).parts if folder.is_relative_to(root) else ()
        if len(below) != 2 or any(name.startswith(".") for name in below) or not _is_there(folder):
            return None  # a name with a dot is not looked at, and `..` would lead out
        return self._version(self.root.joinpath(*below))

    def files(self, version: ModelVersion) -> Sequence[SourceFile]:
        """The files of a version, in sub-folders too; links that lead out are refused."""
        folder = Path(version.location)
        if not folder.is_dir():
            raise GoneError(f"{version.id} is gone: there is no folder {folder} any more")
        return _files(folder, within=self.root)

    def _there(self) -> list[ModelVersion]:
        """The versions that nobody is writing, oldest first."""
        with translate(OSError, to=SourceError, doing=f"listing {self.root}"):
            folders = list(self._folders())
        moving = {folder for folder in folders if _age(folder) < self.settle}
        if moving:
            time.sleep(self.settle)
        resting = (path for path in folders if path not in moving or _age(path) >= self.settle)
        versions = [version for version in map(self._version, resting) if version is not None]
        return sorted(versions, key=_order)

    def _gone(
        self, there: Collection[ModelVersion], known: Known, models: Collection[str]
    ) -> Iterator[Gone]:
        """What was noted of these models and has no folder any more."""
        ids = {version.identity for version in there}
        for model in models:
            for version in known.versions(model):
                if version.identity not in ids and not Path(version.location).is_dir():
                    yield Gone(version, f"there is no folder {version.location} any more")

    def _folders(self) -> Iterator[Path]:
        if not self.root.is_dir():
            raise SourceError(f"{self.root} is not a folder; check `root` in config.yaml")
        for model in _subfolders(self.root):
            yield from _subfolders(model)

    def _version(self, folder: Path) -> ModelVersion | None:
        """None while the folder holds no file."""
        created = _newest(folder)
        if created is None:
            return None
        return ModelVersion(
            id=VersionId(self.name, folder.parent.name, folder.name),
            created_at=created,
            uri=str(folder),
            location=str(folder.absolute()),
        )

    def _previous(self, of: ModelVersion) -> ModelVersion | None:
        versions = map(self._version, _subfolders(self.root / of.id.model))
        before = [found for found in versions if found is not None and _order(found) < _order(of)]
        return max(before, key=_order, default=None)


def version_at(path: Path) -> ModelVersion:
    """A file or a folder of weights, as the version that ``auditor audit PATH`` looks at.

    The version is named by the time of its newest file, UTC: ``20260105-101500``.

    Raises
    ------
    UsageError
        If there is no such path, no file in it, or it is a pipe or a device.
    """
    must_be_plain(path, "a file or a folder of weights")
    if not path.exists():
        raise UsageError(f"{path} does not exist; name a file or a folder of weights")
    created = _newest(path)
    if created is None:
        raise UsageError(f"{path} holds no files; name a file or a folder of weights")
    model = path.absolute().resolve().name or "root"
    return ModelVersion(
        id=VersionId("path", model, created.strftime("%Y%m%d-%H%M%S")),
        created_at=created,
        uri=str(path),
        location=str(path.absolute()),
    )


def must_be_plain(path: Path, wanted: str) -> None:
    """Refuse pipes and devices, which may be read without an end, and what no path can be.

    Raises
    ------
    UsageError
        If something is there that is neither a file nor a folder, or nobody can tell.
    """
    try:
        plain = path.is_file() or path.is_dir() or not path.exists()
    except OSError as error:
        shown = str(path) if len(str(path)) <= 300 else f"{str(path)[:300]}…"
        raise UsageError(f"{shown} cannot be reached: {error.strerror}; name {wanted}") from error
    if not plain:
        raise UsageError(f"{path} is a pipe or a device; name {wanted}")


def files_at(path: Path) -> Sequence[SourceFile]:
    """The files of a version that `version_at` named.

    An index of shards stands for the folder it lies in, any other file for itself: one
    named by a person holds weights whatever its suffix, and its content decides which.
    """
    if not path.exists():
        raise GoneError(f"{path} is gone; name a file or a folder of weights")
    if path.is_dir():
        return _files(path, within=None)
    if role_of(path.name) is Role.INDEX:
        return [file for file in _files(path.parent, within=None) if "/" not in file.name]
    file = _file(path, path.name)
    return [replace(file, role=Role.WEIGHTS) if file.role is Role.OTHER else file]


def _order(version: ModelVersion) -> tuple[datetime, str, Natural]:
    return version.created_at, version.id.model, natural(version.id.version)


def _is_there(folder: Path) -> bool:
    """Whether it is a folder; a name that no path can be is that of none."""
    try:
        return folder.is_dir()
    except OSError:
        return False


def _is_one_name(ref: str) -> bool:
    return ref not in {"", ".", ".."} and "/" not in ref and not ref.startswith(".")


def _subfolders(folder: Path) -> list[Path]:
    """Visible folders in natural order; a name that is not UTF-8 cannot be reported."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if not _visible(path) or not path.is_dir():
            continue
        if _printable(path.name) != path.name:
            text = "%s is not looked at: rename it in UTF-8"
            log.warning(text, _printable(str(path)), extra={"event": "folder.unreadable"})
            continue
        found.append(path)
    return sorted(found, key=lambda path: (natural(path.name), path.name))


def _visible(path: Path) -> bool:
    return not path.name.startswith(".")


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")


def _walk(folder: Path) -> Iterator[Path]:
    """Visible entries in order, sub-folders too; links to folders are not followed."""
    entries = folder.iterdir() if folder.is_dir() else ()
    for path in sorted(filter(_visible, entries)):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _newest(path: Path) -> datetime | None:
    """When the newest file was written, None without a file."""
    with translate(OSError, to=SourceError, doing=f"reading the dates in {path}"):
        try:
            times = [file.stat().st_mtime for file in (path, *_walk(path)) if file.is_file()]
        except FileNotFoundError:  # removed while it was looked at
            return None
    return datetime.fromtimestamp(max(times), tz=UTC) if times else None


def _age(folder: Path) -> float:
    """Seconds since anything in it was last written, created, renamed or removed.

    By the inode's own clock, which a copy cannot set back as it can a modification time.
    A time in the future says nothing about when, and counts as long ago.
    """
    with translate(OSError, to=SourceError, doing=f"reading the dates in {folder}"):
        try:
            changed = max(path.lstat().st_ctime for path in (folder, *_walk(folder)))
        except FileNotFoundError:  # removed while it was looked at
            return 0.0
    age = time.time() - changed
    return age if age >= 0 else math.inf


def _files(folder: Path, within: Path | None) -> list[SourceFile]:
    root = within.resolve() if within else None
    found = []
    with translate(OSError, to=SourceError, doing=f"listing {folder}"):
        for path in (folder, *_walk(folder)):
            if root is not None and not path.resolve().is_relative_to(root):
                raise RefusedError(
                    f"{_printable(str(path))} leads out of {within}; put the file itself there"
                )
            if path.is_file():
                found.append(_file(path, path.relative_to(folder).as_posix()))
    return found


def _file(path: Path, name: str) -> SourceFile:
    name = _printable(name)
    return SourceFile(name, role_of(name), path.stat().st_size, partial(_open, path))


def _open(path: Path) -> BinaryIO:
    with translate(OSError, to=SourceError, doing=f"opening {path}"):
        return path.open("rb")
