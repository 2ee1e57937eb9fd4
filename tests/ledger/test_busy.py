"""An SQLite file that another program holds, and what is left beside it after long work."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from auditor.errors import ConfigError, LedgerError
from auditor.ledger import Ledger, engines
from tests.ledger.makers import HOUR, START, audited, layer, note, version, versions, waiting

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.executescript(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path, how: str) -> Iterator[None]:
    """A second program that has a lock on the file."""
    command = [sys.executable, "-c", HOLD, str(path), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:  # noqa: S603
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            other.communicate()


@pytest.fixture
def file(tmp_path, file_url, monkeypatch):
    assert file_url
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.2)
    return tmp_path / "auditor.db"


def test_file_that_is_locked_for_too_long_is_said_and_nothing_is_lost(file, file_url):
    with closing(Ledger.open(file_url)) as ledger:
        note(ledger, "mlflow", versions(1, 2), "page 1", None, START)
        found = ledger.claim(START, lease=HOUR, owner="me")
        assert found is not None
        document = audited(found.version)
        with held(file, "BEGIN IMMEDIATE"):
            for _ in range(2):
                with pytest.raises(LedgerError, match="cannot be used now: database is locked"):
                    ledger.save(found.version, document, sinks=["files"], at=START, owner="me")
            assert waiting(ledger) == 2  # what was committed can be read
            assert ledger.latest(found.version) is None
        assert ledger.save(found.version, document, sinks=["files"], at=START, owner="me")
        assert ledger.latest(found.version) == document
        assert len(ledger.due(START)) == 1


def test_file_that_nobody_may_read_now_is_said(file, file_url):
    with (
        held(file, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE"),
        pytest.raises(ConfigError, match=r"auditor\.db cannot be opened: database is locked"),
    ):
        Ledger.open(file_url)
    Ledger.open(file_url).close()


def test_ledger_that_too_many_ask_at_once_is_said(monkeypatch):
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.1)
    with closing(Ledger.open("sqlite://")) as ledger:  # which has one connection
        with ledger._read() as session:
            session.execute(text("SELECT 1"))
            with pytest.raises(LedgerError, match="is asked by too many at once"):
                ledger.states()
        assert waiting(ledger) == 0


@pytest.mark.wide
def test_log_of_changes_stays_small_while_others_read_all_the_time(file, file_url):
    log, largest, over = file.with_name("auditor.db-wal"), 0, threading.Event()
    layers = [layer(f"fc{number}", number) for number in range(200)]

    def read() -> None:
        while not over.is_set():
            ledger.states()
            ledger.latest(version(1))

    with closing(Ledger.open(file_url)) as ledger:
        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(110):
            document = audited(version(number), layers=layers)
            ledger.save(version(number), document, sinks=[], at=START)
            largest = max(largest, log.stat().st_size)
        over.set()
        for reader in readers:
            reader.join()
    assert largest < 2 * engines.LARGEST_LOG
    assert not log.exists()
