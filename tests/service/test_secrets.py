"""No secret comes out: each place that holds one has its own, and all that comes out is read."""

import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import numpy as np
import psutil
import psycopg
import pytest
import requests
from safetensors.numpy import save

from auditor.web import tokens
from auditor.web.mlflow_events import signature
from tests import hub_server
from tests.faults.daemon import query, serving
from tests.mlflow_server import Server, free_port, running
from tests.models import weights
from tests.postgres_server import postgres
from tests.telling.receiver import receiving

pytestmark = pytest.mark.wide

JSON = {"Content-Type": "application/json"}
NOBODY = "127.0.0.1:9"  # nobody answers there: what fails says what it was about


@dataclass
class Planted:
    """Secrets by where they are; what came out, by where it was found."""

    secrets: dict[str, str] = field(default_factory=dict)
    came: dict[str, str] = field(default_factory=dict)

    def new(self, where: str, beginning: str = "", end: str = "") -> str:
        """A secret; its middle is looked for, which is spelled the same everywhere."""
        self.secrets[where] = secrets.token_hex(12)
        return f"{beginning}{self.secrets[where]}{end}"

    def file(self, root: Path, where: str, secret: str) -> str:
        path = root / "secrets" / where
        path.parent.mkdir(exist_ok=True)
        path.write_text(secret + "\n")
        return str(path)

    def leaks(self) -> set[tuple[str, str]]:
        """Which secret was found where."""
        return {
            (secret, place)
            for secret, text in self.secrets.items()
            for place, found in self.came.items()
            if text in found
        }


@dataclass
class Spy:
    """Reads what anybody on the machine may: the command line and environment of processes."""

    of: int
    seen: set[str] = field(default_factory=set)
    children: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Spy":
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.thread.join()

    def look(self) -> None:
        while not self.over.wait(0.02):
            try:
                own = psutil.Process(self.of)
                self.seen.add("\n".join(own.cmdline()))
                for child in own.children(recursive=True):
                    self.seen |= {"\n".join(child.cmdline()), repr(child.environ())}
                    self.children += 1
            except psutil.Error:
                continue


def environment(planted: Planted) -> dict[str, str]:
    names = ("MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "SMTP_PASSWORD", "GH_TOKEN")
    return {name: planted.new(f"environment {name}") for name in names}


def configured(
    root: Path, planted: Planted, places: Mapping[str, str], targets: Mapping[str, str]
) -> None:
    """A service with a secret wherever one can be; half of what it asks is not there."""
    registry, hub = places["mlflow"], places["hub"]
    host = registry.removeprefix("http://")
    password = planted.new("password of MLflow", "p@", "/%")
    away = planted.new("password of an MLflow that is away")
    spelled = quote(password, safe="")
    planted.secrets["token of the Hub"] = hub_server.TOKEN
    hooks = {name: planted.new(f"webhooks of {name}", end=" 🤝") for name in ("mlflow", "hub")}
    sources = [
        {
            "kind": "mlflow",
            "models": [places["model"]],
            "uri_file": planted.file(root, "uri", f"http://who:{spelled}@{host}"),
            "webhook_secret_file": planted.file(root, "hook", hooks["mlflow"]),
            "history": "all",
            "every": "5s",
        },
        {"kind": "mlflow", "name": "away", "uri": f"http://who:{away}@{NOBODY}", "every": "5s"},
        {
            "kind": "hub",
            "repos": ["org/net", "org/none"],
            "endpoint": hub,
            "token_file": planted.file(root, "token", hub_server.TOKEN),
            "webhook_secret_file": planted.file(root, "hub-hook", hooks["hub"]),
            "settle": 0,
            "every": "5s",
        },
        {
            "kind": "hub",
            "name": "hub-away",
            "repos": ["org/net"],
            "endpoint": f"http://{NOBODY}",
            "token": planted.new("token of a Hub that is away", "hf_"),
            "every": "5s",
        },
    ]
    in_header, in_path = planted.new("header of a target"), planted.new("path of a target")
    of_user = planted.new("password of a target")
    away_url = f"json://who:{of_user}@{NOBODY}/hook/{in_path}?+X-Token={in_header}"
    notify = [
        {"name": "team", "url_file": planted.file(root, "target", targets["team"])},
        {"name": "nobody", "url": away_url},
    ]
    settings = {
        "policy": "recommended",
        "ledger": places["ledger"],
        "sources": sources,
        "sinks": [{"kind": "files"}, {"kind": "mlflow"}],
        "notify": notify,
        "server": {"port": free_port(), "tokens": "tokens.json"},
    }
    (root / "config.yaml").write_text(json.dumps(settings))


@contextmanager
def world(root: Path, planted: Planted, patch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A registry, a Hub, a database, somebody who is told, and the configuration of it all."""
    server = running()
    for name, secret in environment(planted).items():
        patch.setenv(name, secret)
    rng = np.random.default_rng(1)
    large = {f"{n}.weight": rng.normal(size=(300, 300)).astype("f4") for n in range(12)}
    model = server.model()
    server.register(model, {"model.safetensors": save(large)})
    database = postgres()
    planted.secrets["password of PostgreSQL"] = database.password
    with hub_server.serve() as hub, receiving() as told, database.database() as ledger:
        hub.push("org/net", {"model.safetensors": save(weights(1))})
        told_at = f"{told.url}/{planted.new('path of a target that answers')}"
        places = {"mlflow": server.uri, "hub": hub.endpoint, "ledger": ledger, "model": model}
        configured(root, planted, places, {"team": told_at})
        yield server
        for message in told.got:
            planted.came[f"message {message['title']}"] = json.dumps({**message, "path": ""})


def ask(planted: Planted, url: str, token: str, method: str, path: str, **how: object) -> None:
    """Keep an answer, its headers too."""
    headers = {"Authorization": f"Bearer {token}", **JSON, **how.pop("headers", {})}  # type: ignore[dict-item]
    answer = requests.request(method, url + path, headers=headers, timeout=60, **how)  # type: ignore[arg-type]
    planted.came[f"{method} {path.partition('?')[0]} {len(planted.came)}"] = (
        f"{answer.status_code} {answer.headers} {answer.text}"
    )


def answers(root: Path, planted: Planted, url: str) -> None:
    """Everything the service answers, also to those who send secrets where none belongs."""
    given = {
        role: tokens.add(root / "tokens.json", role.name.lower(), role, datetime.now(UTC))
        for role in (tokens.Role.READ, tokens.Role.ADMIN)
    }
    planted.secrets |= {f"a token to {role.name.lower()}": text for role, text in given.items()}
    read, admin = given.values()
    (found,) = query(root, "SELECT min(document_id) FROM audits")
    lists = ("versions?limit=500", "queue", "problems", "status", f"audits/{found[0]}")
    for path in (
        *("/", "/readyz", "/healthz", "/metrics", "/openapi.json", f"/reports/{found[0]}"),
        *(f"/api/v1/{one}" for one in lists),
        "/api/v1/verdict?ref=models:/no-such-model/1",
        "/api/v1/verdict?ref=hf://org/none",
        f"/?token={planted.new('somebody in the address')}",
    ):
        ask(planted, url, read, "GET", path)
    ask(planted, url, planted.new("a wrong token", "aud_"), "GET", "/")
    for source in ("mlflow", "away", "hub", "hub-away"):
        ask(planted, url, admin, "POST", f"/api/v1/sources/{source}/run", json={})
    wrong = {"X-Webhook-Secret": planted.new("a wrong secret")}
    ask(planted, url, "", "POST", "/webhooks/huggingface", json={}, headers=wrong)
    query_secret = planted.new("a secret in the address")
    ask(planted, url, "", "POST", f"/webhooks/huggingface?secret={query_secret}", json={})
    own, at = (root / "secrets/hook").read_text().strip(), str(int(time.time()))
    signed = {
        "X-MLflow-Delivery-Id": "d",
        "X-MLflow-Timestamp": at,
        "X-MLflow-Signature": signature(own, "d", at, b"{}"),
    }
    ask(planted, url, "", "POST", "/webhooks/mlflow", data=b"{}", headers=signed)
    with psycopg.connect(str(json.loads((root / "config.yaml").read_text())["ledger"])) as one:
        one.execute("UPDATE audits SET verdict = 'nonsense'")  # what follows is a bug
    ask(planted, url, read, "GET", "/")
    with psycopg.connect(str(json.loads((root / "config.yaml").read_text())["ledger"])) as one:
        one.execute("UPDATE audits SET verdict = 'PASS'")


def commands(root: Path, planted: Planted) -> None:
    """What the commands say, each of them with all it logs."""
    for form, words in (
        ("json", ("status",)),
        ("text", ("status", "--json")),
        ("text", ("doctor",)),
        ("text", ("run", "--all")),
        ("json", ("db", "export", "--out", "-")),
        ("text", ("token", "list")),
        ("text", ("webhook", "list", "--source", "away")),
    ):
        command = [sys.executable, "-m", "auditor", "-v", "--log", form, *words]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
        planted.came[" ".join(words)] = done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr


def files(root: Path, planted: Planted, server: Server) -> None:
    """Whatever was written: logs, reports, spectra, and what went to the registry."""
    kept = [path for path in root.rglob("*") if path.is_file() and "secrets" not in path.parts]
    kept += [path for path in server.artifacts.rglob("*") if path.is_file()]
    for path in (*kept, server.folder / "mlflow.db"):
        if path != root / "config.yaml":
            planted.came[str(path)] = path.read_bytes().decode("latin-1")


def test_no_secret_comes_out_anywhere(tmp_path, monkeypatch):
    planted = Planted()
    with world(tmp_path, planted, monkeypatch) as server:
        first = tokens.add(tmp_path / "tokens.json", "first", tokens.Role.READ, datetime.now(UTC))
        planted.secrets["the first token"] = first
        with serving(tmp_path, "--config", "config.yaml") as daemon, Spy(daemon.process.pid) as spy:
            daemon.until(lambda: is_through(tmp_path), "audit, fail and tell")
            answers(tmp_path, planted, address(tmp_path))
            assert daemon.stop() == 0
        assert spy.children
        planted.came["process list"] = "\n".join(spy.seen)
        commands(tmp_path, planted)
        files(tmp_path, planted, server)
    assert len(planted.secrets) > 20
    assert any(place.startswith("message") for place in planted.came)
    assert planted.leaks() == set()
    assert "Traceback" in planted.came[str(tmp_path / "serve.log")]  # of the bug


def is_through(root: Path) -> bool:
    """Whether both versions are audited, two sources were not reached, one message failed."""
    audited = query(root, "SELECT count(*) FROM audits") == [(2,)]
    away = query(root, "SELECT count(*) FROM sources WHERE last_error IS NOT NULL") == [(2,)]
    failed = query(root, "SELECT count(*) FROM notices WHERE target = 'nobody' AND attempts > 0")
    sent = query(root, "SELECT count(*) FROM notices WHERE target = 'team' AND state = 'delivered'")
    gone = query(root, "SELECT count(*) FROM deliveries WHERE state <> 'delivered'") == [(0,)]
    return audited and away and gone and (0,) not in failed + sent and bool(failed and sent)


def address(root: Path) -> str:
    """Where it answers."""
    config = json.loads((root / "config.yaml").read_text())
    return f"http://127.0.0.1:{config['server']['port']}"
