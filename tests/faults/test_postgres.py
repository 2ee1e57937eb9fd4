"""PostgreSQL that crashes, is away, or has no room; two services on it: all ends as it should."""

import json
import random
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from auditor.ledger import engines
from tests import models
from tests.ends import partial, state
from tests.faults.daemon import audits, is_settled, serving, twice
from tests.models import weights, write
from tests.postgres_server import postgres

pytestmark = pytest.mark.wide

MODELS, VERSIONS = 4, 5
ALL = MODELS * VERSIONS
CRASHES = 5
AWAY = 15.0  # seconds
REQUESTS = 40  # at once; more than a service has connections
TOO_MANY = "is asked by too many at once"
SEED = 20261121
SOURCE = "{kind: folder, root: MODELS, history: all, settle: 0, every: 5s}"


@pytest.fixture
def url() -> Iterator[str]:
    """An empty database that keeps what it said it keeps, also when it crashes."""
    with postgres().database() as made:
        name = made.rpartition("/")[2]
        postgres().run(f"ALTER DATABASE {name} SET synchronous_commit = on")
        yield made


def fill(root: Path) -> Path:
    """Four models of five versions; the third loses a layer's rank, the last repeats the first."""
    for model in range(MODELS):
        for number in range(1, VERSIONS + 1):
            changed = {"fc2.weight": models.collapsed()} if number == 3 else {}
            made = weights(100 * model + number % VERSIONS, **changed)
            write(root / f"models/net{model}/{number}", made, day=number)
    return root


def watched(root: Path, url: str, folder: Path, **changed: str) -> Path:
    """A place of a service, which watches a folder and has its ledger at `url`."""
    root.mkdir(exist_ok=True)
    source = SOURCE.replace("MODELS", str(folder / "models"))
    models.config(root, sources=f"[{source}]", ledger=url, limits="{audits: 2}", **changed)
    return root


def log_of(root: Path) -> str:
    """The whole log of a service, up to the last line that is complete."""
    return (root / "serve.log").read_text(encoding="utf-8").rpartition("\n")[0]


def told(root: Path, *events: str) -> list[str]:
    """Which of these events the log has, in their order."""
    lines = (line for line in log_of(root).splitlines() if line.startswith("{"))
    named = (json.loads(line)["event"] for line in lines)
    return [event for event in named if event in events]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = fill(tmp_path_factory.mktemp("undisturbed"))
    with postgres().database() as url:
        watched(root, url, root)
        command = [sys.executable, "-m", "auditor", "once"]
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        yield root


def test_a_server_that_crashes_again_and_again_costs_nothing(undisturbed, tmp_path, url):
    root, server = watched(fill(tmp_path), url, tmp_path), postgres()
    moments = random.Random(SEED)  # noqa: S311 - moments, not secrets
    with serving(root) as daemon:
        for crash in range(CRASHES):
            enough = 1 + crash * (ALL - 2) // CRASHES
            daemon.until(lambda enough=enough: audits(root) >= enough, f"audit {enough}")  # type: ignore[misc]
            daemon.until(lambda crash=crash: leads(root) > crash, "lead again")  # type: ignore[misc]
            time.sleep(moments.uniform(0.0, 1.0))
            server.stop(signal.SIGQUIT)
            server.start()
        daemon.until(lambda: leads(root) > CRASHES, "lead again")
        server.stop()
        time.sleep(AWAY)
        server.start()
        daemon.until(lambda: is_settled(root, ALL), "finish")
        daemon.until(lambda: leads(root) > CRASHES + 1, "lead again")
        assert daemon.stop() == 0
    assert twice(root) == []
    assert state(root) == state(undisturbed)
    assert partial(root) == []
    turns = told(root, "leader.gained", "leader.lost")
    assert turns == ["leader.gained", "leader.lost"] * (CRASHES + 2)
    assert told(root, "ledger.unusable")
    assert postgres().password not in log_of(root)


def leads(root: Path) -> int:
    """How often a service has taken the lead."""
    return len(told(root, "leader.gained"))


def test_two_services_share_the_work_and_one_leads(undisturbed, tmp_path, url):
    root = watched(fill(tmp_path), url, tmp_path)
    places = [tmp_path / "first", tmp_path / "second"]
    one, two = (watched(at, url, root, reports=str(root / "reports")) for at in places)
    with serving(one) as first:
        first.until(lambda: leads(one) == 1, "lead")
        with serving(two) as second:
            second.until(lambda: len(told(one, "audit.done")) >= 2, "let the other one work, too")
            second.until(lambda: len(told(two, "audit.done")) >= 2, "share the work")
            assert leads(two) == 0
            first.kill()
            second.until(lambda: leads(two) == 1, "take over")
            second.until(lambda: is_settled(root, ALL), "finish")
            assert second.stop() == 0
    assert twice(root) == []
    assert state(root) == state(undisturbed)
    assert partial(root) == []


def test_a_server_that_takes_no_more_connections_is_waited_for(undisturbed, tmp_path, url):
    root = watched(fill(tmp_path), url, tmp_path)
    with serving(root) as daemon:
        daemon.until(lambda: audits(root) >= 2, "audit some")
        with ExitStack() as held:
            mine = held.enter_context(greedy(url))
            daemon.until(lambda: takes_all(url, mine, held, root), "be left without a connection")
            daemon.until(lambda: log_of(root).count("too many clients") >= 5, "try again")
        daemon.until(lambda: is_settled(root, ALL), "finish")
        assert daemon.stop() == 0
    assert twice(root) == []
    assert state(root) == state(undisturbed)


def greedy(url: str) -> "closing[psycopg.Connection[tuple[Any, ...]]]":
    """A connection that does nothing but take up room."""
    return closing(psycopg.connect(url, autocommit=True, application_name="greedy"))


def takes_all(
    url: str, mine: "psycopg.Connection[tuple[Any, ...]]", held: ExitStack, root: Path
) -> bool:
    """End the connections of others, and open all there can be; whether one was missed."""
    mine.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name <> 'greedy'"
    )
    try:
        while True:
            held.enter_context(greedy(url))
    except psycopg.OperationalError:
        return "too many clients" in log_of(root)


def test_more_requests_than_connections_are_answered(undisturbed, tmp_path, url):
    root = watched(fill(tmp_path), url, tmp_path)
    with serving(root, "--port", "0") as daemon, ThreadPoolExecutor(REQUESTS) as pool:
        daemon.until(lambda: audits(root) >= 2, "audit some")
        found = re.search(r"listening on (\S+)", log_of(root))
        assert found
        with writing(url):
            asked = [pool.submit(resume, found[1]) for _ in range(REQUESTS)]
            daemon.until(lambda: TOO_MANY in log_of(root), "refuse some")
        answers = [one.result() for one in asked]
        daemon.until(lambda: is_settled(root, ALL), "finish")
        assert resume(found[1])[0] == 200
        assert daemon.stop() == 0
    assert {status for status, _ in answers} <= {200, 503}
    assert any(status == 503 and TOO_MANY in said for status, said in answers), answers
    assert twice(root) == []
    assert state(root) == state(undisturbed)


@contextmanager
def writing(url: str) -> Iterator[None]:
    """Be the one writer of a ledger meanwhile."""
    with psycopg.connect(url) as connection:
        connection.execute(f"SELECT pg_advisory_xact_lock({engines.WRITER})")
        yield


def resume(address: str) -> tuple[int, str]:
    """Ask a service to write something: the status of its answer, and the answer."""
    asked = urllib.request.Request(  # noqa: S310 - our own
        f"{address}/api/v1/sources/folder/resume",
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(asked, timeout=240) as answer:  # noqa: S310 - our own
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
