"""A real MLflow server on 127.0.0.1, and registrations of every kind for it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from auditor.mlflow_client import connect

PATIENCE = 120  # seconds a server may take to start on a busy machine


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Run ``mlflow server`` on an SQLite file and artifacts below `folder`; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
                *("--port", str(port), "--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
                *("--artifacts-destination", str(folder / "artifacts")),
            ],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **quiet},
            start_new_session=True,
        )
        try:
            _wait(uri, server, folder / "server.log")
            yield uri
        finally:
            os.killpg(server.pid, 15)
            server.wait(timeout=30)


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


def register(uri: str, name: str, files: dict[str, bytes], path: str = "weights") -> Any:
    """Register raw files of a new run as the next version of `name`; mlflow's record of it."""
    client = connect(uri)
    model(uri, name)
    run = client.create_run("0")
    log(uri, run.info.run_id, files, path)
    client.set_terminated(run.info.run_id)
    source = f"runs:/{run.info.run_id}/{path}"
    return client.create_model_version(name, source, run.info.run_id)


def model(uri: str, name: str) -> None:
    """Make the registered model unless there is one."""
    client = connect(uri)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)


def log(uri: str, run_id: str, files: dict[str, bytes], path: str) -> None:
    """Upload files to a run, their names may have sub-folders."""
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        connect(uri).log_artifacts(run_id, folder, path)
