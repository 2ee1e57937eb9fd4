"""Who hears of what, how often, and together with what."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.ledger import Told
from auditor.records import Gone, Trouble, Verdict
from auditor.telling import addresses, meet, tell
from auditor.telling.memory import Known, Memory
from tests.ledger.makers import DAY, HOUR, MINUTE, START, audited, version
from tests.telling.conftest import HOURLY, World, configured, team

few = settings(deadline=None, derandomize=True, max_examples=60)


def test_twenty_unchanged_nights_send_nothing(world, receiver):
    world.judged(version(1))
    for _ in range(20):
        world.look(version(1), after=DAY)
        world.tell(after=MINUTE)
    assert receiver.got == []


def test_a_verdict_that_differs_from_the_one_before_is_told_once(world, receiver):
    for number, verdict in enumerate(["PASS", "PASS", "BLOCK", "BLOCK", "REVIEW", "PASS"], 1):
        world.judged(version(number), verdict)
        world.tell(after=HOUR)
    assert [(one["title"], one["type"]) for one in receiver.got] == [
        ("auditor: digits 3: BLOCK (version 2 was PASS)", "failure"),
        ("auditor: digits 5: REVIEW (version 4 was BLOCK)", "warning"),
        ("auditor: digits 6: PASS (version 5 was REVIEW)", "success"),
    ]
    assert receiver.got[0]["message"].startswith("because\n")


def test_the_first_audit_of_a_model_counts_where_it_is_not_pass(world, receiver):
    world.judged(version(1, "sound"), "PASS")
    world.judged(version(1, "broken"), "REVIEW")
    assert receiver.titles == ["auditor: broken 1: REVIEW"]


def test_another_verdict_of_the_same_version_is_never_silent(world, receiver):
    world.judged(version(1), "PASS")
    world.audit(version(1), "BLOCK", policy="stricter")
    world.tell(after=HOUR)
    world.audit(version(1), "PASS", policy="milder")
    world.tell(after=HOUR)
    assert receiver.titles == [
        "auditor: digits 1: BLOCK (audited again, it was PASS)",
        "auditor: digits 1: PASS (audited again, it was BLOCK)",
    ]


def test_a_version_given_up_is_told_although_the_one_before_was_incomplete_too(world, receiver):
    world.judged(version(1), "INCOMPLETE")
    world.look(version(2), after=HOUR)
    document = audited(version(2), verdict=Verdict.INCOMPLETE)
    world.ledger.save(version(2), document, sinks=(), at=world.at, quarantine="too large")
    world.tell(after=HOUR)
    assert receiver.titles[-1] == "auditor: digits 2: quarantined, it could not be audited"


def test_history_and_backfill_send_nothing(world, receiver):
    world.look(*(version(number) for number in range(1, 5)))
    world.audit(version(4), "PASS")
    world.tell(after=HOUR)
    world.ledger.backfill("mlflow", None, None)
    for number in (1, 2, 3):
        world.audit(version(number), "BLOCK")
    world.tell(after=HOUR)
    assert receiver.got == []


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.wide)])
def test_a_first_look_of_many_models_is_one_message(world, receiver, count):
    models = [version(1, f"model-{number:03}") for number in range(count)]
    world.look(*models)
    for number, one in enumerate(models):
        world.audit(one, "BLOCK" if number % 2 else "REVIEW")
        if number % 10 == 0:
            world.tell(after=2 * MINUTE)
    world.tell(after=MINUTE)
    world.tell(after=HOUR)
    (one,) = receiver.got
    assert one["title"] == f"auditor: {count // 2} BLOCK, {count // 2} REVIEW"
    assert one["message"].splitlines()[-1] == f"- and {count - 10} more"
    assert len(one["message"].split()) < 200


@pytest.mark.wide
def test_a_first_look_that_takes_days_is_told_daily(world, receiver):
    models = [version(1, f"model-{number}") for number in range(3)]
    world.look(*models)
    world.audit(models[0], "BLOCK")
    for _ in range(23):
        world.look(after=HOUR)
        world.tell()
    assert receiver.got == []
    world.look(after=HOUR)
    world.tell()
    assert receiver.titles == ["auditor: model-0 1: BLOCK"]


def test_what_comes_within_ten_minutes_goes_together(world, receiver):
    world.judged(version(1))
    for number, verdict in enumerate(["BLOCK", "PASS", "BLOCK", "PASS"], 2):
        world.look(version(number), after=timedelta(seconds=30))
        world.audit(version(number), verdict)
        world.tell(after=timedelta(seconds=30))
    world.tell(after=10 * MINUTE)
    world.tell(after=10 * MINUTE)
    assert receiver.titles == [
        "auditor: digits 2: BLOCK (version 1 was PASS)",
        "auditor: 1 BLOCK, 2 PASS",
    ]
    line = "- digits 4: BLOCK (version 3 was PASS) (and 2 more of this model)"
    assert receiver.got[1]["message"].startswith(line)


def test_a_new_target_hears_of_nothing_older_than_itself(world, receiver):
    world.judged(version(1), "BLOCK")
    told = Told(changes=[Trouble("gated-model", "it is gated")])
    world.ledger.note("mlflow", told, world.at, history=1)
    both = configured(team(receiver), team(receiver, name="later"))
    before = len(receiver.got)
    world.targets = addresses(both)
    world.tell()
    world.targets = world.targets[1:]
    world.tell(after=HOUR)
    assert receiver.got[before:] == []
    world.judged(version(2), "PASS")
    assert receiver.titles[before:] == ["auditor: digits 2: PASS (version 1 was BLOCK)"]


def test_a_target_that_was_taken_out_and_comes_back_is_new(world, receiver):
    here, world.targets = world.targets, ()
    world.judged(version(1), "BLOCK")
    world.targets = here
    world.tell(after=HOUR)
    world.tell(after=HOUR)
    assert receiver.got == []


def test_two_targets_hear_of_what_they_asked_for(world, receiver):
    strict = team(receiver, name="strict", models=["face*"], least="failure")
    world.targets = addresses(configured(strict))
    world.tell()
    for number, verdict in enumerate(["PASS", "REVIEW", "BLOCK", "PASS"], 1):
        world.judged(version(number, "faces"), verdict)
        world.judged(version(number, "digits"), verdict)
    assert receiver.titles == [
        "auditor: faces 3: BLOCK (version 2 was REVIEW)",
        "auditor: faces 4: PASS (version 3 was BLOCK)",  # who heard of it hears that it is over
    ]


@pytest.mark.parametrize("error", [None, "connection refused"])
def test_a_source_that_is_overdue_is_told_once_and_when_it_is_back(world, receiver, error):
    world.look()
    if error:
        world.ledger.unreachable("mlflow", error, world.at)
    for _ in range(20):
        world.tell(after=HOUR)
    world.look()
    world.tell()
    world.tell(after=HOUR)
    state = "cannot be read" if error else "overdue"
    assert receiver.titles == [
        f"auditor: source mlflow {state}",
        "auditor: source mlflow is looked at again",
    ]
    assert (error or "") in receiver.got[0]["message"]
    assert receiver.got[1]["type"] == "success"


def test_a_source_that_is_looked_at_soon_after_a_start_is_not_told(world, receiver):
    world.look()
    world.tell(after=3 * DAY)  # the service was down
    world.look(after=MINUTE)
    world.tell(after=DAY - DAY)
    world.look(after=HOUR)
    world.tell()
    assert receiver.got == []


def test_repositories_in_trouble_are_told_once_and_together(world, receiver):
    many = [Trouble(f"org/model-{number}", "it is gated") for number in range(40)]
    for _ in range(5):
        world.ledger.note("mlflow", Told(changes=many), world.at, history=1)
        world.tell(after=HOUR)
    assert receiver.titles == ["auditor: 40 models in trouble"]
    over = [Trouble(one.model, "") for one in many[1:]]
    world.ledger.note("mlflow", Told(changes=over), world.at, history=1)
    world.tell(after=HOUR / 2)
    assert receiver.titles[1:] == ["auditor: 39 solved"]


def test_a_model_that_is_gone_is_told_once(world, receiver):
    world.judged(version(1))
    gone = Told(changes=[Gone(version(1), "it was deleted")])
    world.ledger.note("mlflow", gone, world.at, history=1)
    for _ in range(3):
        world.look()
        world.tell(after=HOUR)
    assert receiver.titles == ["auditor: digits: gone from mlflow"]


def test_a_version_that_is_refused_is_told_once(world, receiver):
    world.look(version(1))
    world.ledger.refused(version(1), "it lies elsewhere")
    for _ in range(3):
        world.look()
        world.tell(after=HOUR)
    assert receiver.titles == ["auditor: digits 1: refused"]


def test_deliveries_that_are_stuck_for_an_hour_are_told_once(world, receiver):
    world.look(version(1))
    world.ledger.save(version(1), audited(version(1)), sinks=("files",), at=world.at)
    for _ in range(8):
        for due in world.ledger.due(world.at):
            world.ledger.undelivered(due.id, "disk full", world.at, MINUTE)
        world.look()
        world.tell(after=HOUR / 2)
    assert receiver.titles == ["auditor: sink files takes no audits, 1 waiting"]
    for due in world.ledger.due(world.at + DAY):
        world.ledger.delivered(due.id, world.at)
    world.tell()
    assert receiver.titles[1:] == ["auditor: sink files takes audits again"]


@pytest.mark.parametrize("jump", [DAY * 365, -DAY * 365])
def test_a_clock_that_jumps_repeats_nothing_and_loses_nothing(world, receiver, jump):
    world.judged(version(1), "PASS")
    world.judged(version(2), "BLOCK")
    world.at += jump
    world.look()
    world.tell()
    for _ in range(3):
        world.look()
        world.tell(after=MINUTE)
    world.judged(version(3), "PASS")
    world.at -= jump
    world.judged(version(4), "BLOCK")
    assert receiver.titles == [
        "auditor: digits 2: BLOCK (version 1 was PASS)",
        "auditor: digits 3: PASS (version 2 was BLOCK)",
        "auditor: digits 4: BLOCK (version 3 was PASS)",
    ]


def test_two_that_tell_at_once_tell_once(world, receiver):
    world.look(version(1))
    world.audit(version(1), "BLOCK")
    before = world.ledger.memory("team")
    assert before is not None
    world.tell(after=HOUR)
    assert not world.ledger.tell("team", (before, before), [], world.at)
    tell(world.ledger, world.targets, world.rhythms, world.at)
    assert len(receiver.got) == 1


def test_links_lead_to_the_service_where_people_reach_it(ledger, receiver):
    config = configured(team(receiver), server={"url": "https://auditor.example/"})
    world = World(ledger, addresses(config))
    world.tell()
    world.judged(version(1), "BLOCK")
    (one,) = receiver.got
    audit = audited(version(1), verdict=Verdict.BLOCK)
    assert one["message"].splitlines()[-1] == f"https://auditor.example/reports/{audit['id']}"


def test_without_a_service_the_place_of_the_report_is_said(world, receiver):
    world.judged(version(1), "BLOCK")
    assert receiver.got[0]["message"].splitlines()[-1] == "reports/mlflow/digits/1.html"


def test_what_happens_before_the_first_message_is_told_to_who_was_met(ledger, receiver):
    world = World(ledger, addresses(configured(team(receiver))))
    meet(ledger, world.targets, world.rhythms, world.at)
    world.look(version(1))
    world.audit(version(1), "BLOCK")
    world.tell(after=MINUTE)
    assert receiver.titles == ["auditor: digits 1: BLOCK"]


def test_two_processes_that_meet_a_target_at_once_meet_it_once(ledger, receiver):
    targets = addresses(configured(team(receiver)))
    barrier = threading.Barrier(8)

    def start(number: int) -> None:
        barrier.wait()
        meet(ledger, targets, HOURLY, START + MINUTE * number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(8)))
    assert ledger.memory("team") is not None


HOW = {
    "audit": st.integers(0, 50),
    "seen": st.lists(st.integers(0, 99), max_size=3),
    "held": st.lists(st.integers(0, 99), max_size=3),
    "open": st.dictionaries(st.text(), st.builds(Known, st.text(), st.integers(0, 2)), max_size=3),
    "noticed": st.dictionaries(st.text(), st.text(), max_size=3),
    "told": st.none() | st.text(),
    "day": st.none() | st.text(),
    "summed": st.integers(0, 50),
    "wrong": st.lists(st.text(), max_size=3),
}


@few
@given(memory=st.builds(Memory, **HOW))
def test_what_a_target_knows_is_read_as_it_was_written(memory):
    assert Memory.of(memory.text) == memory
