"""Whether it lives and does its work, asked over HTTP."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from auditor.file_cache import RESERVE
from auditor.ledger import Told
from auditor.ledger.lead import lead
from auditor.status.disks import Disk
from tests.web.standing_house import NOW, house, served

HOUR = timedelta(hours=1)


@pytest.fixture
def leader(tmp_path):
    """The lead of the house's ledger, which somebody has."""
    found = lead(f"sqlite:///{tmp_path / 'auditor.db'}")
    assert found.take()
    yield found
    found.drop()


@pytest.fixture
def home(tmp_path, leader):
    assert leader.held()
    with house(tmp_path) as made:
        yield made


@pytest.fixture
def ask(home):
    with served(home) as address:
        yield lambda path: requests.get(address + path, timeout=30)


def looked(home, at=NOW):
    for name in home.rhythms:
        home.ledger.note(name, Told(cursor="c"), at, history=None)


def test_it_lives_and_says_nothing_else(ask):
    found = ask("/healthz")
    assert found.status_code == 200
    assert found.json() == {"alive": True}


def test_it_is_ready_when_it_begins_and_while_sources_are_looked_at(home, ask):
    assert ask("/readyz").json() == {"ready": True, "reasons": []}
    looked(home, NOW + 5 * HOUR)
    home.clock.now = NOW + 5 * HOUR
    assert ask("/readyz").status_code == 200


def test_a_missed_look_is_a_reason_that_names_the_source_and_the_error(home, ask):
    looked(home)
    home.ledger.unreachable("mlflow", "MLflow did not answer", NOW)
    assert ask("/readyz").status_code == 200  # a look may fail; two may not
    home.clock.now = NOW + HOUR
    found = ask("/readyz")
    assert found.status_code == 503
    assert found.json() == {
        "ready": False,
        "reasons": ["source mlflow is overdue since 2026-03-02 12:07 UTC: MLflow did not answer"],
    }
    looked(home, home.clock.now)
    assert ask("/readyz").status_code == 200


def test_a_source_never_reached_makes_it_unready_in_time(home, ask):
    home.clock.now = NOW + timedelta(minutes=8)
    assert ask("/readyz").json()["reasons"] == [
        "source mlflow is overdue since 2026-03-02 12:07 UTC"
    ]


def test_a_paused_source_makes_nothing_unready(home, ask):
    looked(home)
    for name in home.rhythms:
        home.ledger.pause(name, paused=True)
    home.clock.now = NOW + 100 * HOUR
    assert ask("/readyz").status_code == 200


def test_that_nobody_leads_is_a_reason_until_somebody_does(leader, ask):
    leader.drop()
    found = ask("/readyz")
    assert found.status_code == 503
    assert found.json()["reasons"] == [
        "nobody leads: no source is looked at, nothing is delivered; the log says why"
    ]
    assert leader.take()  # asking has not kept it
    assert ask("/readyz").status_code == 200


def test_a_ledger_that_does_not_answer_is_a_reason(home, ask):
    with home.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE sources")
    found = ask("/readyz")
    assert found.status_code == 503
    assert "no such table: sources" in found.json()["reasons"][0]
    assert ask("/healthz").status_code == 200


def test_a_full_disk_is_a_reason_for_each_place_on_it(home):
    nowhere = Path("/proc")  # a file system without a byte of room
    full = home.config.model_copy(update={"data": nowhere / "a", "reports": nowhere / "b"})
    with served(replace(home, config=full)) as address:
        found = requests.get(f"{address}/readyz", timeout=30)
    assert found.status_code == 503
    assert found.json()["reasons"] == [
        f"0 B free for {what} at /proc/{name}, expected 256 MiB; "
        f"delete files, or move {what} elsewhere"
        for what, name in (("data", "a"), ("reports", "b"))
    ]


def test_less_room_than_fetching_leaves_is_too_little():
    assert Disk("data", Path("data"), RESERVE - 1).is_short
    assert not Disk("data", Path("data"), RESERVE).is_short
