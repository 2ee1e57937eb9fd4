"""A real PostgreSQL on 127.0.0.1, one for all tests of a process, an empty database for each."""

import atexit
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from tests.mlflow_server import free_port

PATIENCE = 60  # seconds a server may take to start on a busy machine
NUMBERS = count(1)
QUICK = [  # what is written has to survive processes here, not power cuts
    *("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"),
    *("-c", "shared_buffers=16MB", "-c", "max_connections=60"),
]
LIKE_PEOPLE = [  # an order of words that is not that of their bytes: no test may depend on it
    *("--encoding", "UTF8", "--locale-provider", "icu", "--icu-locale", "en-US"),
    *("--locale", "C", "--auth", "scram-sha-256", "--username", "postgres", "--no-sync"),
]


@dataclass
class Server:
    """A server that runs, and can be ended and started again."""

    programs: Path
    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        listen = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        data = ["-D", str(self.folder / "data"), "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own server
                [*ends_with_its_parent(), self.programs / "postgres", *data, *listen, *QUICK],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **as_nobody_special(),
            )
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it at once, as when its machine is turned off in order; by SIGQUIT, as it crashes."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def run(self, statement: str) -> None:
        """Run one statement that cannot be part of a transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self, options: str = "") -> Iterator[str]:
        """The URL of a new empty database, gone afterwards."""
        name = f"ledger_{next(NUMBERS)}"
        self.run(f"CREATE DATABASE {name} {options}")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")


def as_nobody_special() -> dict[str, Any]:
    """How a program is started that refuses to run as root."""
    return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}


def ends_with_its_parent() -> list[str]:
    """What is put before a command that must not outlive tests that are killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT"] if setpriv else []


def programs() -> Path | None:
    """The folder of ``postgres`` and ``initdb``; Debian keeps it out of the search path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    found = shutil.which("initdb", path=os.pathsep.join([*map(str, folders[::-1]), os.defpath]))
    return Path(found).resolve().parent if found else None


@lru_cache
def postgres() -> Server:
    """The server; it ends with the process. A skip with the reason where there is no such one."""
    found = programs()
    if found is None:
        missing = "no PostgreSQL here; install the package postgresql"
        if os.environ.get("AUDITOR_REQUIRE_DATA"):
            pytest.fail(f"{missing}; AUDITOR_REQUIRE_DATA asks for it")
        pytest.skip(missing)
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
    server = Server(found, folder, free_port(), secrets.token_hex(8))
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    password = folder / "password"
    password.write_text(server.password)
    subprocess.run(  # noqa: S603 - our own server
        [found / "initdb", "-D", folder / "data", "--pwfile", password, *LIKE_PEOPLE],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        **as_nobody_special(),
    )
    server.start()
    stack.callback(server.stop)
    return server
