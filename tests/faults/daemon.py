"""A real ``auditor serve``, started, watched from outside, and ended in every way there is."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from auditor.config import load
from auditor.ledger import engines

PATIENCE = 240.0  # seconds until something that must happen counts as never happening
LOOK = 0.05  # seconds between looks
DOCUMENTS = "SELECT CAST(document AS TEXT) FROM audits"
NOT_THERE = ("no such table", "unable to open database file", "UndefinedTable")  # yet


@dataclass
class Daemon:
    """One process on the configuration of a folder; its log is ``serve.log`` there."""

    root: Path
    arguments: tuple[str, ...] = ("--no-web",)
    process: "subprocess.Popen[bytes]" = field(init=False)
    begins: int = field(init=False)  # bytes that processes before it have logged

    def __post_init__(self) -> None:
        with (self.root / "serve.log").open("ab") as log:
            self.begins = log.tell()
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "auditor", "serve", *self.arguments],
                cwd=self.root,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait for something; a process that ends meanwhile will never do it."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert self.process.poll() is None, f"ended while it should {what}: {self.said}"
            assert time.monotonic() < deadline, f"did not {what}: {states(self.root)} {self.said}"
            time.sleep(LOOK)

    @property
    def leads(self) -> bool:
        """Whether it began to lead, and so listens to signals; another one may have led before."""
        return b"this process leads" in (self.root / "serve.log").read_bytes()[self.begins :]

    @property
    def said(self) -> str:
        """The end of its log."""
        return (self.root / "serve.log").read_text(errors="replace")[-3000:]


@contextmanager
def serving(root: Path, *arguments: str) -> Iterator[Daemon]:
    """A daemon that is dead when the block ends, however it ends."""
    daemon = Daemon(root, arguments or ("--no-web",))
    try:
        yield daemon
    finally:
        daemon.kill()


def ledger(root: Path) -> URL:
    """Where the configuration of a folder has its ledger; a file of SQLite is only read."""
    url = engines.parse(load(root / "config.yaml").ledger)
    if url.get_backend_name() != "sqlite":
        return url
    only_read = {"mode": "ro", "uri": "true", "timeout": "30"}
    return url.set(database=f"file:{url.database}", query=only_read)


def query(root: Path, sql: str) -> list[tuple[object, ...]]:
    """Rows of the ledger, read beside whoever writes it; none while it has no tables."""
    engine = create_engine(ledger(root), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]
    except (OperationalError, ProgrammingError) as error:
        if any(word in str(error) for word in NOT_THERE):
            return []
        raise


def states(root: Path) -> dict[str, int]:
    """How many versions are in which state."""
    found = query(root, "SELECT state, count(*) FROM claims GROUP BY state")
    return {str(state): int(str(count)) for state, count in found}


def audits(root: Path) -> int:
    """How many audits there are."""
    return int(str((query(root, "SELECT count(*) FROM audits") or [(0,)])[0][0]))


def is_settled(root: Path, versions: int) -> bool:
    """Whether all of so many versions were audited, and everything was delivered."""
    waiting = query(root, "SELECT count(*) FROM deliveries WHERE state = 'pending'")
    return states(root) == {"done": versions} and waiting == [(0,)]


def twice(root: Path) -> list[tuple[object, ...]]:
    """Versions that have more than one audit."""
    return query(root, "SELECT version_id, count(*) FROM audits GROUP BY 1 HAVING count(*) > 1")


def documents(root: Path) -> list[dict[str, object]]:
    """Every audit."""
    return [json.loads(str(row[0])) for row in query(root, DOCUMENTS)]
