"""A real MLflow server on 127.0.0.1, one for all tests of a process, and ways to fill it."""

import atexit
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from auditor.mlflow_client import Client, connect

PATIENCE = 180  # seconds a server may take to start on a busy machine
NUMBERS = count(1)


@dataclass(frozen=True)
class Server:
    """Where it answers, and where its database and its artifacts lie."""

    uri: str
    folder: Path

    @property
    def client(self) -> Client:
        return connect(self.uri)

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    def model(self) -> str:
        """The name of a new registered model, no other test's."""
        name = f"model-{next(NUMBERS)}"
        self.client.create_registered_model(name)
        return name

    def log(self, files: Mapping[str, bytes], path: str = "weights") -> Any:
        """A finished run with those files below `path`."""
        run = self.client.create_run("0")
        with TemporaryDirectory() as folder:
            for name, content in files.items():
                target = Path(folder) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            self.client.log_artifacts(run.info.run_id, folder, path)
        self.client.set_terminated(run.info.run_id)
        return run

    def register(self, name: str, files: Mapping[str, bytes]) -> Any:
        """The next version of `name`, raw files of a run; mlflow's record of it."""
        run = self.log(files)
        source = f"runs:/{run.info.run_id}/weights"
        return self.client.create_model_version(name, source, run.info.run_id)

    def log_model(self, name: str, files: Mapping[str, bytes]) -> Any:
        """The next version of `name`, made from a LoggedModel as ``log_model`` makes it."""
        logged = self.client.create_logged_model("0", name="net")
        with TemporaryDirectory() as folder:
            for file, content in files.items():
                (Path(folder) / file).write_bytes(content)
            self.client.log_model_artifacts(logged.model_id, folder)
        self.client.finalize_logged_model(logged.model_id, "READY")
        source = f"models:/{logged.model_id}"
        return self.client.create_model_version(name, source, model_id=logged.model_id)

    def redate(self, version: Any, created: int) -> None:
        """Change when a version was made, in ms, as another machine's clock would have."""
        self.change(version, "creation_time", created)

    def change(self, version: Any, column: str, value: object) -> None:
        """Change a column of a version behind the server's back."""
        where = f"UPDATE model_versions SET {column} = ? WHERE name = ? AND version = ?"  # noqa: S608
        self.execute(where, value, version.name, int(version.version))

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement on the server's database; its rows."""
        with closing(sqlite3.connect(self.folder / "mlflow.db", timeout=30)) as database:
            rows = database.execute(statement, values).fetchall()
            database.commit()
        return rows

    def requests(self) -> int:
        """How many requests the server has answered so far."""
        return (self.folder / "server.log").read_bytes().count(b" HTTP/1.")

    def fill(self, models: int, versions: int, *, newest: int, apart: int, prefix: str) -> None:
        """Register many models behind the server's back: `versions` of each, of no file.

        The newest was made at `newest`, in ms, each of the others `apart` ms before the next.
        """
        dates = [newest - apart * n for n in reversed(range(models * versions))]
        names = [f"{prefix}{n:05}" for n in range(models)]
        registered = [(name, *2 * (dates[(n + 1) * versions - 1],)) for n, name in enumerate(names)]
        made = [
            (name, v + 1, *2 * (dates[n * versions + v],))
            for n, name in enumerate(names)
            for v in range(versions)
        ]
        with closing(sqlite3.connect(self.folder / "mlflow.db", timeout=30)) as database:
            database.executemany(
                "INSERT INTO registered_models (name, creation_time, last_updated_time) "
                "VALUES (?, ?, ?)",
                registered,
            )
            database.executemany(
                "INSERT INTO model_versions (name, version, creation_time, last_updated_time, "
                "source, current_stage, status, run_id, user_id, description) "
                "VALUES (?, ?, ?, ?, 's3://bucket/model', 'None', 'READY', '', '', '')",
                made,
            )
            database.commit()

    def state(self) -> dict[str, object]:
        """All there is: every row of every table, every artifact's size and digest."""
        tables = self.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        rows = {
            name: sorted(map(repr, self.execute(f'SELECT * FROM "{name}"')))  # noqa: S608
            for (name,) in tables
        }
        files = {
            str(path): sha256(path.read_bytes()).hexdigest()
            for path in self.artifacts.rglob("*")
            if path.is_file()
        }
        return {**rows, "files": files}


@lru_cache
def running() -> Server:
    """The server; it ends with the process."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
    return stack.enter_context(serve(folder))


@contextmanager
def serve(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run ``mlflow server`` on an SQLite file and artifacts below `folder`."""
    uri = f"http://127.0.0.1:{free_port()}"
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
        *("--host", "127.0.0.1", "--port", uri.rpartition(":")[2]),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
        *("--artifacts-destination", str(folder / "artifacts")),
        *options,
    ]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - our own server
            command,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **quiet, **(environment or {})},
            start_new_session=True,
        )
        try:
            _wait(uri, server, folder / "server.log")
            yield Server(uri, folder)
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # it would wait for idle connections
            server.wait()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(uri: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            with urlopen(f"{uri}/health", timeout=5):  # noqa: S310 - our own server
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(log.read_text(errors="replace")[-2000:])
