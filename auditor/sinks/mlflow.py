"""Verdicts, numbers and reports, written back to the MLflow registry they are about."""

import json
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.document import Document
from auditor.errors import SinkError
from auditor.mlflow_client import Client, connect, database, existing, redact, translated
from auditor.mlflow_client.summary import (
    Point,
    created_ms,
    fingerprint,
    headlines,
    identity,
    milliseconds,
    series,
    tags,
    tidy,
)
from auditor.render import render

log = logging.getLogger(__name__)

BATCH = 1000  # points a request; mlflow takes no more
MODEL_BATCH = 100  # of a LoggedModel, it recovers from points it has by a hundred names at once
KEY = "auditor.key"  # of a run: what it was made from
VERSION = "auditor.version"  # of a run: the version it is about
MARK = "auditor.point."  # of a trend run: which numbers of that version it holds
DRAFT = "auditor.draft"  # of a trend run: what it is to become
GENERATION = "auditor.generation"  # of a trend run: how many came before it
SUPERSEDED = "auditor.superseded"  # of a run: the run that holds newer numbers
MARKS = ("<!-- auditor -->", "<!-- /auditor -->")


@dataclass(frozen=True, slots=True)
class Mlflow:
    """Tags on the model version, a run with metrics and report for it, a trend for its model.

    Written are audits of versions from the source of the same `name`; others are not this
    registry's. Every point carries the version's creation time and every run is found by
    what it was made from, so writing an audit again changes nothing. An audit older than the
    one a version already shows is not written.
    """

    uri: str
    experiment: str = "auditor"
    name: str = "mlflow"
    description: bool = False  # a line with the report's link in the version's description
    alias: str | None = None  # moved to the newest version that passes
    approval_tag: str | None = None  # set to `approval_value` on versions that pass
    approval_value: str = "Approved"
    source_run_metrics: bool = False  # headlines on the team's own run, for "Compare versions"

    def write(self, document: Document) -> None:
        """Deliver one audit; the verdict is written last.

        Raises
        ------
        SinkError
            If MLflow does not answer or refuses.
        """
        model = document["model"]
        if model["source"] != self.name or not model["uri"].startswith("models:/"):
            return
        client = connect(self.uri, to=SinkError)
        with translated(self.uri, f"writing the audit of {model['uri']}", to=SinkError):
            version = existing(client.get_model_version, model["name"], model["version"])
            if version is None or version.creation_timestamp != created_ms(document):
                text = "%s was deleted, its audit is not written"
                log.info(text, model["uri"], extra={"event": "delivery.needless"})
                return
            if not _is_older(document, version):
                self._write(client, document, version)

    def _write(self, client: Client, document: Document, version: Any) -> None:  # noqa: ANN401
        experiment = self._experiment(client)
        run_id = _audit_run(client, experiment, document)
        _trend(client, experiment, document)
        if self.source_run_metrics and version.run_id:
            own = [point._replace(key=f"auditor/{point.key}") for point in headlines(document)]
            _log(client, version.run_id, own, created_ms(document))
        link = self._link(experiment, run_id)
        self._describe(client, version, document["verdict"], link)
        self._approve(client, version, document["verdict"])
        _tag(client, version, tags(document, report=link))

    def _experiment(self, client: Client) -> str:
        """Id of the experiment, made when it is not there."""
        found = client.get_experiment_by_name(self.experiment)
        if found is not None:
            return str(found.experiment_id)
        return str(client.create_experiment(self.experiment, self._artifacts()))

    def _artifacts(self) -> str | None:
        """Beside the database file; without a server mlflow would use the current folder."""
        file = database(self.uri)
        if file is None:
            return None
        return (file.absolute().parent / "mlartifacts" / self.experiment.lstrip("/")).as_uri()

    def _link(self, experiment: str, run_id: str) -> str:
        """Where the report is read: in the UI of a server, else its artifact address."""
        if not self.uri.startswith(("http://", "https://")):
            return f"runs:/{run_id}/report.html"
        page = f"#/experiments/{experiment}/runs/{run_id}/artifacts/report.html"
        return f"{redact(self.uri).rstrip('/')}/{page}"

    def _describe(self, client: Client, version: Any, verdict: str, link: str) -> None:  # noqa: ANN401
        """Our line between our marks; what else the description says stays."""
        if not self.description:
            return
        start, end = MARKS
        line = f"{start}\n**Weight audit: {verdict}** ([report]({link}))\n{end}"
        before = version.description or ""
        ours = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        after = ours.sub(lambda _: line, before) if ours.search(before) else f"{before}\n\n{line}"
        if after.strip() != before:
            client.update_model_version(version.name, version.version, after.strip())

    def _approve(self, client: Client, version: Any, verdict: str) -> None:  # noqa: ANN401
        """Alias and approval tag of a version that passes; taken back if it no longer does."""
        passed, name = verdict == "PASS", version.name
        if self.alias:
            holder = existing(client.get_model_version_by_alias, name, self.alias)
            at = int(holder.version) if holder is not None else 0
            if passed and int(version.version) > at:
                client.set_registered_model_alias(name, self.alias, version.version)
            elif not passed and int(version.version) == at:
                client.delete_registered_model_alias(name, self.alias)
        if self.approval_tag:
            self._approval(client, version, passed=passed)

    def _approval(self, client: Client, version: Any, *, passed: bool) -> None:  # noqa: ANN401
        key, value = str(self.approval_tag), self.approval_value
        if passed:
            _tag(client, version, {key: value})
        elif version.tags.get("auditor.verdict") == "PASS" and version.tags.get(key) == value:
            client.delete_model_version_tag(version.name, version.version, key)  # ours, of then


def _is_older(document: Document, version: Any) -> bool:  # noqa: ANN401
    """Whether the version already shows a later audit than this one."""
    try:
        shown = datetime.fromisoformat(version.tags.get("auditor.audited_at", ""))
        return shown > datetime.fromisoformat(document["timing"]["started_at"])
    except (ValueError, TypeError):  # a tag is anybody's to write
        return False


def _tag(client: Client, version: Any, wanted: dict[str, str]) -> None:  # noqa: ANN401
    """Set what differs: setting an unchanged tag would still call the registry's webhooks."""
    for key, value in wanted.items():
        if version.tags.get(key) != value:
            client.set_model_version_tag(version.name, version.version, key, value)


def _audit_run(client: Client, experiment: str, document: Document) -> str:
    """The run that holds exactly these numbers, with its report; earlier ones superseded."""
    heads, layers, made = headlines(document), series(document), created_ms(document)
    version, model = identity(document), document["model"]
    started = milliseconds(document["timing"]["started_at"])
    key = fingerprint(version, document["analyzer"]["metric_set"], heads, layers)
    about = {KEY: key, VERSION: version, "mlflow.source.name": "auditor"}
    run = _find_run(client, experiment, KEY, key)
    if run is None:
        title = f"{model['name']} v{model['version']}"
        run = client.create_run(experiment, started, tags=about, run_name=title)
    run_id = str(run.info.run_id)
    if run.info.status != "FINISHED":  # set last, so here something is still missing
        _log(client, run_id, heads, made, document["source"].get("model_id"))
        _log(client, run_id, layers, made)
    client.log_text(run_id, render(document), "report.html")
    client.log_text(run_id, json.dumps(document, allow_nan=False, indent=1), "audit.json")
    _retag(client, run, {"auditor.verdict": document["verdict"], "auditor.audit": document["id"]})
    if run.info.status != "FINISHED":
        client.set_terminated(run_id, end_time=started + round(1e3 * document["timing"]["seconds"]))
    _supersede(client, _runs(client, experiment, VERSION, version), by=run_id)
    return run_id


def _trend(client: Client, experiment: str, document: Document) -> None:
    """Put the version's headlines, at the step of its number, into its model's one run.

    A step holds what one version has, so this does not depend on which version is audited
    first. Where a version's numbers have changed the run is written anew without the old ones.
    """
    model, made = document["model"], created_ms(document)
    step = int(model["version"])
    points = [point._replace(step=step) for point in headlines(document)]
    mark, value = f"{MARK}{step}", fingerprint(made, points)
    registered = client.get_registered_model(model["name"])
    key = fingerprint("trend", model["source"], model["name"], registered.creation_timestamp)
    run = _find_run(client, experiment, KEY, key)
    if run is None or run.data.tags.get(mark, value) != value:
        title = f"{model['name']} over versions"
        fresh = _fresh(client, experiment, key, title=title, old=run, without=step)
    else:
        fresh = run
    run_id = fresh.info.run_id
    if fresh.data.tags.get(mark) != value:
        _log(client, run_id, points, made)
        client.set_tag(run_id, mark, value)
        client.set_terminated(run_id, end_time=max(made, fresh.info.end_time or 0))
    _retag(client, fresh, {KEY: key})  # only now it is found instead of the old one
    _supersede(client, _runs(client, experiment, KEY, key), by=run_id)


def _fresh(
    client: Client,
    experiment: str,
    key: str,
    *,
    title: str,
    old: Any | None,  # noqa: ANN401
    without: int,
) -> Any:  # noqa: ANN401
    """A run to follow `old`, with its points but for one version's; the same one every time."""
    generation = int(old.data.tags.get(GENERATION, 0)) + 1 if old is not None else 0
    draft = fingerprint(key, generation, without)
    run = _find_run(client, experiment, DRAFT, draft)
    if run is None:
        about = {DRAFT: draft, GENERATION: str(generation), "mlflow.source.name": "auditor"}
        run = client.create_run(experiment, tags=about, run_name=title)
    if old is not None:
        _copy(client, old, run, without=without)
    return run


def _copy(client: Client, old: Any, new: Any, *, without: int) -> None:  # noqa: ANN401
    """Take over every other version's points."""
    versions: dict[tuple[int, int], list[Point]] = {}
    for key in old.data.metrics:
        for metric in client.get_metric_history(old.info.run_id, key):
            point = Point(key, metric.value, metric.step)
            versions.setdefault((metric.step, metric.timestamp), []).append(point)
    for (step, timestamp), points in versions.items():
        if step != without:
            _log(client, new.info.run_id, points, timestamp)
    marks = {key: value for key, value in old.data.tags.items() if key.startswith(MARK)}
    _retag(client, new, {key: marks[key] for key in marks if key != f"{MARK}{without}"})


def _log(
    client: Client,
    run_id: str,
    points: Sequence[Point],
    timestamp: int,
    model_id: str | None = None,
) -> None:
    """Points of a run, attached to the LoggedModel where there is one."""
    from mlflow.entities import Metric  # noqa: PLC0415 - slow, and after the client is set up

    metrics = [
        Metric(key, value, timestamp, step, model_id=model_id) for key, value, step in points
    ]
    size = MODEL_BATCH if model_id else BATCH
    for start in range(0, len(metrics), size):
        client.log_batch(run_id, metrics=metrics[start : start + size])


def _runs(client: Client, experiment: str, tag: str, value: str) -> list[Any]:
    found = client.search_runs([experiment], f"tags.`{tag}` = '{value}'")
    return sorted(found, key=lambda run: str(run.info.run_id))


def _find_run(client: Client, experiment: str, tag: str, value: str) -> Any | None:  # noqa: ANN401
    """The run with that tag; of several always the same one, the latest in succession."""
    runs = _runs(client, experiment, tag, value)
    return max(runs, key=lambda run: int(run.data.tags.get(GENERATION, 0)), default=None)


def _retag(client: Client, run: Any, wanted: dict[str, str]) -> None:  # noqa: ANN401
    for key, value in wanted.items():
        if run.data.tags.get(key) != value:
            client.set_tag(run.info.run_id, key, tidy(value))


def _supersede(client: Client, runs: Iterable[Any], *, by: str) -> None:
    for run in runs:
        if run.info.run_id == by and SUPERSEDED in run.data.tags:
            client.delete_tag(by, SUPERSEDED)
        elif run.info.run_id != by and run.data.tags.get(SUPERSEDED) != by:
            client.set_tag(run.info.run_id, SUPERSEDED, by)
