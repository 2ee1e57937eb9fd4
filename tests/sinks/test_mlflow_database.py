"""Audits written to a registry that is an SQLite file, with no server in front of it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import SinkError
from auditor.mlflow_client import connect
from auditor.render import render
from auditor.sinks.mlflow import Mlflow
from auditor.sources.mlflow import Mlflow as Source
from tests import told
from tests.render import factory
from tests.sinks.test_mlflow import about

pytestmark = [
    pytest.mark.wide,
    pytest.mark.filterwarnings(
        "ignore::sqlalchemy.exc.SADeprecationWarning"  # by mlflow's own queries
    ),
]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with mlflow's tables in it; made once, for it takes seconds."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    path.touch()
    connect(f"sqlite:///{path}")
    return path


@pytest.fixture
def registry(empty, tmp_path, monkeypatch) -> Path:
    """The database of a registry, and another working directory than where it lies."""
    (tmp_path / "my registry").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return Path(shutil.copy(empty, tmp_path / "my registry" / "mlflow.db"))


def register(uri: str, name: str = "net") -> Any:
    client = connect(uri)
    client.create_registered_model(name)
    return client.create_model_version(name, source="/nowhere")


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("experiment", ["auditor", "/Shared/auditor"])
def test_reports_lie_beside_the_database_and_not_in_the_working_directory(registry, experiment):
    uri = f"sqlite:///{registry}"
    document = about(register(uri), factory.reviewed())
    Mlflow(uri, experiment).write(document)
    assert listed(Path.cwd()) == []
    assert listed(registry.parent) == ["mlartifacts", "mlflow.db"]
    folder = registry.parent / "mlartifacts" / experiment.lstrip("/")
    (report,) = folder.glob("*/artifacts/report.html")
    assert report.read_text("utf-8") == render(document)


def test_a_database_named_relative_to_the_working_directory_keeps_its_reports(
    registry, monkeypatch
):
    monkeypatch.chdir(registry.parent)
    uri = "sqlite:///mlflow.db"
    document = about(register(uri), factory.passing())
    Mlflow(uri).write(document)
    found = connect(uri).get_experiment_by_name("auditor")
    assert found.artifact_location == (registry.parent / "mlartifacts/auditor").as_uri()


def test_the_report_of_a_tag_can_be_had_from_mlflow(registry):
    uri = f"sqlite:///{registry}"
    version = register(uri)
    Mlflow(uri).write(about(version, factory.passing()))
    shown = connect(uri).get_model_version("net", version.version).tags
    run_id, _, path = shown["auditor.report"].removeprefix("runs:/").partition("/")
    assert [file.path for file in connect(uri).list_artifacts(run_id)] == ["audit.json", path]


def test_writing_twice_leaves_what_once_leaves(registry):
    uri = f"sqlite:///{registry}"
    document = about(register(uri), factory.reviewed())
    Mlflow(uri).write(document)
    once = rows(registry)
    Mlflow(uri).write(document)
    assert rows(registry) == once


def test_an_experiment_that_is_there_keeps_its_place(registry, tmp_path):
    uri = f"sqlite:///{registry}"
    connect(uri).create_experiment("auditor", (tmp_path / "chosen").as_uri())
    Mlflow(uri).write(about(register(uri), factory.passing()))
    assert list((tmp_path / "chosen").glob("*/artifacts/report.html"))


def test_a_database_that_was_made_again_is_read_and_written_anew(registry, empty):
    uri = f"sqlite:///{registry}"
    old = register(uri, "old")
    registry.unlink()
    with pytest.raises(SinkError, match="no MLflow database"):
        Mlflow(uri).write(about(old, factory.passing()))
    shutil.copy(empty, registry)
    new = register(uri, "new")
    Mlflow(uri).write(about(new, factory.passing()))
    assert [seen.version.id.model for seen in told.seen(Source(uri))] == ["new"]
    tags = {row[0] for row in rows(registry) if row[0] == "auditor.verdict"}
    assert tags == {"auditor.verdict"}


def rows(path: Path) -> list[tuple[Any, ...]]:
    """Every tag of a version and of a run, and every point, as the file holds them."""
    asked = (
        "SELECT key, value, name, version FROM model_version_tags",
        "SELECT key, value, run_uuid, 0 FROM tags",
        "SELECT key, value, run_uuid, step FROM metrics",
    )
    with closing(sqlite3.connect(path)) as connection:
        return sorted(row for query in asked for row in connection.execute(query))
