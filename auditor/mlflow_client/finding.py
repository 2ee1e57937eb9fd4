"""Versions by the names people give them, and where their files lie."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from auditor.errors import GoneError
from auditor.mlflow_client import Client, connect, existing, inside, is_catalog, redact, translated
from auditor.mlflow_client.arriving import is_uploading
from auditor.mlflow_client.catalog import registry
from auditor.mlflow_client.forms import age, moment
from auditor.mlflow_client.logged import Experiment, steps
from auditor.mlflow_client.places import locate, locate_logged
from auditor.mlflow_client.references import Reference, registered
from auditor.mlflow_client.registry import Place
from auditor.records import ModelVersion, VersionId


class Found(NamedTuple):
    """Where the files of a version lie."""

    location: str
    uploading: bool  # more may come: the run that wrote it has not ended


@dataclass(frozen=True, slots=True)
class Finder:
    """Looks versions up on one server."""

    uri: str
    source: str  # its name in version ids

    def find(self, ref: Reference, workspace: str) -> ModelVersion | None:
        """The version that a reference names in a workspace, None where there is none."""
        with self._asking(workspace, f"looking for {redact(str(ref))}") as client:
            if ref.scheme == "runs":
                return self._of_run(client, ref, workspace)
            if ref.logged_model:
                return self._logged(client, ref, workspace)
            record = registered(client, ref.rest)
        here = registry(self.uri, self.source, workspace)
        return here.version(record) if record is not None else None

    def previous(self, of: ModelVersion) -> ModelVersion | None:
        """The newest version of the same model made before `of`; a run's have no order."""
        if of.uri.startswith("runs:/"):
            return None
        workspace, experiment = of.facts.get("workspace", ""), of.facts.get("experiment")
        here: Place = registry(self.uri, self.source, workspace)
        if experiment is not None:
            here = Experiment(self.uri, self.source, experiment, workspace)
        versions = here.named([of.id.model])[of.id.model]
        return max((one for one in versions if age(one) < age(of)), key=age, default=None)

    def place(self, version: ModelVersion, allow: Sequence[str]) -> Found:
        """Where the files of a version lie.

        Raises
        ------
        GoneError
            If the version was deleted, or its name and number were given to another one.
        RefusedError
            If it lies where neither the server nor `allow` lets us look.
        SourceError
            If the server does not answer.
        """
        workspace = version.facts.get("workspace", "")
        with self._asking(workspace, f"looking for the files of {version.id}") as client:
            location = self._location(client, version, allow)
            return Found(location, is_uploading(client, location))

    def _location(self, client: Client, version: ModelVersion, allow: Sequence[str]) -> str:
        if version.uri.startswith("runs:/"):
            return version.location
        if is_catalog(self.uri):  # it chooses the place itself, and lends the keys to it
            return version.uri
        if "experiment" in version.facts:
            model = existing(client.get_logged_model, version.id.version)
            if model is None:
                raise GoneError(f"{version.uri} was deleted from its experiment")
            return locate_logged(client, model, uri=self.uri, allow=allow)
        name = version.id.model.rpartition(":")[2]
        found = existing(client.get_model_version, name, version.id.version)
        if found is None:
            raise GoneError(f"{version.uri} was deleted from the registry")
        if moment(found.creation_timestamp) != version.created_at:
            raise GoneError(f"{version.uri} was deleted, and its name was used again since")
        return locate(client, found, uri=self.uri, allow=allow)

    def _logged(self, client: Client, ref: Reference, workspace: str) -> ModelVersion | None:
        record = existing(client.get_logged_model, ref.logged_model)
        if record is None:
            return None
        experiment = client.get_experiment(record.experiment_id)
        here = Experiment(self.uri, self.source, str(experiment.name), workspace)
        return here.version(record, steps(client, record.source_run_id))

    def _of_run(self, client: Client, ref: Reference, workspace: str) -> ModelVersion | None:
        """What a run logged, as a version of ``runs/<path>``: no registered name has a slash."""
        run_id, _, path = ref.rest.partition("/")
        run = existing(client.get_run, run_id)
        if run is None:
            return None
        return ModelVersion(
            id=VersionId(self.source, f"runs/{path}", run_id),
            created_at=moment(run.info.start_time),
            uri=str(ref),
            location=str(ref),
            facts={"run_id": run_id, **({"workspace": workspace} if workspace else {})},
        )

    @contextmanager
    def _asking(self, workspace: str, doing: str) -> Iterator[Client]:
        client = connect(self.uri)
        with translated(self.uri, doing), inside(workspace):
            yield client
