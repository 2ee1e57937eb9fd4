"""Versions in an MLflow model registry, and checkpoints in experiments."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from auditor.config.service import Duration
from auditor.errors import ArrivingError, ConfigError, SourceError, UnreachableError
from auditor.mlflow_client import is_catalog, redact
from auditor.mlflow_client.arriving import unfinished
from auditor.mlflow_client.artifacts import Artifacts, Listed
from auditor.mlflow_client.catalog import registry
from auditor.mlflow_client.finding import Finder
from auditor.mlflow_client.forms import moment
from auditor.mlflow_client.logged import Experiment
from auditor.mlflow_client.marks import Mark, cursor, marks
from auditor.mlflow_client.references import reference
from auditor.mlflow_client.registry import Place
from auditor.mlflow_client.saying import heard, heard_of
from auditor.mlflow_client.telling import told
from auditor.mlflow_client.workspaces import across, available, is_workspace
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
)
from auditor.weights import role_of
from auditor.weights.windows import Shelf


@dataclass(frozen=True, slots=True)
class Mlflow:
    """Registered versions of the models that `models` names, and LoggedModels of experiments.

    Of what is written on a version only the tag ``auditor.decision`` is asked for: tags and
    runs that are written back never start an audit. With `workspaces`, models are called
    ``<workspace>:<model>``; those of experiments ``<experiment>/<name>``.
    """

    uri: str
    models: tuple[str, ...] = ("*",)  # patterns; "!scratch-*" leaves models out
    name: str = "mlflow"
    history: int | None = 1  # how many versions of a newly watched model; None: all
    allow: tuple[str, ...] = ()  # beginnings of addresses that may be fetched from as well
    workspaces: tuple[str, ...] = ()  # of the server; "*": all of them; none: it has none
    logged_models: tuple[str, ...] = ()  # experiments
    reconcile: Duration = 86400.0  # seconds between two looks at everything
    settle: Duration = 3600.0  # seconds for files that are uploaded after a version is registered
    decisions: bool = True  # whether the tag auditor.decision accepts and rejects versions
    webhook_secret: str | None = field(default=None, repr=False)
    cache: Path = Path(".auditor/files")

    usual: ClassVar[Rhythm] = Rhythm(every=60)
    priority: ClassVar[Priority] = Priority.REGISTRATION

    def __post_init__(self) -> None:
        """Refuse what no server takes.

        Raises
        ------
        ConfigError
            If a workspace cannot have its name, or there are none at such an address.
        """
        for workspace in self.workspaces:
            if not is_workspace(workspace):
                raise ConfigError(
                    f"workspaces: found {workspace!r}: expected 2 to 63 of a-z, 0-9 and -, or *"
                )
        if self.workspaces and not self.uri.startswith(("http://", "https://")):
            raise ConfigError("workspaces: only a tracking server has them; uri is none (http://…)")
        if self.logged_models and is_catalog(self.uri):
            raise ConfigError("logged_models: watch them with a source of uri databricks instead")

    def changes(self, cursor: str | None, known: Known = NOTHING) -> Iterator[Change]:
        """Versions made since shortly before the newest one seen; what is gone, what renamed.

        Three requests where nothing changed, for each workspace, and two for each experiment:
        the third for decisions, of which many more are some requests more.
        A registered model that lost a version, or has another name, is found by the time of
        its last change; a deleted one only by the look at everything, page by page, which is
        due every `reconcile` seconds and for a cursor that was made for other settings.

        Raises
        ------
        SourceError
            If the registry does not answer, or a workspace or an experiment is not there;
            the others are told first.
        """
        found, problems = marks(cursor, self._watching), list[SourceError]()
        places = list(self._places(problems))
        for place in places:
            try:
                yield from self._look(place, found, known)
            except UnreachableError:
                raise
            except SourceError as error:
                problems.append(error)
        if problems:
            raise problems[0]
        if not places:
            yield self._reached(found)

    def look(self, model: str, known: Known = NOTHING) -> Iterator[Change]:
        """The versions of one model, oldest first; of a bare name in every workspace."""
        for place in self._places([]):
            is_bare = place.workspace and ":" not in model
            name = f"{place.workspace}:{model}" if is_bare else model
            if place.has(name):
                yield from told(place, place.named([name]), known, known.models())
                yield from heard_of(place, name, known) if self.decisions else ()

    def resolve(self, ref: str, of: ModelVersion | None) -> ModelVersion | None:
        """Find a version.

        Understood are ``models:/digits/3``, ``models:/digits@champion``,
        ``models:/digits/latest``, ``models:/m-<id>`` and ``runs:/<run>/<path>``, with a
        workspace ``models:/team-a:digits/3``; given `of` also ``previous``,
        ``alias:champion``, ``@champion``, ``latest`` and a version number.
        """
        finder = Finder(self.uri, self.name)
        if ref == "previous":
            return finder.previous(of) if of is not None else None
        found = reference(ref, of)
        if found is None:
            return None
        workspaces = self._workspaces([])
        if found.scheme == "models":
            workspaces = [one for one in workspaces if one == found.workspace]
        finds = (finder.find(found, workspace) for workspace in workspaces)
        return next((version for version in finds if version is not None), None)

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
        ArrivingError
            If it was registered less than `settle` seconds ago and its files, or some of
            them, are not there yet.
        SourceError
            If nothing is listed, or the registry does not answer.
        """
        place = Finder(self.uri, self.name).place(version, self.allow)
        young = _now() / 1000 - version.created_at.timestamp() < self.settle
        workspace = version.facts.get("workspace", "")
        store = Artifacts(
            self.uri, place.location, version.identity, self.cache, workspace, young=young
        )
        found = store.files()
        if not found:
            raise (ArrivingError if young else SourceError)(
                f"{version.uri} lists no files at {redact(place.location)}; "
                "its artifacts may still be uploading, or were deleted"
            )
        if young and (reason := unfinished(store, found, uploading=place.uploading)):
            raise ArrivingError(f"{version.uri}: {reason}; it may still be uploading")
        shelf = Shelf()
        return [_file(store, file, shelf) for file in found]

    def _look(self, place: Place, found: dict[str, Mark], known: Known) -> Iterator[Change]:
        """What is new in one place, and all there is where that is due; keeps its mark."""
        mark = found.get(place.key)
        if mark is None:
            mark = place.head(_now()).on("")
        else:
            recent = place.recent(mark, _now())
            mark = recent.mark
            changed = recent.changed
            if changed:
                yield from told(place, place.named(changed), known, known.models())
            yield from (Seen(one) for one in recent.seen if one.id.model not in changed)
            mark, said = heard(place, mark, known, _now(), listens=self.decisions)
            yield from said
            found[place.key] = mark
            yield self._reached(found)
        if mark.is_due(_now(), self.reconcile):
            yield from self._all(place, mark, found, known)

    def _all(
        self, place: Place, mark: Mark, found: dict[str, Mark], known: Known
    ) -> Iterator[Change]:
        """Everything, page by page; in the end the noted models that were on none of them."""
        names = set(known.models())
        unseen = {model for model in names if place.has(model)}
        page: str | None = mark.page or ""
        while page is not None:
            found[place.key] = mark.on(page)
            looked, page = place.page(page)
            unseen -= looked.keys()
            yield from told(place, looked, known, names)
            yield self._reached(found if page is None else found | {place.key: mark.on(page)})
        if unseen:
            yield from told(place, place.named(unseen), known, names)
        found[place.key] = mark.whole(_now())
        yield self._reached(found)

    def _reached(self, found: Mapping[str, Mark]) -> Reached:
        ends = [mark.full for mark in found.values() if mark.full is not None]
        remarks = {"all looked at": moment(min(ends)).isoformat(timespec="seconds")} if ends else {}
        if doubts := [doubt for mark in found.values() for doubt in mark.doubts]:
            remarks["decisions not understood"] = "; ".join(doubts)
        if is_catalog(self.uri):
            remarks["Unity Catalog"] = "as documented; nobody has tried it yet"
        return Reached(cursor(found, self._watching), remarks)

    @property
    def _watching(self) -> str:
        """The same for the same settings, whichever order they are in."""
        parts = "\n".join([*sorted(self.models), "", *sorted(self.logged_models)])
        return sha256(parts.encode()).hexdigest()[:16]

    def _places(self, problems: list[SourceError]) -> Iterator[Place]:
        """Where is looked; what of it is not there becomes a problem."""
        for workspace in self._workspaces(problems):
            patterns = across(self.models) if workspace else self.models
            yield registry(self.uri, self.name, workspace, patterns)
            for experiment in self.logged_models:
                yield Experiment(self.uri, self.name, experiment, workspace)

    def _workspaces(self, problems: list[SourceError]) -> Sequence[str]:
        if not self.workspaces:
            return [""]
        there, absent = available(self.uri, self.workspaces)
        problems += [
            SourceError(
                f"MLflow at {redact(self.uri)} has no workspace {one} for us; check its name"
            )
            for one in absent
        ]
        return there


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


def _now() -> int:
    return time.time_ns() // 1_000_000
