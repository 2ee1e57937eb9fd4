"""A version registered before its files: waited for, and never judged half-uploaded."""

import json
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.app import assemble
from auditor.config import load
from auditor.errors import ArrivingError, SourceError
from auditor.mlflow_client.arriving import APART
from auditor.pipeline import App, once
from auditor.sources.mlflow import Mlflow
from auditor.wall.process import here
from tests import models, told
from tests.mlflow_server import Server, running

pytestmark = pytest.mark.wide  # a server that is asked hundreds of times

HOUR = 3600 * 1000  # ms
INDEX = json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}})


@pytest.fixture(scope="module")
def server() -> Server:
    return running()


def early(server: Server) -> tuple[str, str]:
    """A version registered by a run that has uploaded nothing yet: its model, and the run."""
    name, run = server.model(), server.client.create_run("0")
    server.client.create_model_version(name, f"runs:/{run.info.run_id}/weights", run.info.run_id)
    return name, run.info.run_id


def upload(server: Server, run_id: str, name: str, content: str = "x") -> None:
    server.client.log_text(run_id, content, f"weights/{name}")


def files(server: Server, name: str, tmp_path: Path, **given: Any) -> list[str]:
    source = Mlflow(server.uri, models=(name,), cache=tmp_path, **given)
    (seen,) = told.seen(source)
    return [file.name for file in source.files(seen.version)]


@pytest.mark.parametrize(
    ("there", "ended", "said"),
    [
        ([], False, "lists no files.*may still be uploading"),
        ([], True, "lists no files.*may still be uploading"),
        (["config.json"], False, "there is no weight file in it, and its run has not ended"),
        (
            ["model-00001-of-00002.safetensors"],
            True,
            r"model-00002-of-00002\.safetensors is not there",
        ),
        (["model.safetensors.index.json"], True, "none of the files that it names"),
    ],
    ids=["nothing", "nothing, ended", "no weights", "a shard is missing", "an index alone"],
)
def test_what_cannot_be_all_of_it_is_waited_for(server, tmp_path, there, ended, said):
    name, run_id = early(server)
    for file in there:
        upload(server, run_id, file, INDEX)
    if ended:
        server.client.set_terminated(run_id)
    with pytest.raises(ArrivingError, match=said):
        files(server, name, tmp_path)


def test_what_is_old_enough_is_taken_as_it_is(server, tmp_path):
    name, run_id = early(server)
    upload(server, run_id, "model-00001-of-00002.safetensors")
    assert files(server, name, tmp_path, settle=0.0) == ["model-00001-of-00002.safetensors"]


def test_nothing_at_all_becomes_a_failure_in_the_end(server, tmp_path):
    name, _ = early(server)
    with pytest.raises(SourceError, match="or were deleted") as problem:
        files(server, name, tmp_path, settle=0.0)
    assert not isinstance(problem.value, ArrivingError)


def test_files_that_change_while_they_are_listed_are_waited_for(server, tmp_path):
    name, run_id = early(server)
    upload(server, run_id, "model.safetensors")
    (file,) = server.artifacts.glob(f"**/{run_id}/**/model.safetensors")
    over = threading.Event()

    def grow() -> None:
        with file.open("ab") as handle:
            while not over.wait(APART / 10):
                handle.write(b"more")
                handle.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(ArrivingError, match="its files are changing"):
            files(server, name, tmp_path)
    finally:
        over.set()
        writer.join()
    assert files(server, name, tmp_path) == ["model.safetensors"]


def test_a_file_that_grew_before_it_was_fetched_is_waited_for(server, tmp_path):
    name, run_id = early(server)
    upload(server, run_id, "model.safetensors", "whole")
    server.client.set_terminated(run_id)
    source = Mlflow(server.uri, models=(name,), cache=tmp_path)
    (seen,) = told.seen(source)
    (file,) = source.files(seen.version)
    upload(server, run_id, "model.safetensors", "longer than it was")
    with pytest.raises(ArrivingError, match="has 18 bytes but 5 were listed"):
        file.open()


@pytest.mark.wide
def test_an_upload_of_half_an_hour_ends_in_one_audit_and_no_attempt(server, tmp_path):
    """The clock of the line goes on; the server's does not, and needs not."""
    name, run_id = early(server)
    models.config(
        tmp_path,
        sources=f"[{{kind: mlflow, uri: '{server.uri}', models: [{name}]}}]",
        sinks="[{kind: files}]",
    )
    with assemble(load(tmp_path / "config.yaml"), execute=here) as app:
        looks = 0
        for minute in range(30):
            looks += len(once(later(app, minute)).attempts)
            (problem,) = app.ledger.problems()
            assert (problem.state, problem.attempts) == ("pending", 0)
        assert 8 <= looks <= 20  # each pause is a quarter of the wait so far
        models.write(tmp_path / "net", models.weights())
        weights = tmp_path / "net" / "model.safetensors"
        server.client.log_artifact(run_id, str(weights), "weights")
        server.client.set_terminated(run_id)
        (found,) = once(later(app, 40)).audited
        assert found["verdict"] == "PASS"


def later(app: App, minutes: int) -> App:
    return replace(app, clock=lambda: app.clock() + timedelta(minutes=minutes))


def test_time_is_told_in_milliseconds_everywhere(server):
    """A version's age is that of the server's record; both clocks are this machine's here."""
    name, _ = early(server)
    (seen,) = told.seen(Mlflow(server.uri, models=(name,)))
    assert abs(seen.version.created_at.timestamp() - time.time()) < HOUR / 1000
