"""LoggedModels of an experiment: checkpoints that nobody has registered (yet)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from auditor.errors import SourceError
from auditor.mlflow_client import Client, connect, existing, inside, translated
from auditor.mlflow_client.forms import age, chunks, moment
from auditor.mlflow_client.marks import Edge, Mark
from auditor.mlflow_client.registry import (
    ENDLESS,
    FULL_PAGE,
    HEAD,
    MOST_PAGES,
    Looked,
    Recent,
    Record,
)
from auditor.records import ModelVersion, VersionId

READY = "READY"  # the files are there; mlflow's own log_model sets it last
LATEST = [{"field_name": "last_updated_timestamp", "ascending": False}]
BY_NAME = [{"field_name": "name"}, {"field_name": "creation_timestamp"}]


@dataclass(frozen=True, slots=True)
class Experiment:
    """The LoggedModels of an experiment; those of one name are versions of one model.

    The model is called ``<experiment>/<name>``, the version by its id, ``m-<32 hex>``. A search
    by the time of the last update finds those that became ready: tags and metrics, and so our
    own writes, do not change it.
    """

    uri: str
    source: str  # its name in version ids
    experiment: str
    workspace: str = ""

    @property
    def key(self) -> str:
        """What its mark goes by."""
        return f"{self.workspace}/{self.experiment}"

    @property
    def prefix(self) -> str:
        """What the names of its models begin with."""
        return f"{self.workspace}:{self.experiment}/" if self.workspace else f"{self.experiment}/"

    def has(self, model: str) -> bool:
        """Whether a model of that name would be found here."""
        return model.startswith(self.prefix) and "/" not in model.removeprefix(self.prefix)

    def can_tell(self, model: str) -> bool:  # noqa: ARG002 - as `Place` has it
        """Whether a version under that name, which is not `named`, is there no more.

        Always: an id is in one experiment, so it was another name of this one.
        """
        return True

    def head(self, now: int) -> Mark:
        """A mark from which everything that happens after this moment is told."""
        with self._asking("looking for the newest checkpoint") as (client, here):
            page = client.search_logged_models([here], max_results=1, order_by=LATEST)
        return Mark(touched=Edge().moved((one.last_updated_timestamp for one in page), now))

    def recent(self, mark: Mark, now: int) -> Recent:
        """Those that became ready since shortly before the newest ones told; two requests."""
        since = f"last_updated_timestamp >= {mark.touched.since(now)}"
        with self._asking("searching for new checkpoints") as (client, here):
            found = [one for one in _all(client, here, since, LATEST, HEAD) if _is_ready(one)]
            seen = self._versions(client, [one for one in found if one.model_id not in mark.met])
        edge = mark.touched.moved((one.last_updated_timestamp for one in found), now)
        met = tuple(one.model_id for one in found)
        return Recent(seen, (), replace(mark, touched=edge, met=met))

    def named(self, models: Collection[str]) -> Looked:
        """All versions of these models; none of one that is not there."""
        names = sorted(model.removeprefix(self.prefix) for model in models)
        found: dict[str, list[ModelVersion]] = {self.prefix + name: [] for name in names}
        with self._asking(f"looking at {len(names)} models") as (client, here):
            for some in chunks(names):
                records = list(_all(client, here, f"name IN ({some},)", LATEST, FULL_PAGE))
                for version in self._versions(client, records):
                    found.setdefault(version.id.model, []).append(version)
        return found

    def page(self, token: str) -> tuple[Looked, str | None]:
        """Some of all models, whole, and where to go on; an old token begins anew."""
        with self._asking("looking at all checkpoints") as (client, here):
            ask = client.search_logged_models
            page = existing(lambda: ask([here], None, None, FULL_PAGE, BY_NAME, token or None))
            if page is None:
                token, page = "", ask([here], None, None, FULL_PAGE, BY_NAME, None)
            found: dict[str, Sequence[ModelVersion]] = dict(_by_model(self._versions(client, page)))
        if page:  # versions of the first and the last one may be on other pages
            cut = {page[0].name} if token else set()
            cut |= {page[-1].name} if page.token else set()
            found.update(self.named({self.prefix + name for name in cut}))
        return found, page.token or None

    def tagged(self, model: str | None = None) -> None:
        """Not known: decisions are read from registered versions."""

    def version(self, record: Record, at: Mapping[str, int]) -> ModelVersion:
        """What is announced of mlflow's record; `at` are the `steps` of its run."""
        workspace = f"{self.workspace}:" if self.workspace else ""
        facts = {
            "run_id": record.source_run_id or "",
            "model_id": record.model_id,
            "experiment": self.experiment,
            "workspace": self.workspace,
            "step": str(at.get(record.model_id, "")),
        }
        return ModelVersion(
            id=VersionId(self.source, self.prefix + record.name, record.model_id),
            created_at=moment(record.creation_timestamp),
            uri=f"models:/{workspace}{record.model_id}",
            location=f"models:/{record.model_id}",
            facts={name: value for name, value in facts.items() if value},
        )

    def _versions(self, client: Client, records: Sequence[Record]) -> list[ModelVersion]:
        """Those that are ready, oldest first."""
        ready = [one for one in records if _is_ready(one)]
        runs = {one.source_run_id for one in ready if one.source_run_id}
        at = {run: steps(client, run) for run in runs}
        found = (self.version(one, at.get(one.source_run_id, {})) for one in ready)
        return sorted(found, key=age)

    @contextmanager
    def _asking(self, doing: str) -> Iterator[tuple[Client, str]]:
        """A client, and the experiment's id, which a new experiment of its name does not have."""
        client = connect(self.uri)
        with translated(self.uri, f"{doing} of {self.experiment}"), inside(self.workspace):
            found = client.get_experiment_by_name(self.experiment)
            if found is None:
                raise SourceError(
                    f"there is no experiment {self.experiment!r}, which logged_models names; "
                    "check its name, and who may read it, in MLflow's user interface"
                )
            yield client, str(found.experiment_id)


def _by_model(versions: Sequence[ModelVersion]) -> Iterator[tuple[str, list[ModelVersion]]]:
    def model(version: ModelVersion) -> str:
        return version.id.model

    for name, group in groupby(sorted(versions, key=lambda one: (model(one), age(one))), model):
        yield name, list(group)


def _is_ready(record: Record) -> bool:
    return str(record.status) == READY


def steps(client: Client, run_id: str | None) -> Mapping[str, int]:
    """The training steps at which a run logged its models; a run that is gone has none."""
    run = existing(client.get_run, run_id) if run_id else None
    outputs: Any = run.outputs.model_outputs if run is not None and run.outputs else ()
    return {output.model_id: output.step for output in outputs}


def _all(
    client: Client, experiment: str, query: str, order: Sequence[Mapping[str, object]], size: int
) -> Iterator[Record]:
    token = None
    for _ in range(MOST_PAGES):
        page = client.search_logged_models(
            [experiment], query, max_results=size, order_by=list(order), page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return
    raise SourceError(f"MLflow {ENDLESS}")
