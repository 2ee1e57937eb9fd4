"""LoggedModels of an experiment as versions: checkpoints nobody has registered."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from mlflow.entities import LoggedModelOutput

from auditor.errors import ConfigError, GoneError, SourceError
from auditor.ledger import Ledger
from auditor.records import Gone, ModelVersion, Reached, Renamed, Seen
from auditor.sinks.mlflow import Mlflow as Sink
from auditor.sources.mlflow import Mlflow
from tests import told
from tests.mlflow_server import Server, running
from tests.render import factory
from tests.watching import news, noted, watch

pytestmark = pytest.mark.wide  # a server that is asked hundreds of times

NUMBERS = count(1)
NEVER = 10.0**9  # seconds until everything is looked at


@pytest.fixture(scope="module")
def server() -> Server:
    return running()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = Ledger.open(f"sqlite:///{tmp_path}/auditor.db")
    yield found
    found.close()


@pytest.fixture
def experiment(server: Server) -> str:
    name = f"training {next(NUMBERS)}/it's"
    server.client.create_experiment(name)
    return name


def checkpoint(server: Server, experiment: str, name: str = "net", **given: Any) -> str:
    """A LoggedModel with a file; `run` and `step` say which training made it."""
    client = server.client
    where = client.get_experiment_by_name(experiment).experiment_id
    run, step = given.get("run"), given.get("step", 0)
    made = client.create_logged_model(where, name=name, source_run_id=run)
    with TemporaryDirectory() as folder:
        (Path(folder) / "model.safetensors").write_bytes(b"weights")
        client.log_model_artifacts(made.model_id, folder)
    if run:
        client.log_outputs(run, [LoggedModelOutput(made.model_id, step)])
    if given.get("ready", True):
        client.finalize_logged_model(made.model_id, "READY")
    return str(made.model_id)


def watching(server: Server, *experiments: str, reconcile: float = NEVER) -> Mlflow:
    """A source that watches experiments and no registered model."""
    return Mlflow(
        server.uri,
        models=("!*",),
        logged_models=experiments,
        history=None,
        reconcile=reconcile,
    )


def ids(source: Mlflow, ledger: Ledger) -> list[str]:
    return [version.id.version for version in noted(source, ledger)]


def only(source: Mlflow) -> ModelVersion:
    (seen,) = told.seen(source)
    return seen.version


def test_a_checkpoint_is_a_version_named_by_its_id(server, experiment):
    run = server.client.create_run(server.client.get_experiment_by_name(experiment).experiment_id)
    made = checkpoint(server, experiment, run=run.info.run_id, step=7)
    source = watching(server, experiment)
    version = only(source)
    assert version.id.model == f"{experiment}/net"
    assert version.id.version == made
    assert version.uri == f"models:/{made}"
    assert version.facts == {
        "run_id": run.info.run_id,
        "model_id": made,
        "experiment": experiment,
        "step": "7",
    }


def test_it_is_found_by_its_id_and_read_also_where_nobody_watches_it(server, experiment, tmp_path):
    made = checkpoint(server, experiment)
    source = Mlflow(server.uri, cache=tmp_path)
    found = source.resolve(f"models:/{made}", None)
    assert found == only(watching(server, experiment))
    (file,) = source.files(found)
    with file.open() as handle:
        assert handle.read() == b"weights"
    assert source.resolve("models:/m-" + "0" * 32, None) is None
    assert source.resolve("alias:champion", found) is None


def test_the_one_before_is_that_of_the_same_name(server, experiment):
    first = checkpoint(server, experiment)
    checkpoint(server, experiment, name="other")
    second = checkpoint(server, experiment)
    source = watching(server, experiment)
    of = {seen.version.id.version: seen.version for seen in told.seen(source)}
    assert source.resolve("previous", of[second]) == of[first]
    assert source.resolve("previous", of[first]) is None


def test_one_that_is_not_ready_is_told_once_it_is(server, experiment, ledger):
    source = watching(server, experiment)
    watch(source, ledger)
    waiting = checkpoint(server, experiment, ready=False)
    ready = checkpoint(server, experiment)
    assert watch(source, ledger)[1] == 1
    assert ids(source, ledger) == [ready]
    server.execute(  # begun two days ago, as a long training does
        "UPDATE logged_models SET creation_timestamp_ms = creation_timestamp_ms - 172800000 "
        "WHERE model_id = ?",
        waiting,
    )
    server.client.finalize_logged_model(waiting, "READY")
    assert watch(source, ledger)[1] == 1
    assert set(ids(source, ledger)) == {ready, waiting}


def test_one_that_failed_is_never_told(server, experiment):
    made = checkpoint(server, experiment, ready=False)
    server.client.finalize_logged_model(made, "FAILED")
    assert told.seen(watching(server, experiment)) == []


def test_a_quiet_experiment_is_asked_two_questions(server, experiment):
    checkpoint(server, experiment)
    source = watching(server, experiment)
    before = told.quiet(told.steps(source, told.steps(source)[-1])[-1])
    asked = server.requests()
    assert told.seen(source, before) == []
    assert server.requests() - asked == 2 + 3  # and three to the registry


def test_a_deleted_one_is_gone(server, experiment, ledger, tmp_path):
    made = checkpoint(server, experiment)
    kept = checkpoint(server, experiment)
    source = watching(server, experiment, reconcile=0)
    watch(source, ledger)
    (version,) = (one for one in noted(source, ledger) if one.id.version == made)
    server.client.delete_logged_model(made)
    (gone,) = news(source, ledger)
    assert isinstance(gone, Gone)
    assert gone.version == version
    assert ids(source, ledger) == [kept]
    with pytest.raises(GoneError, match="was deleted from its experiment"):
        Mlflow(server.uri, cache=tmp_path).files(version)
    server.client.delete_logged_model(kept)
    assert [type(one) for one in news(source, ledger)] == [Gone]


def test_a_renamed_experiment_keeps_its_checkpoints(server, experiment, ledger):
    checkpoint(server, experiment)
    watch(watching(server, experiment), ledger)
    found = server.client.get_experiment_by_name(experiment)
    server.client.rename_experiment(found.experiment_id, f"{experiment} renamed")
    changes, waits = watch(watching(server, f"{experiment} renamed"), ledger)
    assert waits == 0
    (renamed,) = (one for one in changes if not isinstance(one, Seen | Reached))
    assert isinstance(renamed, Renamed)
    assert renamed.after.id.model == f"{experiment} renamed/net"


def test_an_experiment_that_is_not_there_hides_no_other(server, experiment, ledger):
    checkpoint(server, experiment)
    source = watching(server, "nobody's", experiment)
    with pytest.raises(SourceError, match='there is no experiment "nobody\'s"'):
        watch(source, ledger)
    assert len(noted(source, ledger)) == 1


def test_our_own_writes_make_no_checkpoint_new(server, experiment, ledger):
    made = checkpoint(server, experiment)
    source = watching(server, experiment, reconcile=0)
    watch(source, ledger)
    (version,) = noted(source, ledger)
    Sink(server.uri).write(document(version))
    for _ in range(2):
        changes, waits = watch(source, ledger)
        assert waits == 0
        assert not [one for one in changes if not isinstance(one, Seen | Reached)]
    assert ids(source, ledger) == [made]


def test_an_audit_goes_onto_the_logged_model_and_into_a_trend_by_step(server, experiment):
    where = server.client.get_experiment_by_name(experiment).experiment_id
    run = server.client.create_run(where)
    for step in (100, 200):
        checkpoint(server, experiment, run=run.info.run_id, step=step)
    versions = [seen.version for seen in told.seen(watching(server, experiment))]
    for version in (*versions, versions[0]):  # an audit that is written again changes nothing
        Sink(server.uri).write(document(version))
    shown = server.client.get_logged_model(versions[0].id.version)
    assert shown.tags["auditor.verdict"] == "PASS"
    assert "alpha/median" in {metric.key for metric in shown.metrics}
    (trend,) = trends(server, experiment)
    history = server.client.get_metric_history(trend.info.run_id, "alpha/median")
    assert sorted(point.step for point in history) == [100, 200]
    changed = {**document(versions[1], factory.blocked()), "timing": later(factory.blocked())}
    Sink(server.uri).write(changed)
    shown = server.client.get_logged_model(versions[1].id.version)
    assert shown.tags["auditor.verdict"] == "BLOCK"
    (trend,) = trends(server, experiment)
    history = server.client.get_metric_history(trend.info.run_id, "findings/new")
    assert sorted(point.step for point in history) == [100, 200]


def test_a_deleted_checkpoint_is_not_written_to(server, experiment):
    checkpoint(server, experiment)
    version = only(watching(server, experiment))
    server.client.delete_logged_model(version.id.version)
    before = server.state()
    Sink(server.uri).write(document(version))
    assert server.state() == before


def document(version: ModelVersion, made: Any = None) -> dict[str, Any]:
    model = {
        "source": version.id.source,
        "name": version.id.model,
        "version": version.id.version,
        "uri": version.uri,
        "created_at": version.created_at.isoformat(),
    }
    return {**(made or factory.passing()), "model": model, "source": dict(version.facts)}


def later(made: Any) -> dict[str, Any]:
    return {**made["timing"], "started_at": "2099-01-01T00:00:00+00:00"}


def trends(server: Server, experiment: str) -> list[Any]:
    where = server.client.get_experiment_by_name("auditor").experiment_id
    found = server.client.search_runs([where], max_results=1000)
    title = f"{experiment}/net over checkpoints"
    return [
        run
        for run in found
        if run.info.run_name == title and "auditor.superseded" not in run.data.tags
    ]


def test_a_catalog_is_told_where_its_checkpoints_are():
    with pytest.raises(ConfigError, match="a source of uri databricks"):
        Mlflow("databricks-uc", logged_models=("training",))
