"""Artifact files: listed with their sizes, fetched one by one, kept whole or not at all."""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, BinaryIO

from auditor.errors import SourceError
from auditor.mlflow_client import redact, translated

MOST_FILES = 100_000
DEEPEST = 32  # folders within folders
STAGING = ".staging-"
STALE = 24 * 3600  # seconds after which a staging folder belongs to nobody


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as an artifact store lists it."""

    root: str  # the address that was listed
    name: str  # relative to it, with forward slashes
    size: int | None  # None where the store does not say


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The files of one version; what is fetched is kept in the folder `cache`."""

    uri: str  # of the MLflow server
    location: str  # of the version's root
    identity: str  # of the version: a file of the same name in another one is another file
    cache: Path

    def files(self) -> list[Listed]:
        """Every file, in sub-folders too; a location may also be one file.

        Raises
        ------
        SourceError
            If the store cannot be asked, or lists more than any model has.
        """
        with translated(self.uri, f"listing {redact(self.location)}"):
            found = list(_walk(self._store(self.location), self.location))
            if found:
                return found
            root, _, name = self.location.rstrip("/").rpartition("/")
            return [file for file in _here(self._store(root), root) if file.name == name]

    def open(self, file: Listed) -> BinaryIO:
        """A handle on the whole file, fetched first unless it is kept or lies on this machine.

        Raises
        ------
        SourceError
            If it cannot be fetched, or has another size than was listed.
        """
        with translated(self.uri, f"fetching {file.name} of {redact(self.location)}"):
            kept = self._kept(file)
            if not kept.is_file():
                store = self._store(file.root)
                local = store.get_local_path(file.name)
                if local is not None:
                    _check(Path(local), file)
                    return Path(local).open("rb")
                self._fetch(store, file, kept)
            os.utime(kept)  # when it was last wanted, for `trim`
            return kept.open("rb")

    def _store(self, root: str) -> Any:  # noqa: ANN401 - mlflow's own
        registry = import_module("mlflow.store.artifact.artifact_repository_registry")
        return registry.get_artifact_repository(root, tracking_uri=self.uri, registry_uri=self.uri)

    def _kept(self, file: Listed) -> Path:
        key = f"{self.identity}\0{file.root}\0{file.name}\0{file.size}"
        digest = sha256(key.encode("utf-8", "replace")).hexdigest()
        return self.cache / digest[:2] / digest

    def _fetch(self, store: Any, file: Listed, kept: Path) -> None:  # noqa: ANN401
        kept.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(mkdtemp(prefix=STAGING, dir=self.cache))
        try:
            whole = Path(store.download_artifacts(file.name, str(staging)))
            _check(whole, file)
            whole.replace(kept)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def trim(cache: Path, quota: int) -> int:
    """Remove kept files, the one not wanted for longest first, until `quota` bytes are left.

    What a killed process left half fetched is removed too, a day later. A file in use stays
    readable to whoever has it open.

    Returns
    -------
    int
        Bytes that were removed.
    """
    for staging in cache.glob(f"{STAGING}*"):
        if time.time() - staging.stat().st_mtime > STALE:
            shutil.rmtree(staging, ignore_errors=True)
    kept = [(path, path.stat()) for path in cache.glob("??/*")]
    kept.sort(key=lambda entry: entry[1].st_mtime_ns, reverse=True)
    total = removed = 0
    for path, stat in kept:
        total += stat.st_size
        if total > quota:
            path.unlink(missing_ok=True)
            removed += stat.st_size
    return removed


def _walk(store: Any, root: str, folder: str = "", depth: int = 0) -> Iterator[Listed]:  # noqa: ANN401
    """Files below `folder`, in the store's order."""
    if depth > DEEPEST:
        raise SourceError(f"{redact(root)} nests folders more than {DEEPEST} deep; no model does")
    count = 0
    for info in store.list_artifacts(folder or None):
        if info.is_dir:
            found = _walk(store, root, info.path, depth + 1)
        else:
            found = iter((_listed(info, root),))
        for file in found:
            yield file
            count += 1
            if count > MOST_FILES:
                raise SourceError(f"{redact(root)} lists over {MOST_FILES} files; no model does")


def _here(store: Any, root: str) -> Iterator[Listed]:  # noqa: ANN401
    """Files directly in the store's root."""
    return (_listed(info, root) for info in store.list_artifacts(None) if not info.is_dir)


def _listed(info: Any, root: str) -> Listed:  # noqa: ANN401
    return Listed(root, info.path, None if info.file_size is None else int(info.file_size))


def _check(path: Path, file: Listed) -> None:
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise SourceError(
            f"{file.name} has {size} bytes but {file.size} were listed; "
            "it is still being written or the transfer was cut"
        )
