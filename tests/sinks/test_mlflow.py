"""Audits written back to a real MLflow server."""

import json
import statistics
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditor.document import Document
from auditor.errors import SinkError
from auditor.mlflow_client.summary import LONGEST_TAG, findings, headlines, series, tags
from auditor.render import render
from auditor.sinks.mlflow import Mlflow
from tests.mlflow_server import Server, free_port, running
from tests.render import factory

pytestmark = pytest.mark.wide  # half a minute of its server; one line of it is default

WEIGHTS = {"model.safetensors": b"weights"}
EXPERIMENT = "auditor"


@pytest.fixture(scope="module")
def server() -> Server:
    return running()


def about(version: Any, document: Document, **given: Any) -> Document:
    """The audit as if it were of that registered version."""
    created = datetime.fromtimestamp(version.creation_timestamp / 1000, tz=UTC)
    model = {
        "source": "mlflow",
        "name": version.name,
        "version": str(version.version),
        "uri": f"models:/{version.name}/{version.version}",
        "created_at": created.isoformat(),
    }
    return {**document, "model": model, **given}


def later(document: Document, **given: Any) -> Document:
    started = datetime.fromisoformat(document["timing"]["started_at"]) + timedelta(days=1)
    timing = {**document["timing"], "started_at": started.isoformat()}
    return {**document, "timing": timing, **given}


def version_of(server: Server, version: Any) -> Any:
    return server.client.get_model_version(version.name, version.version)


def runs(server: Server, title: str) -> list[Any]:
    experiment = server.client.get_experiment_by_name(EXPERIMENT)
    found = server.client.search_runs([experiment.experiment_id])
    return [run for run in found if run.info.run_name == title]


def audit_runs(server: Server, version: Any) -> list[Any]:
    return runs(server, f"{version.name} v{version.version}")


def trends(server: Server, version: Any) -> list[Any]:
    found = runs(server, f"{version.name} over versions")
    return [run for run in found if "auditor.superseded" not in run.data.tags]


def points(server: Server, run: Any) -> dict[str, list[tuple[int, int, float]]]:
    """Every point of every metric: step, time, value."""
    found: dict[str, list[tuple[int, int, float]]] = {}
    rows = server.execute(
        "SELECT key, step, timestamp, value FROM metrics WHERE run_uuid = ? ORDER BY step, value",
        run.info.run_id,
    )
    for key, *point in rows:
        found.setdefault(key, []).append(tuple(point))
    return found


@pytest.fixture(scope="module")
def written(server) -> tuple[Any, Document]:
    """A version, and the audit that was written onto it."""
    version = server.register(server.model(), WEIGHTS)
    document = about(version, factory.reviewed())
    Mlflow(server.uri).write(document)
    return version, document


# --- what a version shows -------------------------------------------------------------------


def test_a_version_shows_verdict_reason_and_where_the_report_is(server, written):
    version, document = written
    shown = version_of(server, version).tags
    assert shown["auditor.verdict"] == document["verdict"]
    assert shown["auditor.reason"] == document["reason"]
    assert shown["auditor.weights"] == document["weights"]["digest"]
    assert shown["auditor.baseline"] == document["comparison"]["baseline"]["uri"]
    assert shown["auditor.audited_at"] == document["timing"]["started_at"]
    assert float(shown["auditor.alpha.median"]) == pytest.approx(
        document["summary"]["alpha"]["median"], rel=1e-3
    )
    (run,) = audit_runs(server, version)
    assert shown["auditor.report"] == (
        f"{server.uri}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
        "/artifacts/report.html"
    )


def test_findings_are_counted_by_severity_without_those_dealt_with():
    found = [
        {"origin": origin, "severity": severity}
        for origin, severity in [
            ("new", "critical"),
            ("open", "critical"),
            ("new", "warning"),
            ("fixed", "critical"),
            ("waived", "warning"),
            ("accepted", "warning"),
        ]
    ]
    assert findings({"findings": found}) == "2 critical, 1 warning"
    assert findings({"findings": []}) == "none"


@pytest.mark.parametrize(
    "make", [factory.passing, factory.blocked, factory.incomplete, factory.hostile]
)
def test_every_kind_of_audit_can_be_written(server, make):
    version = server.register(server.model(), WEIGHTS)
    hostile = make()["reason"] + "\0" + "x" * 10_000
    Mlflow(server.uri).write(about(version, make(), reason=hostile))
    shown = version_of(server, version).tags
    assert shown["auditor.verdict"] == make()["verdict"]
    assert all(len(value) <= LONGEST_TAG and "\0" not in value for value in shown.values())


# --- the run of a version -------------------------------------------------------------------


def test_the_run_holds_report_and_document(server, written):
    version, document = written
    (run,) = audit_runs(server, version)
    folder = server.artifacts / run.info.experiment_id / run.info.run_id / "artifacts"
    assert json.loads((folder / "audit.json").read_text("utf-8")) == document
    assert (folder / "report.html").read_text("utf-8") == render(document)
    assert run.info.status == "FINISHED"


def test_metrics_are_the_documents_numbers_dated_by_the_version(server, written):
    version, document = written
    (run,) = audit_runs(server, version)
    found = points(server, run)
    at = version.creation_timestamp
    summary = document["summary"]
    assert found["alpha/median"] == [(0, at, summary["alpha"]["median"])]
    assert found["alpha/mean"] == [(0, at, summary["alpha"]["mean"])]
    assert found["findings/new"] == [(0, at, document["counts"]["findings"]["new"])]
    assert found["alpha/layers"] == [
        (layer["index"], at, layer["alpha"])
        for layer in document["layers"]
        if layer["alpha"] is not None
    ]
    relative = [layer["relative"] for layer in document["comparison"]["layers"]]
    assert found["distance/relative"] == [(0, at, statistics.median(relative))]


def test_what_is_undefined_is_no_point():
    document = factory.passing()
    layers = [{**document["layers"][0], "alpha": None}, *document["layers"][1:]]
    steps = [p.step for p in series({**document, "layers": layers}) if p.key == "alpha/layers"]
    assert steps == [layer["index"] for layer in layers[1:]]
    broken = {"alpha": {"median": None, "mean": float("nan")}}
    names = {point.key for point in headlines({**document, "summary": broken})}
    assert not {"alpha/median", "alpha/mean"} & names
    assert tags({**document, "summary": {}}, report="")["auditor.alpha.median"] == "undefined"


def test_headlines_are_attached_to_the_logged_model(server):
    version = server.log_model(server.model(), WEIGHTS)
    logged = version.source.removeprefix("models:/")
    document = about(version, factory.passing(), source={"model_id": logged})
    Mlflow(server.uri).write(document)
    attached = {m.key: m.value for m in server.client.get_logged_model(logged).metrics}
    assert attached == {point.key: point.value for point in headlines(document)}


# --- again, and again -----------------------------------------------------------------------


def test_writing_twice_leaves_what_once_leaves(server, written):
    _, document = written
    once = server.state()
    Mlflow(server.uri).write(document)
    assert server.state() == once


def test_a_delivery_that_was_cut_off_ends_as_one_that_was_not(server):
    version = server.log_model(server.model(), WEIGHTS)
    logged = version.source.removeprefix("models:/")
    document = about(version, factory.large(blocks=4), source={"model_id": logged})
    Mlflow(server.uri).write(document)
    whole = server.state()
    (run,) = audit_runs(server, version)
    server.client.update_run(run.info.run_id, status="RUNNING")
    for tag in ("auditor.verdict", "auditor.policy"):
        server.client.delete_model_version_tag(version.name, version.version, tag)
    (trend,) = trends(server, version)
    server.client.delete_tag(trend.info.run_id, "auditor.key")
    server.client.delete_tag(trend.info.run_id, "auditor.point.1")
    assert server.state() != whole
    Mlflow(server.uri).write(document)
    assert server.state() == whole


def test_changed_numbers_go_to_a_new_run_and_the_old_one_says_so(server):
    version = server.register(server.model(), WEIGHTS)
    first = about(version, factory.passing())
    second = later(about(version, factory.blocked()))
    for document in (first, second):
        Mlflow(server.uri).write(document)
    superseded = {
        run.data.metrics["findings/new"]: run.data.tags.get("auditor.superseded")
        for run in audit_runs(server, version)
    }
    (new,) = [run for run in audit_runs(server, version) if "BLOCK" in run.data.tags.values()]
    assert superseded == {0.0: new.info.run_id, new.data.metrics["findings/new"]: None}
    assert version_of(server, version).tags["auditor.verdict"] == "BLOCK"
    twice = server.state()
    Mlflow(server.uri).write(first)  # an old delivery, come late
    assert server.state() == twice


def test_another_judgement_of_the_same_numbers_is_shown_in_the_same_run(server):
    version = server.register(server.model(), WEIGHTS)
    first = about(version, factory.passing())
    policy = {"name": "strict", "hash": "0123456789abcdef"}
    second = later(first, id="judged-again", reason="Stricter now", verdict="REVIEW", policy=policy)
    for document in (first, second):
        Mlflow(server.uri).write(document)
    shown = version_of(server, version).tags
    assert shown["auditor.verdict"] == "REVIEW"
    assert shown["auditor.reason"] == "Stricter now"
    assert shown["auditor.policy"] == "strict 0123456789ab"
    assert shown["auditor.audited_at"] == second["timing"]["started_at"]
    (run,) = audit_runs(server, version)
    assert run.data.tags["auditor.verdict"] == "REVIEW"
    assert run.data.tags["auditor.audit"] == "judged-again"
    folder = server.artifacts / run.info.experiment_id / run.info.run_id / "artifacts"
    assert json.loads((folder / "audit.json").read_text("utf-8")) == second


def test_an_audit_of_a_deleted_version_is_nobodys_any_more(server):
    name = server.model()
    version = server.register(name, WEIGHTS)
    server.client.delete_registered_model(name)
    Mlflow(server.uri).write(about(version, factory.passing()))
    server.client.create_registered_model(name)
    again = server.register(name, WEIGHTS)
    Mlflow(server.uri).write(about(version, factory.passing()))
    assert version_of(server, again).tags == {}


@pytest.mark.parametrize(
    "change",
    [{"source": "folder"}, {"source": "path", "uri": "/x"}, {"uri": "runs:/abc/x"}],
)
def test_what_is_no_version_of_this_registry_is_left_to_others(change):
    document = factory.passing()
    nowhere = Mlflow(f"http://127.0.0.1:{free_port()}")
    nowhere.write({**document, "model": {**document["model"], **change}})


def test_a_server_that_does_not_answer_is_a_sink_error():
    uri = f"http://user:s3cret@127.0.0.1:{free_port()}"
    with pytest.raises(SinkError, match="did not answer while writing the audit of") as problem:
        Mlflow(uri).write(factory.passing())
    assert "s3cret" not in str(problem.value)


# --- the run of a model ---------------------------------------------------------------------


def test_one_run_draws_a_model_over_its_versions_in_any_order(server):
    name = server.model()
    versions = [server.register(name, WEIGHTS) for _ in range(2)]
    documents = [
        about(versions[0], factory.passing()),
        about(versions[1], factory.blocked()),
    ]
    for document in reversed(documents):
        Mlflow(server.uri).write(document)
    (trend,) = trends(server, versions[0])
    assert points(server, trend)["alpha/median"] == [
        (step, version.creation_timestamp, document["summary"]["alpha"]["median"])
        for step, version, document in zip((1, 2), versions, documents, strict=True)
    ]


def test_a_versions_changed_numbers_replace_its_own_point_only(server):
    name = server.model()
    versions = [server.register(name, WEIGHTS) for _ in range(2)]
    for version in versions:
        Mlflow(server.uri).write(about(version, factory.passing()))
    changed = later(about(versions[0], factory.blocked()))
    Mlflow(server.uri).write(changed)
    (trend,) = trends(server, versions[0])
    new = changed["counts"]["findings"]["new"]
    assert [(step, value) for step, _, value in points(server, trend)["findings/new"]] == [
        (1, new),
        (2, 0.0),
    ]


# --- only by configuration ------------------------------------------------------------------


def test_nothing_else_of_the_teams_is_touched_by_default(server, written):
    version, _ = written
    found = version_of(server, version)
    assert (found.description, list(found.aliases)) == ("", [])
    assert all(tag.startswith("auditor.") for tag in found.tags)
    assert server.client.get_run(version.run_id).data.metrics == {}


def test_a_line_in_the_description_replaces_only_itself(server):
    version = server.register(server.model(), WEIGHTS)
    server.client.update_model_version(version.name, version.version, "The team's words.")
    sink = Mlflow(server.uri, description=True)
    sink.write(about(version, factory.passing()))
    sink.write(later(about(version, factory.blocked())))
    text = version_of(server, version).description
    assert text.startswith("The team's words.")
    assert text.count("Weight audit") == 1
    assert "**Weight audit: BLOCK** ([report](http" in text


def test_alias_and_approval_go_to_the_newest_version_that_passes(server):
    name = server.model()
    versions = [server.register(name, WEIGHTS) for _ in range(3)]
    sink = Mlflow(server.uri, alias="audited", approval_tag="weights")
    made = (factory.passing(), factory.passing(), factory.blocked())
    for version, document in reversed(list(zip(versions, made, strict=True))):
        sink.write(about(version, document))
    client = server.client
    assert client.get_model_version_by_alias(name, "audited").version == versions[1].version
    approved = [version_of(server, version).tags.get("weights") for version in versions]
    assert approved == ["Approved", "Approved", None]
    sink.write(later(about(versions[1], factory.blocked())))
    assert version_of(server, versions[1]).aliases == []
    assert "weights" not in version_of(server, versions[1]).tags


def test_headlines_on_the_teams_run_carry_our_name(server):
    version = server.register(server.model(), WEIGHTS)
    document = about(version, factory.passing())
    Mlflow(server.uri, source_run_metrics=True).write(document)
    found = server.client.get_run(version.run_id).data.metrics
    assert found["auditor/alpha/median"] == document["summary"]["alpha"]["median"]
