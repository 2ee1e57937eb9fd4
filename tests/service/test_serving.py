"""``auditor serve`` as it is run: started, told to end, killed, started twice."""

import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests import models
from tests.faults.daemon import Daemon, audits, is_settled, query, serving, states, twice
from tests.models import weights, write

HALF_A_MINUTE = 30.0  # seconds: the longest a stop may take
LAYERS = 12
FOLDER = "[{kind: folder, root: models, settle: 0, history: all, every: 5s}]"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    models.config(tmp_path, sources=FOLDER)
    return tmp_path


def auditor(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "auditor", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603


def large(root: Path) -> None:
    """A version that takes longer to measure than to stop."""
    rng = np.random.default_rng(1)
    made = {f"{n}.weight": rng.normal(size=(600, 600)).astype("f4") for n in range(LAYERS)}
    write(root / "models/large/1", made)


def kept(root: Path) -> set[str]:
    return {path.name for path in (root / ".auditor" / "spectra").rglob("*.npz")}


@pytest.mark.wide
def test_an_audit_in_work_is_given_back_and_continued_by_the_next(root):
    large(root)
    with serving(root) as first:
        first.until(lambda: len(kept(root)) >= 1, "measure a layer")
        children = psutil.Process(first.process.pid).children(recursive=True)
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(HALF_A_MINUTE) == 0, first.said
    assert states(root) == {"pending": 1}, first.said
    assert query(root, "SELECT owner, attempts, lost FROM claims") == [(None, 0, 0)]
    assert children
    assert not any(child.is_running() for child in children)
    before = kept(root)
    assert len(before) < LAYERS
    with serving(root) as second:
        second.until(lambda: is_settled(root, 1), "finish it")
        assert second.stop() == 0
    assert kept(root) >= before
    assert twice(root) == []


@pytest.mark.wide
@pytest.mark.parametrize("signals", [1, 2])
def test_what_hangs_keeps_nobody_from_ending(root, signals):
    """A registry that says nothing, and a ledger that somebody else has locked."""
    with silent() as (port, asked):
        models.config(root, sources=f"[{{kind: mlflow, uri: 'http://127.0.0.1:{port}'}}]")
        with serving(root) as daemon:
            daemon.until(asked.is_set, "look")
            with closing(sqlite3.connect(root / "auditor.db", isolation_level=None)) as locked:
                locked.execute("BEGIN IMMEDIATE")
                daemon.process.send_signal(signal.SIGTERM)
                if signals == 2:
                    wait_until_taken(daemon)
                    daemon.process.send_signal(signal.SIGTERM)
                code = daemon.process.wait(HALF_A_MINUTE)
    assert code == (0 if signals == 1 else -signal.SIGTERM), daemon.said


def wait_until_taken(daemon: Daemon) -> None:
    """Until the process has taken the first signal: the next one is no more caught."""
    status = Path(f"/proc/{daemon.process.pid}/status")

    def caught() -> bool:
        line = next(x for x in status.read_text().splitlines() if x.startswith("SigCgt"))
        return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)

    daemon.until(lambda: not caught(), "take the signal")


@contextmanager
def silent() -> Iterator[tuple[int, threading.Event]]:
    """A port at which somebody takes connections and says nothing."""
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return
                asked.set()

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1], asked
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for one in held:
            one.close()


@pytest.mark.wide
def test_the_second_of_two_takes_over_when_the_first_is_killed(root):
    write(root / "models/net/1", weights(1), day=1)
    with serving(root, "--no-web") as first:
        first.until(lambda: is_settled(root, 1), "audit the first version")
        with serving(root, "--no-web") as second:
            second.until(lambda: second.said.count("running without a web door") == 2, "start")
            first.kill()
            write(root / "models/net/2", weights(2), day=2)
            second.until(lambda: is_settled(root, 2), "audit the second version")
            assert second.stop() == 0
    assert (audits(root), twice(root)) == (2, [])


@pytest.mark.wide
def test_it_answers_and_says_where(root):
    models.config(root, sources=FOLDER, server="{port: 0}")
    with serving(root, "--web") as daemon:
        daemon.until(lambda: "listening on " in daemon.said, "say where it listens")
        address = daemon.said.partition("listening on ")[2].split()[0]
        with urllib.request.urlopen(f"{address}/healthz") as answer:  # noqa: S310 - our own
            assert answer.status == 200
        assert daemon.stop() == 0


@pytest.mark.wide
def test_a_ledger_in_memory_and_a_port_in_use_are_sentences(root):
    models.config(root, sources=FOLDER, ledger="'sqlite://'")
    found = auditor(root, "serve")
    assert (found.returncode, found.stdout) == (2, "")
    assert "is gone when the program ends; name a file" in found.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        models.config(root, sources=FOLDER)
        found = auditor(root, "serve", "--port", str(port))
    assert found.returncode == 2
    assert f"127.0.0.1 port {port} is in use" in found.stderr
    assert len(found.stderr.splitlines()) == 1
