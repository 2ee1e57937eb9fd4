"""What could keep an installation from its work: each thing planted, on real servers."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from auditor.cli import run
from auditor.config import Config, Plugin
from auditor.config.service import Server, Target
from auditor.doctor import examine
from auditor.doctor.remembering import _database
from auditor.doctor.symptoms import clock
from auditor.ledger import Ledger, Told
from auditor.ledger.checkup import Checkup
from auditor.ledger.lead import lead
from auditor.records import ModelVersion, VersionId
from auditor.web import create, listening
from auditor.web.tokens import Role, add
from tests import hub_server
from tests.hub_server import Fault, Kind
from tests.ledger.makers import START, audited, version
from tests.mlflow_server import running
from tests.web.standing_house import NOW, house

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def config(tmp_path):
    """A folder of models, and nothing wrong."""
    weights = {"fc.weight": np.eye(8, dtype="float32")}
    for number in (1, 2):
        folder = tmp_path / "models" / "net" / f"v{number}"
        folder.mkdir(parents=True)
        save_file(weights, folder / "model.safetensors")
        os.utime(folder / "model.safetensors", (1e9, 1e9))
        os.utime(folder, (1e9, 1e9))
    return Config(
        ledger=f"sqlite:///{tmp_path / 'auditor.db'}",
        data=tmp_path / "data",
        reports=tmp_path / "reports",
        sources=(Plugin("folder", {"root": tmp_path / "models", "settle": 0.0}),),
        sinks=(Plugin("files"),),
    )


def changed(config: Config, **keys: object) -> Config:
    return config.model_copy(update=keys)


def watching(config: Config, kind: str, **settings: object) -> Config:
    return changed(config, sources=(Plugin(kind, settings),))


def found(config: Config) -> dict[str, list[str]]:
    """What was found, by what was looked at."""
    seen: dict[str, list[str]] = {}
    for symptom in examine(config):
        seen.setdefault(symptom.what, []).append(symptom.found)
    return seen


def bad(config: Config) -> list[tuple[str, str]]:
    return [(symptom.what, symptom.found) for symptom in examine(config) if not symptom.fine]


# --- an installation that is fine ---------------------------------------------------------


def test_nothing_is_wrong_where_nothing_is_and_everything_is_named(config):
    Ledger.open(config.ledger).close()
    seen = found(config)
    assert bad(config) == []
    assert seen.keys() == {
        "policy", "ledger", "versions", "source folder", "files of folder", "sink files",
        "service", "tokens", "disk", "memory", "processors", "eigenvalues", "packages",
    }  # fmt: skip
    assert "journal mode wal, checked" in seen["ledger"][0]
    assert seen["files of folder"][0].endswith("v1 has 1 file, and they can be read")
    assert len(seen["disk"]) == 3
    assert "numpy" in seen["packages"][0]
    assert "threads" in seen["processors"][0]


def test_nothing_is_left_behind(config, tmp_path):
    def there() -> dict[str, str]:
        files = (path for path in sorted(tmp_path.rglob("*")) if path.is_file())
        return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}

    before = there()
    assert found(config)["ledger"] == ["none yet; the first run makes it"]
    assert there() == before


# --- the machine --------------------------------------------------------------------------


def test_a_disk_without_room_is_bad_and_says_what_to_do(config):
    [(what, said)] = bad(changed(config, data=Path("/proc/auditor")))
    assert what == "disk"
    assert said.startswith("0 B free for data at /proc/auditor, expected 256 MiB; delete files")


def test_more_memory_than_there_is_cannot_be_promised(config):
    limits = config.limits.model_copy(update={"memory": 1 << 60})
    [(what, said)] = bad(changed(config, limits=limits))
    assert what == "memory"
    assert said.endswith("which is more than there is: set it lower")


# --- the ledger ---------------------------------------------------------------------------


def test_a_damaged_ledger_is_found(config, tmp_path):
    ledger = Ledger.open(config.ledger)
    for number in range(40):
        one = version(number)
        ledger.save(one, audited(one), sinks=["files"], at=START)
    with ledger.engine.begin() as connection:
        page = connection.exec_driver_sql(
            "SELECT rootpage FROM sqlite_master WHERE name = 'audits'"
        )
        damaged = int(page.scalar_one())
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    with (tmp_path / "auditor.db").open("r+b") as file:
        file.seek((damaged - 1) * 4096)
        file.write(b"\xff" * 4096)
    wrong = bad(config)
    assert {what for what, _ in wrong} <= {"ledger", "source folder", "files of folder"}
    assert "restore the newest backup" in wrong[0][1]
    assert "\n" not in wrong[0][1]


def test_a_ledger_that_makes_readers_wait_is_bad():
    slow = Checkup("sqlite", "0003", 4096, "delete", "", was_checked=True, now=None)
    assert not _database(slow).fine
    assert "use PostgreSQL" in _database(slow).found


def test_a_ledger_of_another_program_is_bad_and_the_rest_is_looked_at(config, tmp_path):
    (tmp_path / "auditor.db").write_bytes(b"no database" * 1000)
    said = dict(bad(config))
    assert said.keys() == {"ledger"}
    assert "source folder" in found(config)


def test_a_sink_that_does_not_take_results_is_bad_until_it_does(config):
    ledger = Ledger.open(config.ledger)
    assert found(config)["sink files"][0].startswith("nothing was delivered yet")
    ledger.save(version(1), audited(version(1)), sinks=["files"], at=START)
    [delivery] = ledger.due(START)
    ledger.undelivered(delivery.id, "403: forbidden", START, timedelta(minutes=1))
    assert bad(config) == [
        (
            "sink files",
            "1 results could not be delivered: 403: forbidden; they are tried again by themselves",
        )
    ]
    ledger.delivered(delivery.id, NOW)
    ledger.close()
    assert found(config)["sink files"] == ["took a result at 2026-03-02 12:00 UTC"]


# --- sources ------------------------------------------------------------------------------


@pytest.mark.wide
def test_a_registry_that_is_away_is_bad(config):
    assert [what for what, _ in bad(watching(config, "mlflow", uri=NOWHERE))] == ["source mlflow"]


def test_a_folder_that_is_not_there_is_bad(config, tmp_path):
    [(what, said)] = bad(watching(config, "folder", root=tmp_path / "none"))
    assert what == "source folder"
    assert "none" in said


@pytest.fixture
def hub():
    with hub_server.serve() as server:
        server.push("org/net", {"model.safetensors": save({"w": np.eye(9)})}, date=START)
        yield server


def test_the_hub_is_asked_little_and_a_byte_of_a_file_is_read(config, hub):
    watched = watching(config, "hub", repos=["org/net"], endpoint=hub.endpoint, settle=0)
    seen = found(watched)
    assert seen["source hub"][0].startswith("answered in ")
    assert "has 1 file, and they can be read" in seen["files of hub"][0]
    assert len([one for one in hub.asked if one.at == "api"]) < 12
    assert hub.sent < 100_000


def test_files_that_may_not_be_read_are_bad_where_the_listing_is_fine(config, hub):
    hub.faults.append(Fault("resolve", Kind.STATUS, 403, times=99))
    watched = watching(config, "hub", repos=["org/net"], endpoint=hub.endpoint, settle=0)
    assert [what for what, _ in bad(watched)] == ["files of hub"]


def test_a_version_that_is_gone_says_nothing_of_the_place(config, hub):
    ledger = Ledger.open(config.ledger)
    gone = ModelVersion(
        VersionId("hub", "org/net", "0" * 40), START, "hf://org/net", f"hf://org/net@{'0' * 40}"
    )
    ledger.note("hub", Told([gone]), NOW, history=None)
    ledger.close()
    watched = watching(config, "hub", repos=["org/net"], endpoint=hub.endpoint, settle=0)
    assert bad(watched) == []
    assert found(watched)["files of hub"][0].startswith("not checked: ")


@contextmanager
def skewed(by: timedelta) -> Iterator[str]:
    """A Hub with nothing in it, whose clock is wrong."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

        def date_time_string(self, timestamp: float | None = None) -> str:
            moment = (datetime.now(UTC) + by).timestamp() if timestamp is None else timestamp
            return super().date_time_string(int(moment))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(("by", "said"), [(-300, "ahead of"), (300, "behind")])
def test_a_clock_that_is_wrong_is_bad(config, by, said):
    with skewed(timedelta(seconds=by)) as endpoint:
        wrong = bad(watching(config, "hub", authors=["org"], endpoint=endpoint))
    [(what, found)] = wrong
    assert what == "clock"
    assert f"s {said} that of hub" in found


def test_a_clock_that_is_a_little_off_is_fine():
    assert clock("hub", NOW, NOW + timedelta(seconds=60)).fine
    assert not clock("hub", NOW, NOW + timedelta(seconds=61)).fine
    assert not clock("hub", NOW, NOW - timedelta(seconds=61)).fine


@pytest.mark.wide
def test_a_real_registry_is_reached_read_and_its_clock_compared(config):
    server = running()
    server.register(server.model(), {"model.safetensors": save({"w": np.eye(9)})})
    seen = found(watching(config, "mlflow", uri=server.uri))
    assert seen["source mlflow"][0].startswith("answered in ")
    assert "1 file" in seen["files of mlflow"][0]
    assert seen["clock"][0].endswith("s from that of mlflow")
    assert seen["webhooks of mlflow"] == [
        "none are taken, since there is no webhook_secret; it is polled"
    ]


@pytest.mark.wide
def test_webhooks_that_nobody_could_believe_are_bad(config):
    server = running()
    made = server.client.create_webhook(  # an event that does not come: nothing is sent there
        "auditor", "https://1.1.1.1/webhooks/mlflow", ["model_version_alias.deleted"]
    )
    try:
        [(what, said)] = bad(watching(config, "mlflow", uri=server.uri))
        assert what == "webhooks of mlflow"
        assert "set webhook_secret_file" in said
        secret = watching(config, "mlflow", uri=server.uri, webhook_secret="x" * 32)
        assert found(secret)["webhooks of mlflow"] == ["taken with a signature, 1 registered"]
    finally:
        server.client.delete_webhook(made.webhook_id)


# --- the service --------------------------------------------------------------------------


def test_whether_a_service_runs_and_answers_is_said(config, tmp_path):
    assert "never ran" in found(config)["service"][0]
    with house(tmp_path) as home, listening(create(home), Server(port=0)) as address:
        port = int(address.rpartition(":")[2])
        serving = changed(config, server=Server(port=port))
        leader = lead(config.ledger)
        assert leader.take()
        assert found(serving)["service"] == [f"runs, and answers at 127.0.0.1:{port} with 200"]
        assert leader.held()
        leader.drop()
        assert "does not run now" in found(serving)["service"][0]
        assert lead(config.ledger).take()  # it was given back


def test_a_service_that_does_not_answer_is_said(config):
    leader = lead(config.ledger)
    assert leader.take()
    said = found(changed(config, server=Server(port=9)))["service"]
    leader.drop()
    assert said == ["runs, and does not answer at 127.0.0.1:9 (ConnectionRefusedError)"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_tokens_that_others_can_read_or_change_are_bad(config, tmp_path, mode):
    path = tmp_path / "tokens.json"
    add(path, "ci", Role.READ, NOW)
    guarded = changed(config, server=Server(tokens=path))
    assert bad(guarded) == []
    assert found(guarded)["tokens"] == [f"1 in {path}"]
    path.chmod(mode)
    assert bad(guarded) == [
        ("tokens", f"{path} has mode {mode:o}, which lets others in: chmod 600 {path}")
    ]


def test_a_service_open_to_others_needs_tokens_that_are_there(config, tmp_path):
    [(what, said)] = bad(changed(config, server=Server(host="0.0.0.0")))  # noqa: S104
    assert what == "tokens"
    assert "auditor token add" in said
    [(what, said)] = bad(changed(config, server=Server(tokens=tmp_path / "none")))
    assert what == "tokens"
    assert "no file of tokens" in said


def test_addresses_of_people_that_cannot_be_used_are_bad_without_their_secrets(config):
    targets = (
        Target(name="team", url="json://localhost/s3cret"),
        Target(name="other", url="nonsense://s3cret"),
    )
    [(what, said)] = bad(changed(config, notify=targets))
    assert what == "notify"
    assert "other" in said
    assert "s3cret" not in said
    assert found(changed(config, notify=targets[:1]))["notify"] == ["team can be addressed"]


# --- the command --------------------------------------------------------------------------


@pytest.mark.wide
def test_the_command_has_a_line_each_and_ends_with_two_where_anything_is_bad(
    tmp_path, monkeypatch, capsys
):
    text = (
        "sources: [{kind: folder, root: none}, {kind: mlflow, uri: 'http://127.0.0.1:9'}]\n"
        "sinks: [{kind: files}]\nlimits: {memory: 1000TiB}\n"
    )
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["doctor"]) == 2
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("BAD ")]
    assert [line.split(":")[0] for line in wrong] == [
        "BAD  source folder", "BAD  source mlflow", "BAD  memory",
    ]  # fmt: skip
