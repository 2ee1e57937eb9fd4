"""Artifact files: listed with their sizes, fetched one by one, kept whole or not at all."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from auditor.errors import ArrivingError, SourceError
from auditor.file_cache import FileCache
from auditor.mlflow_client import inside, redact, tracking, translated
from auditor.weights.spans import Span
from auditor.weights.windows import Shelf, windowed

MOST_FILES = 100_000
DEEPEST = 32  # folders within folders


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as an artifact store lists it."""

    root: str  # the address that was listed
    name: str  # relative to it, with forward slashes
    size: int | None  # None where the store does not say
    proxied: bool = False  # MLflow's own server hands it out, and parts of it too
    local: bool = False  # it lies on this machine


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The files of one version; what is fetched is kept in the folder `cache`."""

    uri: str  # of the MLflow server
    location: str  # of the version's root
    identity: str  # of the version: a file of the same name in another one is another file
    cache: Path
    workspace: str = ""  # of the server, where the version is in one
    young: bool = False  # so that its files may still be uploading

    def files(self) -> list[Listed]:
        """Every file, in sub-folders too; a location may also be one file.

        Raises
        ------
        SourceError
            If the store cannot be asked, or lists more than any model has.
        """
        with self._asking(f"listing {redact(self.location)}"):
            store = self._store(self.location)
            found = list(_walk(store, self.location))
            if not found:
                root, _, name = self.location.rstrip("/").rpartition("/")
                store = self._store(root)
                found = [file for file in _here(store, root) if file.name == name]
            proxied, local = _is_proxied(store), _is_local(store)
            return [replace(file, proxied=proxied, local=local) for file in found]

    def open(self, file: Listed) -> BinaryIO:
        """A handle on the whole file, fetched first unless it is kept or lies on this machine.

        Raises
        ------
        SourceError
            If it cannot be fetched, or has another size than was listed.
        """
        with self._asking(f"fetching {file.name} of {redact(self.location)}"):
            if self.kept(file) is None:
                local = self._store(file.root).get_local_path(file.name)
                if local is not None:
                    self._check(Path(local), file)
                    return Path(local).open("rb")
            fetch = partial(self._fetch, file)
            return FileCache(self.cache).open(self._key(file), file.size or 0, fetch)

    def discard(self, file: Listed) -> None:
        """Forget what is kept of a file."""
        FileCache(self.cache).discard(self._key(file))

    def kept(self, file: Listed) -> Path | None:
        """Where the file is, if it was fetched before."""
        return FileCache(self.cache).find(self._key(file))

    def ranged(self, file: Listed, shelf: Shelf) -> BinaryIO:
        """A handle on a file that is `proxied`, which fetches what is read and no more.

        Raises
        ------
        SourceError
            Also when it is read, if the server does not answer with the part asked for.
        """
        with self._asking(f"looking for {file.name[:200]!r}"):
            store = _inner(self._store(file.root))
        return windowed(partial(self._part, store, file), file.size or 0, shelf, file.name)

    def _part(self, store: Any, file: Listed, offset: int, count: int) -> bytes:  # noqa: ANN401
        ask = import_module("mlflow.utils.rest_utils").http_request
        span = Span(file.name, offset, count, file.size or 0)
        path, headers = "/" + quote(file.name), dict(span.headers)
        with self._asking(f"fetching {file.name[:200]!r} of {redact(self.location)}"):
            answer = ask(store._host_creds, path, "GET", extra_headers=headers, stream=True)
            with closing(answer):
                span.check(answer.status_code, answer.headers)
                return span.gather(answer.iter_content(1 << 20))

    def _store(self, root: str) -> Any:  # noqa: ANN401 - mlflow's own
        registry = import_module("mlflow.store.artifact.artifact_repository_registry")
        return registry.get_artifact_repository(
            root, tracking_uri=tracking(self.uri), registry_uri=self.uri
        )

    def _key(self, file: Listed) -> str:
        return f"{self.identity}\0{file.root}\0{file.name}\0{file.size}"

    def _fetch(self, file: Listed, staging: Path) -> Path:
        found = self._download(self._store(file.root), file.name, staging)
        self._check(found, file)
        return found

    def _download(self, store: Any, name: str, staging: Path) -> Path:  # noqa: ANN401
        """In this thread: those that mlflow downloads with ask the default workspace."""
        if not self.workspace:
            return Path(store.download_artifacts(name, str(staging)))
        found = Path(store._create_download_destination(name, str(staging)))
        store._download_file(name, str(found))
        return found

    def _check(self, path: Path, file: Listed) -> None:
        size = path.stat().st_size
        if file.size is not None and size != file.size:
            kind = ArrivingError if self.young else SourceError
            raise kind(
                f"{file.name} has {size} bytes but {file.size} were listed; "
                "it is still being written or the transfer was cut"
            )

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        with translated(self.uri, doing), inside(self.workspace):
            yield


def _inner(store: Any) -> Any:  # noqa: ANN401
    """What a ``runs:/`` or ``models:/`` store hands its questions on to."""
    while (repo := getattr(store, "repo", None)) is not None:
        store = repo
    return store


def _is_local(store: Any) -> bool:  # noqa: ANN401
    """Whether its files are files of this machine."""
    folder = import_module("mlflow.store.artifact.local_artifact_repo")
    return isinstance(_inner(store), folder.LocalArtifactRepository)


def _is_proxied(store: Any) -> bool:  # noqa: ANN401
    """Whether MLflow's own server hands the files out; other stores have clients of their own."""
    proxy = import_module("mlflow.store.artifact.mlflow_artifacts_repo")
    return isinstance(_inner(store), proxy.MlflowArtifactsRepository)


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
