"""Several processes on one ledger, and processes that are killed."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, event, inspect, select, text

from auditor.ledger import Ledger, engines, watching
from auditor.ledger.models import AuditRow, VersionRow
from tests.ledger.conftest import KINDS
from tests.ledger.makers import DAY, HOUR, START, audited, finding, layer, note, versions
from tests.postgres_server import postgres

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(["tests.ledger.test_processes"])


def audit_all(url: str, owner: str, claimed: Any) -> None:
    ledger = Ledger.open(url)
    while found := ledger.claim(START, lease=HOUR, owner=owner):
        claimed.put((owner, found.version.identity))
        ledger.save(found.version, audited(found.version), sinks=["files"], at=START)
    ledger.close()


@pytest.mark.wide
def test_two_processes_never_get_the_same_version(url):
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
    order = saved_order(ledger)
    for model in models:
        ids = [of.identity for of in model]
        assert [identity for identity in order if identity in ids] == ids
    ledger.close()


def claim_rest(ledger: Ledger) -> list[str]:
    """What nobody got because it was held up when everybody had stopped looking."""
    rest = []
    while found := ledger.claim(START, lease=HOUR, owner="rest"):
        rest.append(found.version.identity)
        ledger.save(found.version, audited(found.version), sinks=["files"], at=START)
    return rest


def saved_order(ledger: Ledger) -> list[str]:
    query = select(VersionRow.identity).join(AuditRow).order_by(AuditRow.id)
    with ledger._read() as session:
        return list(session.scalars(query))


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


def dump(url: str) -> dict[str, list[str]]:
    """Every table; `lost` counts the kills, and PostgreSQL's numbers the transactions undone."""
    engine = engines.make(engines.parse(url))
    differs = {"lost"} if engine.name == "sqlite" else {"lost", "id", "version_id", "audit_id"}
    with engine.connect() as connection:
        tables = {
            name: [
                repr([value for column, value in row.items() if column not in differs])
                for row in connection.execute(text(f'SELECT * FROM "{name}"')).mappings()  # noqa: S608
            ]
            for name in inspect(connection).get_table_names()
        }
        if engine.name == "sqlite":
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
    engine.dispose()
    return {name: sorted(rows) for name, rows in tables.items()}


class Places:
    """New empty ledgers of one kind."""

    def __init__(self, request: pytest.FixtureRequest, stack: ExitStack) -> None:
        self.request, self.stack, self.numbers = request, stack, count()

    def __call__(self) -> str:
        if self.request.param == "sqlite":
            folder = self.request.getfixturevalue("tmp_path")
            return f"sqlite:///{folder / f'{next(self.numbers)}.db'}"
        template = self.request.getfixturevalue("made_database")
        return self.stack.enter_context(postgres().database(f"TEMPLATE {template}"))


@pytest.fixture(params=KINDS)
def new_url(request: pytest.FixtureRequest) -> Iterator[Places]:
    with ExitStack() as stack:
        yield Places(request, stack)


def kill_everywhere(new_url: Places, steps: Iterable[int]) -> int:
    """Kill a run at each of the steps, run again, compare; how many were killed."""
    whole, killed = new_url(), 0
    story(whole, "whole", START + DAY)
    expected = dump(whole)
    for step in steps:
        url = new_url()
        worker = FORKSERVER.Process(target=story_killed_at, args=(url, step))
        worker.start()
        worker.join()
        assert worker.exitcode in {-signal.SIGKILL, 0}
        killed += worker.exitcode == -signal.SIGKILL
        story(url, "next", START + DAY)  # the lease of the dead one has run out
        assert dump(url) == expected, f"killed at step {step}"
        if worker.exitcode == 0:
            break
    return killed


def test_run_after_a_kill_ends_as_if_nothing_had_happened(new_url):
    assert kill_everywhere(new_url, [30, 70]) == 2


@pytest.mark.wide
def test_run_after_a_kill_at_every_single_step_ends_as_if_nothing_had_happened(new_url):
    assert 50 < kill_everywhere(new_url, range(1000)) < 1000


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
        watching.reached(session, "slow", "written first", None)
        held.set()
        time.sleep(0.5)
    ledger.close()
