"""The day's summary: once, and only where anything happened."""

from datetime import datetime

import pytest

from auditor.ledger import Told
from auditor.records import Trouble
from auditor.telling import addresses
from tests.ledger.makers import DAY, START, version
from tests.telling.conftest import World, configured, team

pytestmark = pytest.mark.wide


def at(clock: str, day: int = 1) -> datetime:
    hours, minutes = clock.split(":")
    return (START + DAY * day).replace(hour=int(hours), minute=int(minutes), second=0)


@pytest.fixture
def world(ledger, receiver):
    """It wants a digest at eight, and to hear of nothing else but failures."""
    entry = team(receiver, digest="08:00", least="failure")
    found = World(ledger, addresses(configured(entry)), at("07:00"))
    found.look()
    found.tell()
    return found


def go(world: World, moment: datetime) -> None:
    world.at = moment
    world.look()
    world.tell()


def test_it_comes_once_a_day_at_its_time_also_over_restarts(world, receiver):
    world.look(version(1))
    world.audit(version(1), "REVIEW")
    for clock in ("07:30", "07:59", "08:00", "08:01", "12:00", "23:59"):
        world.targets = addresses(configured(team(receiver, digest="08:00", least="failure")))
        go(world, at(clock))
    assert receiver.titles == ["auditor, 2026-01-06: 1 audited: 1 REVIEW"]
    assert receiver.got[0]["message"].splitlines() == [
        "- digits 1: REVIEW reports/mlflow/digits/1.html",
        "",
        "0 versions wait for their audit, 0 quarantined.",
    ]


@pytest.mark.wide
def test_twenty_days_on_which_nothing_happened_have_none(world, receiver):
    for day in range(1, 21):
        for clock in ("07:00", "08:00", "20:00"):
            go(world, at(clock, day))
    assert receiver.got == []


@pytest.mark.wide
def test_what_happens_after_eight_is_told_the_next_day(world, receiver):
    go(world, at("08:00"))
    world.look(version(1))
    world.audit(version(1))
    go(world, at("09:00"))
    assert receiver.got == []
    go(world, at("08:00", 2))
    go(world, at("08:00", 3))
    assert receiver.titles == ["auditor, 2026-01-07: 1 audited: 1 PASS"]


def test_a_service_that_was_down_at_eight_tells_later(world, receiver):
    world.look(version(1))
    world.audit(version(1))
    go(world, at("15:30", 4))
    assert receiver.titles == ["auditor, 2026-01-09: 1 audited: 1 PASS"]


def test_the_worst_come_first_and_no_more_than_ten(world, receiver):
    for number in range(30):
        verdict = ("REVIEW", "BLOCK", "PASS")[number % 3]
        one = version(1, f"model-{number:02}")
        world.look(one)
        world.audit(one, verdict)
    trouble = Told(changes=[Trouble("gated", "it is gated")])
    world.ledger.note("mlflow", trouble, world.at, history=1)
    go(world, at("08:00"))
    digest = next(one for one in receiver.got if one["title"].startswith("auditor, "))
    assert digest["title"] == "auditor, 2026-01-06: 30 audited: 10 BLOCK, 10 REVIEW, 10 PASS"
    lines = digest["message"].splitlines()
    assert all("BLOCK" in line for line in lines[:10])
    assert lines[10:] == [
        "- and 10 more",
        "",
        "0 versions wait for their audit, 0 quarantined.",
        "",
        "Wrong now:",
        "",
        "- gated: it is gated",
    ]


def test_a_clock_that_goes_back_brings_no_second_one(world, receiver):
    world.look(version(1))
    world.audit(version(1))
    go(world, at("08:00", 2))
    go(world, at("08:00", 1))
    world.look(version(2))
    world.audit(version(2))
    go(world, at("09:00", 2))
    go(world, at("09:00", 3))
    assert receiver.titles == [
        "auditor, 2026-01-07: 1 audited: 1 PASS",
        "auditor, 2026-01-08: 1 audited: 1 PASS",
    ]
