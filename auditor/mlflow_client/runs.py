"""Runs of audits: one for each audited version, and one for each model that draws its trend."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from auditor.document import Document
from auditor.mlflow_client import Client
from auditor.mlflow_client.summary import (
    Point,
    created_ms,
    fingerprint,
    headlines,
    identity,
    milliseconds,
    series,
    tidy,
)
from auditor.render import render

BATCH = 1000  # points a request; mlflow takes no more
MODEL_BATCH = 100  # of a LoggedModel, it recovers from points it has by a hundred names at once
KEY = "auditor.key"  # of a run: what it was made from
VERSION = "auditor.version"  # of a run: the version it is about
MARK = "auditor.point."  # of a trend run: which numbers of that version it holds
DRAFT = "auditor.draft"  # of a trend run: what it is to become
GENERATION = "auditor.generation"  # of a trend run: how many came before it
SUPERSEDED = "auditor.superseded"  # of a run: the run that holds newer numbers


class Line(NamedTuple):
    """Where a version is in the trend of its model."""

    key: str  # of the trend, the same for all versions
    title: str
    step: int  # of the version: its number, or the training step of a checkpoint
    mark: str  # names the version in the trend


def audit_run(client: Client, experiment: str, document: Document) -> str:
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
        log_points(client, run_id, heads, made, document["source"].get("model_id"))
        log_points(client, run_id, layers, made)
    client.log_text(run_id, render(document), "report.html")
    client.log_text(run_id, json.dumps(document, allow_nan=False, indent=1), "audit.json")
    _retag(client, run, {"auditor.verdict": document["verdict"], "auditor.audit": document["id"]})
    if run.info.status != "FINISHED":
        client.set_terminated(run_id, end_time=started + round(1e3 * document["timing"]["seconds"]))
    _supersede(client, _runs(client, experiment, VERSION, version), by=run_id)
    return run_id


def trend(client: Client, experiment: str, document: Document, line: Line) -> None:
    """Put the version's headlines, at the step of its number, into its model's one run.

    A step holds what one version has, so this does not depend on which version is audited
    first. Where a version's numbers have changed the run is written anew without the old ones.
    """
    made = created_ms(document)
    points = [point._replace(step=line.step) for point in headlines(document)]
    key, mark, value = line.key, f"{MARK}{line.mark}", fingerprint(made, points)
    run = _find_run(client, experiment, KEY, key)
    if run is None or run.data.tags.get(mark, value) != value:
        fresh = _fresh(client, experiment, line, old=run, made=made)
    else:
        fresh = run
    run_id = fresh.info.run_id
    if fresh.data.tags.get(mark) != value:
        log_points(client, run_id, points, made)
        client.set_tag(run_id, mark, value)
        client.set_terminated(run_id, end_time=max(made, fresh.info.end_time or 0))
    _retag(client, fresh, {KEY: key})  # only now it is found instead of the old one
    _supersede(client, _runs(client, experiment, KEY, key), by=run_id)


def _fresh(client: Client, experiment: str, line: Line, *, old: Any | None, made: int) -> Any:  # noqa: ANN401
    """A run to follow `old`, with its points but for one version's; the same one every time."""
    generation = int(old.data.tags.get(GENERATION, 0)) + 1 if old is not None else 0
    draft = fingerprint(line.key, generation, line.mark)
    run = _find_run(client, experiment, DRAFT, draft)
    if run is None:
        about = {DRAFT: draft, GENERATION: str(generation), "mlflow.source.name": "auditor"}
        run = client.create_run(experiment, tags=about, run_name=line.title)
    if old is not None:
        _copy(client, old, run, line=line, made=made)
    return run


def _copy(client: Client, old: Any, new: Any, *, line: Line, made: int) -> None:  # noqa: ANN401
    """Take over every other version's points."""
    versions: dict[tuple[int, int], list[Point]] = {}
    for key in old.data.metrics:
        for metric in client.get_metric_history(old.info.run_id, key):
            point = Point(key, metric.value, metric.step)
            versions.setdefault((metric.step, metric.timestamp), []).append(point)
    for (step, timestamp), points in versions.items():
        if (step, timestamp) != (line.step, made):
            log_points(client, new.info.run_id, points, timestamp)
    marks = {key: value for key, value in old.data.tags.items() if key.startswith(MARK)}
    _retag(client, new, {key: marks[key] for key in marks if key != f"{MARK}{line.mark}"})


def log_points(
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
