"""Versions in an MLflow model registry."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from auditor.errors import GoneError, SourceError
from auditor.mlflow_client import Client, connect, existing, redact, translated
from auditor.mlflow_client.artifacts import Artifacts, Listed
from auditor.mlflow_client.places import locate
from auditor.naming import is_chosen
from auditor.records import (
    NOTHING,
    Change,
    Known,
    ModelVersion,
    Priority,
    Reached,
    Rhythm,
    Seen,
    SourceFile,
    VersionId,
)
from auditor.weights import role_of
from auditor.weights.windows import Shelf

OVERLAP = 10 * 60 * 1000  # ms; concurrent registrations commit in another order than they are dated
PAGE = 1000  # versions a request; a sweep over all of them asks for more at once
FULL_PAGE = 10_000
PROMPT = "mlflow.prompt.is_prompt"  # prompts live in the same tables


@dataclass(frozen=True, slots=True)
class Mlflow:
    """Registered versions of the models that `models` names.

    Nothing here asks what changed on a version, only when it was made: tags and runs that
    are written back never start an audit.
    """

    uri: str
    models: tuple[str, ...] = ("*",)  # patterns; "!scratch-*" leaves models out
    name: str = "mlflow"
    history: int | None = 1  # how many versions of a newly watched model; None: all
    allow: tuple[str, ...] = ()  # beginnings of addresses that may be fetched from as well
    cache: Path = Path(".auditor/files")

    usual: ClassVar[Rhythm] = Rhythm(every=60)
    priority: ClassVar[Priority] = Priority.REGISTRATION

    def changes(self, cursor: str | None, known: Known = NOTHING) -> Iterator[Change]:  # noqa: ARG002
        """Versions made since shortly before the newest one seen; oldest first.

        One request of about 66 ms where 10,000 models are registered. The cursor is the
        creation time of the newest version reported, never later than this machine's clock:
        a version dated in the future must not hide the ones made until then. With other
        `models` than the cursor was made for, everything is reported again.

        Raises
        ------
        SourceError
            If the registry does not answer.
        """
        client = connect(self.uri)
        since = self._since(cursor)
        with translated(self.uri, "searching for new versions"):
            found = [version for version in self._made(client, since) if self._watched(version)]
        newest = since or 0
        for version in sorted(found, key=_age):
            newest = max(newest, min(int(version.creation_timestamp), _now()))
            yield Seen(self._version(version))
        yield Reached(self._cursor(newest))

    def look(self, model: str, known: Known = NOTHING) -> Iterator[Change]:  # noqa: ARG002
        """The versions of one model, oldest first."""
        if not is_chosen(model, self.models):
            return
        client = connect(self.uri)
        with translated(self.uri, f"looking at {model}"):
            found = [version for version in self._all(client, model) if self._watched(version)]
        yield from (Seen(self._version(version)) for version in sorted(found, key=_age))

    def resolve(self, ref: str, of: ModelVersion | None) -> ModelVersion | None:
        """Find a version.

        Understood are ``models:/digits/3``, ``models:/digits@champion``,
        ``models:/digits/latest`` and ``runs:/<run>/<path>``; given `of` also ``previous``,
        ``alias:champion``, ``@champion``, ``latest`` and a version number.
        """
        ref = _absolute(ref, of)
        if not ref.startswith(("models:/", "runs:/", "previous")):
            return None
        client = connect(self.uri)
        with translated(self.uri, f"looking for {redact(ref)}"):
            if ref.startswith("runs:/"):
                return self._logged(client, ref)
            if ref == "previous":
                found = self._previous(client, of) if of is not None else None
            else:
                found = _find(client, ref.removeprefix("models:/"))
        return self._version(found) if found is not None else None

    def files(self, version: ModelVersion) -> Sequence[SourceFile]:
        """Every file, with the size the artifact store states.

        `SourceFile.open` fetches that one file into `cache`, whole or not at all, and finds
        it there the next time. A file that lies on this machine is opened where it is. Parts
        of a file can be had where MLflow's own server hands it out; other stores give whole
        files only.

        Raises
        ------
        GoneError
            If the version was deleted, or its name and number were given to another one.
        RefusedError
            If it lies where `allow` does not let us look.
        SourceError
            If nothing is listed (yet), or the registry does not answer.
        """
        client = connect(self.uri)
        with translated(self.uri, f"looking for the files of {version.id}"):
            location = self._location(client, version)
        store = Artifacts(self.uri, location, version.identity, self.cache)
        found = store.files()
        if not found:
            raise SourceError(
                f"{version.uri} lists no files at {redact(location)}; "
                "its artifacts may still be uploading, or were deleted"
            )
        shelf = Shelf()
        return [_file(store, file, shelf) for file in found]

    def _made(self, client: Client, since: int | None) -> list[Any]:
        """Records of all versions made since then, each once."""
        oldest = (since - OVERLAP) if since is not None else 0
        found: dict[tuple[str, str], Any] = {}
        token = None
        while True:
            page = client.search_model_versions(
                max_results=PAGE if since is not None else FULL_PAGE,
                order_by=["creation_timestamp DESC"],
                page_token=token,
            )
            recent = [version for version in page if version.creation_timestamp >= oldest]
            found |= {(version.name, str(version.version)): version for version in recent}
            token = page.token
            if not token or len(recent) < len(page):
                return list(found.values())

    def _watched(self, version: Any) -> bool:  # noqa: ANN401 - mlflow's own record
        if version.tags.get(PROMPT) == "true":
            return False
        return is_chosen(version.name, self.models)

    def _cursor(self, newest: int) -> str:
        return json.dumps({"newest": newest, "models": self._patterns()})

    def _since(self, cursor: str | None) -> int | None:
        """Creation time, ms, in a cursor made for the same `models`; None: from the start."""
        try:
            found = json.loads(cursor or "null")
        except ValueError:
            return None
        if not isinstance(found, dict) or found.get("models") != self._patterns():
            return None
        newest = found.get("newest")
        return min(newest, _now()) if isinstance(newest, int) else None

    def _patterns(self) -> str:
        return sha256("\n".join(sorted(self.models)).encode()).hexdigest()[:16]

    def _version(self, found: Any) -> ModelVersion:  # noqa: ANN401
        facts = {"run_id": found.run_id or "", "model_id": _logged_model(found.source)}
        return ModelVersion(
            id=VersionId(self.name, found.name, str(found.version)),
            created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, tz=UTC),
            uri=f"models:/{found.name}/{found.version}",
            location=found.source,
            facts={name: value for name, value in facts.items() if value},
        )

    def _logged(self, client: Client, ref: str) -> ModelVersion | None:
        """What a run logged, as a version of ``runs/<path>``: no registered name has a slash."""
        run_id, _, path = ref.removeprefix("runs:/").strip("/").partition("/")
        run = existing(client.get_run, run_id)
        if run is None:
            return None
        return ModelVersion(
            id=VersionId(self.name, f"runs/{path}", run_id),
            created_at=datetime.fromtimestamp(run.info.start_time / 1000, tz=UTC),
            uri=ref,
            location=ref,
            facts={"run_id": run_id},
        )

    def _previous(self, client: Client, of: ModelVersion) -> Any | None:  # noqa: ANN401
        """The newest version of the same model made before `of`; a run's have no order."""
        if of.uri.startswith("runs:/"):
            return None
        found = self._all(client, of.id.model)
        here = (round(of.created_at.timestamp() * 1000), of.id.model, int(of.id.version))
        earlier = [version for version in found if _age(version) < here]
        return max(earlier, key=_age, default=None)

    def _all(self, client: Client, model: str) -> Sequence[Any]:
        """Records of all versions of a model."""
        quote = '"' if "'" in model else "'"
        found: Sequence[Any] = client.search_model_versions(
            f"name = {quote}{model}{quote}",
            max_results=FULL_PAGE,
            order_by=["creation_timestamp DESC"],
        )
        return found

    def _location(self, client: Client, version: ModelVersion) -> str:
        if version.uri.startswith("runs:/"):
            return version.location
        found = existing(client.get_model_version, version.id.model, version.id.version)
        if found is None:
            raise GoneError(f"{version.uri} was deleted from the registry")
        if self._version(found).created_at != version.created_at:
            raise GoneError(f"{version.uri} was deleted, and its name was used again since")
        return locate(client, found, uri=self.uri, allow=self.allow)


def _file(store: Artifacts, file: Listed, shelf: Shelf) -> SourceFile:
    size = file.size or 0
    elsewhere = bool(size) and not file.local and store.kept(file) is None
    return SourceFile(
        name=file.name,
        role=role_of(file.name),
        size=size,
        open=partial(store.open, file),
        ranges=partial(store.ranged, file, shelf) if elsewhere and file.proxied else None,
        staged=elsewhere and not file.proxied,
        discard=None if file.local else partial(store.discard, file),
    )


def _find(client: Client, rest: str) -> Any | None:  # noqa: ANN401
    """What follows ``models:/``: ``name/3``, ``name/latest`` or ``name@alias``."""
    name, _, which = rest.rpartition("/")
    if name and which.isdecimal():
        return existing(client.get_model_version, name, which)
    if name and which == "latest":
        model = existing(client.get_registered_model, name)
        newest = model.latest_versions if model is not None else ()  # the highest of each stage
        return max(newest, key=lambda version: int(version.version), default=None)
    name, _, alias = rest.rpartition("@")
    return existing(client.get_model_version_by_alias, name, alias) if name else None


def _absolute(ref: str, of: ModelVersion | None) -> str:
    """A reference relative to `of`, in full."""
    if of is None:
        return ref
    if alias := re.fullmatch(r"(?:alias:|@)(.+)", ref):
        return f"models:/{of.id.model}@{alias[1]}"
    return f"models:/{of.id.model}/{ref}" if ref.isdecimal() or ref == "latest" else ref


def _logged_model(source: str) -> str:
    """The id of the LoggedModel a version was made from; mlflow's own field stays empty."""
    found = re.fullmatch(r"models:/(m-[0-9a-f]{32})", source)
    return found[1] if found else ""


def _age(version: Any) -> tuple[int, str, int]:  # noqa: ANN401
    """Sorts mlflow's records oldest first; versions made in one millisecond by number."""
    return int(version.creation_timestamp), version.name, int(version.version)


def _now() -> int:
    return time.time_ns() // 1_000_000
