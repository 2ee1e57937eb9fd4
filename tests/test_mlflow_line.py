"""The line against a real MLflow server, with versions as teams register them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.api import analyze
from auditor.app import assemble
from auditor.config import load
from auditor.pipeline import Outcome, once
from auditor.wall.process import here
from tests import models
from tests.mlflow_server import Server, running

PYTORCH = ("line-pt2", "line-pickle", "line-raw")  # one network, three ways to register it
BERT = "line-transformers"
MODELS = (*PYTORCH, BERT)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Server:
    """A server with a version of every kind; logged by a process of its own, as teams do."""
    found = running()
    script = Path(__file__).with_name("log_models.py")
    command = [sys.executable, str(script), *MODELS]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": found.uri,
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(script.parents[1]),
    }
    subprocess.run(  # noqa: S603 - our own script
        command,
        check=True,
        capture_output=True,
        env=environment,
        cwd=tmp_path_factory.mktemp("logging"),
    )
    return found


@pytest.fixture(scope="module")
def root(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("line")
    watched = ", ".join(MODELS)
    models.config(
        folder,
        sources=f"[{{kind: mlflow, uri: '{server.uri}', models: [{watched}], history: all}}]",
        sinks="[{kind: files}, {kind: mlflow}]",
    )
    return folder


@pytest.fixture(scope="module")
def first(root) -> Outcome:
    return run(root)


def run(root: Path) -> Outcome:
    with assemble(load(root / "config.yaml"), execute=here) as app:
        return once(app)


def stored(root: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(root.glob("reports/mlflow/*/1.json")):
        yield json.loads(path.read_text())


@pytest.mark.wide
def test_every_kind_is_audited_exactly_once_and_a_second_run_does_nothing(server, root, first):
    assert sorted(found["model"]["name"] for found in first.audited) == sorted(MODELS)
    assert (first.exit_code, first.undelivered) == (0, [])
    for document in stored(root):
        assert document["counts"]["failed"] == 0
        assert document["counts"]["parameters_read"] == document["counts"]["parameters_total"] > 0

    before = server.state()
    again = run(root)
    assert (again.audited, again.exit_code) == ([], 0)
    assert server.state() == before


@pytest.mark.wide
@pytest.mark.parametrize("name", MODELS)
def test_tags_metrics_and_report_are_there(server, first, name):
    document = next(found for found in first.audited if found["model"]["name"] == name)
    version = server.client.get_model_version(name, "1")
    assert version.tags["auditor.verdict"] == document["verdict"]
    assert version.tags["auditor.reason"]
    (experiment,) = server.client.search_experiments(filter_string="name = 'auditor'")
    runs = server.client.search_runs([experiment.experiment_id])
    (audit,) = (found for found in runs if mentions(server, found, document))
    expected = document["summary"]["alpha"]["median"]
    assert audit.data.metrics["alpha/median"] == pytest.approx(expected, rel=1e-12)


def mentions(server: Server, found: Any, document: Any) -> bool:
    """Whether a run holds this very audit as its artifact."""
    names = {file.path for file in server.client.list_artifacts(found.info.run_id)}
    if not {"audit.json", "report.html"} <= names:
        return False
    path = server.client.download_artifacts(found.info.run_id, "audit.json")
    return bool(json.loads(Path(path).read_text())["id"] == document["id"])


@pytest.mark.wide
def test_the_same_weights_in_several_formats_give_the_same_metrics(server, monkeypatch):
    """Measured anew for each format, with no memory that could make them equal."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    found = [analyze(f"models:/{name}/1", intervals=True, randomize=True) for name in PYTORCH]
    names = [layer.name for layer in found[0].layers]
    assert names == ["0.weight", "2.weight", "4.weight"]
    for other in found[1:]:
        assert [layer.name for layer in other.layers] == names
        for one, two in zip(found[0].layers, other.layers, strict=True):
            assert one.digest == two.digest
            for metric, value in one.metrics.items():
                np.testing.assert_allclose(two.metrics[metric], value, rtol=1e-9, err_msg=metric)


@pytest.mark.wide
def test_a_pickled_module_was_read_without_importing_what_it_names(first):
    document = next(x for x in first.audited if x["model"]["name"] == "line-pickle")
    names = {found["name"] for found in document["weights"]["globals"]}
    assert any("Linear" in name for name in names)
    assert not any(found["dangerous"] for found in document["weights"]["globals"])


def test_raw_weights_in_a_run_become_a_verdict_and_tags(tmp_path):
    """The quick one: raw safetensors in a run, as the default tests see it."""
    server = running()
    name, folder = server.model(), tmp_path / "net"
    for number, weights in enumerate(
        (models.weights(), models.weights(**{"fc2.weight": models.collapsed()})), start=1
    ):
        models.write(folder / str(number), weights)
        file = folder / str(number) / "model.safetensors"
        version = server.register(name, {"model.safetensors": file.read_bytes()})
        server.redate(version, 1_767_225_600_000 + number)
    models.config(
        tmp_path,
        sources=f"[{{kind: mlflow, uri: '{server.uri}', models: [{name}], history: all}}]",
        sinks="[{kind: files}, {kind: mlflow}]",
    )
    outcome = run(tmp_path)
    assert [found["verdict"] for found in outcome.audited] == ["PASS", "BLOCK"]
    tags = server.client.get_model_version(name, "2").tags
    assert tags["auditor.verdict"] == "BLOCK"
    assert tags["auditor.reason"].startswith("fc2.weight lost its rank")


@pytest.mark.wide
def test_nothing_we_write_starts_an_audit(tmp_path):
    """Also what changes a registered model, and also when everything is looked at."""
    server = running()
    name, file = server.model(), tmp_path / "net" / "model.safetensors"
    models.write(file.parent, models.weights())
    server.register(name, {"model.safetensors": file.read_bytes()})
    source = f"kind: mlflow, uri: '{server.uri}', models: [{name}]"
    sink = "kind: mlflow, description: true, alias: audited, approval_tag: approved"
    audited = []
    for reconcile in ("1d", "1d", "1s", "1s"):
        models.config(
            tmp_path, sources=f"[{{{source}, reconcile: {reconcile}}}]", sinks=f"[{{{sink}}}]"
        )
        audited.append(len(run(tmp_path).audited))
    assert audited == [1, 0, 0, 0]
    assert server.client.get_model_version_by_alias(name, "audited").version == "1"


@pytest.mark.wide
def test_the_alias_is_looked_up_for_every_version_anew(tmp_path):
    server = running()
    name = server.model()
    models.config(
        tmp_path,
        sources=f"[{{kind: mlflow, uri: '{server.uri}', models: [{name}]}}]",
        sinks="[{kind: files}]",
    )
    client, folder = server.client, tmp_path / "net"

    def audited() -> str | None:
        """Register one more version, audit it; what it was compared with."""
        number = str(len(list(folder.glob("*"))) + 1)
        models.write(folder / number, models.weights(int(number)))
        content = (folder / number / "model.safetensors").read_bytes()
        server.register(name, {"model.safetensors": content})
        if number == "3":
            client.set_registered_model_alias(name, "champion", "3")
        (document,) = run(tmp_path).audited
        comparison = document["comparison"]
        return str(comparison["baseline"]["uri"]) if comparison else None

    assert audited() is None
    client.set_registered_model_alias(name, "champion", "1")
    assert audited() == f"models:/{name}/1"
    assert audited() == f"models:/{name}/2"  # the alias is on the version itself: the one before
    client.set_registered_model_alias(name, "champion", "1")
    assert audited() == f"models:/{name}/1"  # it was moved back
    client.set_registered_model_alias(name, "champion", "2")
    client.delete_model_version(name, "2")
    assert audited() == f"models:/{name}/4"  # it went with its version
