"""Several processes on one ledger, and processes that are killed."""

import multiprocessing
import os
import signal
import sqlite3
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from auditor.ledger import Ledger, watching
from tests.ledger.makers import DAY, HOUR, START, audited, finding, layer, note, versions

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(["tests.ledger.test_processes"])


def audit_all(url: str, owner: str, claimed: Any) -> None:
    ledger = Ledger.open(url)
    while found := ledger.claim(START, lease=HOUR, owner=owner):
        claimed.put((owner, found.version.identity))
        ledger.save(found.version, audited(found.version), sinks=["files"], at=START)
    ledger.close()


def test_two_processes_never_get_the_same_version(url, tmp_path):
    ledger = Ledger.open(url)
    models = [versions(1, 2, 3, model=f"model-{n}") for n in range(15)]
    everything = [of for model in models for of in model]
    note(ledger, "mlflow", everything, None, None, START)
    claimed = FORKSERVER.SimpleQueue()
    workers = [FORKSERVER.Process(target=audit_all, args=(url, f"w{n}", claimed)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    got = []
    while not claimed.empty():
        got.append(claimed.get()[1])
    assert len(got) == len(set(got))
    remaining = claim_rest(ledger)
    assert sorted(got + remaining) == sorted(of.identity for of in everything)
    assert len(ledger.due(START)) == len(everything)
    ledger.close()
    for model in models:
        ids = [of.identity for of in model]
        assert [identity for identity in saved_order(tmp_path) if identity in ids] == ids


def claim_rest(ledger: Ledger) -> list[str]:
    """What nobody got because it was held up when everybody had stopped looking."""
    rest = []
    while found := ledger.claim(START, lease=HOUR, owner="rest"):
        rest.append(found.version.identity)
        ledger.save(found.version, audited(found.version), sinks=["files"], at=START)
    return rest


def saved_order(folder: Path) -> list[str]:
    query = "SELECT identity FROM audits JOIN versions ON versions.id = version_id"
    with closing(sqlite3.connect(folder / "auditor.db")) as connection:
        return [identity for (identity,) in connection.execute(f"{query} ORDER BY audits.id")]


# --- kill -9 ------------------------------------------------------------------------------


def story(url: str, owner: str, at: datetime = START) -> None:
    """A sweep, audits of all that waits, one failure, deliveries: what a run does."""
    ledger = Ledger.open(url)
    note(ledger, "mlflow", versions(1, 2) + versions(7, model="other"), "page 1", None, START)
    while found := ledger.claim(at, lease=HOUR, owner=owner):
        of = found.version
        if of.id.model == "other":
            ledger.failed(of, owner, "broken", START, max_attempts=1, pause=HOUR)
            continue
        document = audited(of, layers=[layer("fc", 0)], findings=[finding("rank", "fc")])
        ledger.save(of, document, sinks=["files", "mlflow"], at=START)
    for delivery in ledger.due(at):
        ledger.delivered(delivery.id, START)
    ledger.close()


def story_killed_at(url: str, step: int) -> None:
    """The same, ended by SIGKILL right before its statement or commit number `step`."""
    left = step

    def count(*_: object) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)
    story(url, "killed")


def dump(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every table; `lost` counts the kills and may differ."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        names = [name for (name,) in connection.execute(query)]
        tables = {}
        for name in names:
            rows = connection.execute(f'SELECT * FROM "{name}"')  # noqa: S608 - our own names
            keep = [i for i, column in enumerate(rows.description) if column[0] != "lost"]
            tables[name] = sorted(tuple(row[i] for i in keep) for row in rows)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return tables


def kill_everywhere(folder: Path, steps: range) -> int:
    """Kill a run at each of the steps, run again, compare; how many were killed."""
    story(f"sqlite:///{folder / 'whole.db'}", "whole", START + DAY)
    expected, killed = dump(folder / "whole.db"), 0
    for step in steps:
        url = f"sqlite:///{folder / f'{step}.db'}"
        worker = FORKSERVER.Process(target=story_killed_at, args=(url, step))
        worker.start()
        worker.join()
        assert worker.exitcode in {-signal.SIGKILL, 0}
        killed += worker.exitcode == -signal.SIGKILL
        story(url, "next", START + DAY)  # the lease of the dead one has run out
        assert dump(folder / f"{step}.db") == expected, f"killed at step {step}"
        if worker.exitcode == 0:
            break
    return killed


def test_run_after_a_kill_ends_as_if_nothing_had_happened(tmp_path):
    steps = range(0, 400, 9)
    assert kill_everywhere(tmp_path, steps) > 10


@pytest.mark.wide
def test_run_after_a_kill_at_every_single_step_ends_as_if_nothing_had_happened(tmp_path):
    assert kill_everywhere(tmp_path, range(1000)) < 1000


def test_writer_waits_for_another_writer_instead_of_failing(url):
    ledger = Ledger.open(url)
    held = FORKSERVER.Event()
    worker = FORKSERVER.Process(target=write_slowly, args=(url, held))
    worker.start()
    held.wait()
    assert ledger.cursor("slow") is None  # reading needs no lock and sees what was committed
    note(ledger, "mlflow", versions(1), None, None, START)
    assert ledger.cursor("slow") == "written first"
    worker.join()
    ledger.close()


def write_slowly(url: str, held: Any) -> None:
    ledger = Ledger.open(url)
    with ledger._write() as session:
        watching.reached(session, "slow", "written first", None, START)
        held.set()
        time.sleep(0.5)
    ledger.close()
