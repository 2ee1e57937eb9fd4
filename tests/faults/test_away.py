"""MLflow cut off and the Hub silent while the service works: nothing is lost, nothing twice."""

import random
import time
from pathlib import Path

import pytest
from safetensors.numpy import save

from tests import models
from tests.faults.daemon import Daemon, documents, is_settled, query, serving, twice
from tests.faults.wire import Mood, Wire, wire
from tests.hub_server import serve as hub_server
from tests.mlflow_server import running
from tests.models import weights

pytestmark = pytest.mark.wide

VERSIONS = 6
CUTS = 2  # for each version
SEED = 20261121


def disturb(line: Wire, draw: random.Random) -> None:
    """Some short faults of either kind."""
    for _ in range(CUTS):
        line.turn(draw.choice((Mood.CUT, Mood.SILENT)))
        time.sleep(draw.uniform(0.2, 2.0))
        line.turn(Mood.FINE)
        time.sleep(draw.uniform(0.2, 2.0))


def outage(line: Wire, daemon: Daemon, source: str) -> None:
    """A fault that lasts until the service has noticed it."""
    noticed = f"SELECT 1 FROM sources WHERE name = '{source}' AND last_error IS NOT NULL"  # noqa: S608
    line.turn(Mood.CUT)
    daemon.until(lambda: bool(query(daemon.root, noticed)), f"notice that {source} is away")
    line.turn(Mood.FINE)


def audited(root: Path) -> list[str]:
    """Versions that have an audit, each as often as it has one."""
    return sorted(str(found["model"]["version"]) for found in documents(root))  # type: ignore[index]


def test_a_registry_that_is_cut_off_again_and_again_is_written_to_once(tmp_path):
    server, draw = running(), random.Random(SEED)  # noqa: S311 - moments, not secrets
    name = server.model()
    with wire(server.uri) as line:
        source = f"{{kind: mlflow, uri: '{line.uri}', models: ['{name}'], history: all, every: 5s}}"
        models.config(tmp_path, sources=f"[{source}]", sinks="[{kind: mlflow}, {kind: files}]")
        with serving(tmp_path) as daemon:
            for number in range(VERSIONS):
                server.register(name, {"model.safetensors": save(weights(number))})
                disturb(line, draw)
            outage(line, daemon, "mlflow")
            daemon.until(lambda: is_settled(tmp_path, VERSIONS), "audit and deliver all")
            assert daemon.stop() == 0
    assert twice(tmp_path) == []
    assert audited(tmp_path) == [str(number + 1) for number in range(VERSIONS)]
    experiment = server.client.get_experiment_by_name("auditor").experiment_id
    for version in audited(tmp_path):
        assert server.client.get_model_version(name, version).tags["auditor.verdict"]
        about = f"attributes.run_name = '{name} v{version}'"
        runs = server.client.search_runs([experiment], about)
        current = [run for run in runs if "auditor.superseded" not in run.data.tags]
        assert len(current) == 1


def test_a_hub_that_falls_silent_again_and_again_is_read_once(tmp_path):
    draw = random.Random(SEED)  # noqa: S311 - moments, not secrets
    with hub_server() as hub, wire(hub.endpoint) as line:
        source = (
            f"{{kind: hub, endpoint: '{line.uri}', repos: [org/net], history: 9, settle: 0,"
            " every: 5s}"
        )
        models.config(tmp_path, sources=f"[{source}]")
        shas = []
        with serving(tmp_path) as daemon:
            for number in range(VERSIONS):
                files = {"model.safetensors": save(weights(number)), "config.json": b"{}"}
                shas.append(hub.push("org/net", files).sha)
                seen = f"SELECT 1 FROM versions WHERE version = '{shas[-1]}'"  # noqa: S608
                disturb(line, draw)
                daemon.until(lambda seen=seen: bool(query(tmp_path, seen)), "see the commit")  # type: ignore[misc]
            outage(line, daemon, "hub")
            daemon.until(lambda: is_settled(tmp_path, VERSIONS), "audit and deliver all")
            assert daemon.stop() == 0
    assert twice(tmp_path) == []
    assert audited(tmp_path) == sorted(shas)
