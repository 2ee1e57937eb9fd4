"""A server with workspaces: each is watched, and nothing of one is taken for another's."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from auditor.errors import ConfigError, GoneError, SourceError
from auditor.ledger import Ledger
from auditor.mlflow_client import inside
from auditor.records import NOTHING, Gone, ModelVersion, Renamed, Seen
from auditor.sinks.mlflow import Mlflow as Sink
from auditor.sources.mlflow import Mlflow
from tests import told
from tests.mlflow_server import Server, running, serve
from tests.render import factory
from tests.watching import news, watch

pytestmark = pytest.mark.wide  # a server of its own

TEAMS = ("default", "team-a", "team-b")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Every team has a model of the same name, with weights of its own."""
    with serve(tmp_path_factory.mktemp("workspaces"), "--enable-workspaces") as found:
        for team in TEAMS[1:]:
            found.client.create_workspace(team)
        for team in TEAMS:
            with inside(team):
                found.client.create_experiment("work")
                found.client.create_registered_model("digits")
            register(found, team)
        yield found


def register(server: Server, team: str, model: str = "digits") -> Any:
    """The next version of a team's model."""
    with inside(team):
        client = server.client
        run = client.create_run(client.get_experiment_by_name("work").experiment_id)
        client.log_text(run.info.run_id, f"of {team}", "weights/model.safetensors")
        client.set_terminated(run.info.run_id)
        source = f"runs:/{run.info.run_id}/weights"
        return client.create_model_version(model, source, run.info.run_id)


def versions(source: Mlflow) -> list[ModelVersion]:
    return [seen.version for seen in told.seen(source)]


def content(source: Mlflow, version: ModelVersion) -> bytes:
    (file,) = source.files(version)
    with file.open() as handle:
        return handle.read()


def test_all_workspaces_are_watched_and_their_models_have_their_names(server, tmp_path):
    source = Mlflow(server.uri, workspaces=("*",), cache=tmp_path)
    found = {version.id.model: version for version in versions(source)}
    assert set(found) == {f"{team}:digits" for team in TEAMS}
    for team in TEAMS:
        version = found[f"{team}:digits"]
        assert content(source, version) == f"of {team}".encode()
        assert source.resolve(version.uri, None) == version
        assert version.uri == f"models:/{team}:digits/1"


def test_parts_of_a_file_are_those_of_its_workspace(server, tmp_path):
    source = Mlflow(server.uri, workspaces=("team-b",), cache=tmp_path)
    (version,) = versions(source)
    (file,) = source.files(version)
    assert file.ranges is not None
    with file.ranges() as handle:
        assert handle.read() == b"of team-b"


def test_only_the_workspaces_that_are_named_are_watched_and_found(server):
    source = Mlflow(server.uri, workspaces=("team-a",))
    assert [version.id.model for version in versions(source)] == ["team-a:digits"]
    assert source.resolve("models:/team-b:digits/1", None) is None
    assert source.resolve("models:/digits/1", None) is None
    assert Mlflow(server.uri).resolve("models:/team-a:digits/1", None) is None


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (("digits",), {"team-a:digits", "team-b:digits"}),
        (("team-a:*",), {"team-a:digits"}),
        (("*", "!team-a:*"), {"team-b:digits"}),
        (("*", "!digits"), set()),
    ],
)
def test_patterns_are_of_names_in_every_workspace_or_in_one(server, patterns, found):
    source = Mlflow(server.uri, models=patterns, workspaces=("team-a", "team-b"))
    assert {version.id.model for version in versions(source)} == found


def test_references_are_relative_to_a_version_of_its_workspace(server):
    source = Mlflow(server.uri, workspaces=("*",))
    with inside("team-b"):
        server.client.set_registered_model_alias("digits", "champion", "1")
    of = {version.id.model: version for version in versions(source)}
    assert source.resolve("alias:champion", of["team-b:digits"]) == of["team-b:digits"]
    assert source.resolve("alias:champion", of["team-a:digits"]) is None
    assert source.resolve("models:/team-b:digits@champion", None) == of["team-b:digits"]
    assert source.resolve("previous", of["team-a:digits"]) is None


def test_a_run_is_found_in_whichever_workspace_it_is(server, tmp_path):
    source = Mlflow(server.uri, workspaces=("*",), cache=tmp_path)
    with inside("team-b"):
        run_id = server.client.get_model_version("digits", "1").run_id
    found = source.resolve(f"runs:/{run_id}/weights", None)
    assert found is not None
    assert content(source, found) == b"of team-b"


def test_a_hint_without_a_workspace_is_followed_in_each(server):
    source = Mlflow(server.uri, workspaces=("team-a", "team-b"))
    assert len(list(source.look("digits"))) == 2
    (seen,) = source.look("team-b:digits")
    assert isinstance(seen, Seen)
    assert seen.version.id.model == "team-b:digits"
    assert list(source.look("default:digits")) == []


def test_what_is_gone_in_one_workspace_is_gone_there_alone(server, tmp_path):
    with inside("team-a"):
        server.client.create_registered_model("passing")
    with inside("team-b"):
        server.client.create_registered_model("passing")
    for team in ("team-a", "team-b"):
        register(server, team, "passing")
    ledger = Ledger.open(f"sqlite:///{tmp_path}/auditor.db")
    source = Mlflow(server.uri, models=("pass*",), workspaces=("*",), cache=tmp_path)
    watch(source, ledger)
    with inside("team-a"):
        server.client.delete_model_version("passing", "1")
    with inside("team-b"):
        server.client.rename_registered_model("passing", "passed")
    gone, renamed = news(source, ledger)
    assert isinstance(gone, Gone)
    assert isinstance(renamed, Renamed)
    assert gone.version.uri == "models:/team-a:passing/1"
    assert renamed.after.uri == "models:/team-b:passed/1"
    with pytest.raises(GoneError):
        source.files(gone.version)
    with inside("team-b"):
        server.client.delete_registered_model("passed")
    ledger.close()


def test_an_audit_is_written_back_to_its_workspace_and_to_no_other(server):
    source = Mlflow(server.uri, workspaces=("team-b",))
    (version,) = versions(source)
    model = {
        "source": "mlflow",
        "name": version.id.model,
        "version": "1",
        "uri": version.uri,
        "created_at": version.created_at.isoformat(),
    }
    document = {**factory.passing(), "model": model, "source": dict(version.facts)}
    Sink(server.uri).write(document)
    tags = {}
    for team in TEAMS:
        with inside(team):
            tags[team] = server.client.get_model_version("digits", "1").tags
            there = server.client.get_experiment_by_name("auditor") is not None
            assert there == (team == "team-b")
    assert tags["team-b"]["auditor.verdict"] == "PASS"
    assert tags["team-a"] == tags["default"] == {}
    assert "?workspace=team-b" in tags["team-b"]["auditor.report"]
    assert told.others(source, told.steps(source)[-1], NOTHING) == []


def test_threads_do_not_mix_their_workspaces(server, tmp_path):
    """Each reads and finds its own; the environment, which all share, stays as it was."""
    wrong: list[str] = []

    def read(team: str) -> None:
        source = Mlflow(server.uri, workspaces=(team,), cache=tmp_path / team)
        for _ in range(5):
            (version,) = versions(source)
            if version.id.model != f"{team}:digits" or content(source, version) != (
                f"of {team}".encode()
            ):
                wrong.append(team)

    threads = [threading.Thread(target=read, args=(team,)) for team in TEAMS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert "MLFLOW_WORKSPACE" not in os.environ


def test_a_workspace_that_is_not_there_hides_no_other(server, tmp_path):
    ledger = Ledger.open(f"sqlite:///{tmp_path}/auditor.db")
    source = Mlflow(server.uri, workspaces=("team-a", "nobody"))
    with pytest.raises(SourceError, match="has no workspace nobody for us"):
        watch(source, ledger)
    assert ledger.known("mlflow").models() == {"team-a:digits"}
    ledger.close()


def test_a_new_workspace_is_watched_from_then_on(server):
    source = Mlflow(server.uri, workspaces=("*",))
    cursor = told.steps(source)[-1]
    server.client.create_workspace("team-new")
    with inside("team-new"):
        server.client.create_experiment("work")
        server.client.create_registered_model("digits")
    register(server, "team-new")
    assert "team-new:digits" in {seen.version.id.model for seen in told.seen(source, cursor)}
    server.client.delete_workspace("team-new", mode="CASCADE")


def test_a_server_without_workspaces_says_how_it_gets_them():
    with pytest.raises(SourceError, match="--enable-workspaces"):
        told.seen(Mlflow(running().uri, workspaces=("*",)))


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a_b", "a/b", "a:b", "x" * 64, "a\nb"])
def test_a_name_that_no_workspace_has_is_refused(name):
    with pytest.raises(ConfigError, match="expected 2 to 63 of a-z"):
        Mlflow("http://127.0.0.1:1", workspaces=(name,))


def test_a_database_has_no_workspaces():
    with pytest.raises(ConfigError, match="only a tracking server has them"):
        Mlflow("sqlite:///mlflow.db", workspaces=("team-a",))
