"""A real ``auditor serve``, started, watched from outside, and ended in every way there is."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 240.0  # seconds until something that must happen counts as never happening
LOOK = 0.05  # seconds between looks


@dataclass
class Daemon:
    """One process on the configuration of a folder; its log is ``serve.log`` there."""

    root: Path
    arguments: tuple[str, ...] = ("--no-web",)
    process: "subprocess.Popen[bytes]" = field(init=False)

    def __post_init__(self) -> None:
        with (self.root / "serve.log").open("ab") as log:
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


def query(root: Path, sql: str) -> list[tuple[object, ...]]:
    """Rows of the ledger, read beside whoever writes it; none while it has no tables."""
    path = root / "auditor.db"
    if not path.is_file():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
        try:
            return database.execute(sql).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
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
    return [json.loads(str(row[0])) for row in query(root, "SELECT document FROM audits")]
