"""How the watching goes, read from real ledgers in which everything that can be wrong is."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.cli import run
from auditor.ledger import Ledger, Notice, Told
from auditor.records import Priority, Rhythm, Trouble, Verdict
from auditor.status import as_json, status, watched
from auditor.status.looking import deadline
from auditor.status.standing import quantile
from auditor.status.text import lines
from auditor.web.page import page
from tests.ledger.makers import audited, finding, version, versions

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MINUTELY = {"mlflow": Rhythm(every=60.0)}
NIGHTLY = {"mlflow": Rhythm(cron="0 2 * * *", timezone="UTC")}
LEASE = timedelta(minutes=10)


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(f"sqlite:///{tmp_path / 'auditor.db'}")
    yield opened
    opened.close()


def noted(ledger, *seen, at=NOW, priority=Priority.REGISTRATION, history=None):
    ledger.note("mlflow", Told(seen, cursor="c"), at, history=history, priority=priority)


def kinds(found):
    return [alarm.kind for alarm in found.alarms]


# --- sources ------------------------------------------------------------------------------


def test_an_empty_ledger_is_healthy_and_has_no_figures(ledger):
    found = status(ledger, MINUTELY, NOW)
    assert found.exit_code == 0
    assert (found.latency.count, found.latency.p50, found.latency.p95) == (0, None, None)
    assert [one.name for one in found.sources] == ["mlflow"]
    assert found.sources[0].next_look == NOW
    assert found.verdicts == dict.fromkeys(map(str, Verdict), 0)


@pytest.mark.parametrize(
    ("rhythm", "last", "late"),
    [
        (Rhythm(every=60.0), 7 * MINUTE, False),
        (Rhythm(every=60.0), 7 * MINUTE + timedelta(seconds=1), True),
        (Rhythm(every=60.0, jitter=30.0), 7 * MINUTE + timedelta(seconds=1), False),
        (Rhythm(every=3600.0), 2 * HOUR, False),
        (Rhythm(every=3600.0), 2 * HOUR + 6 * MINUTE, True),
        (Rhythm(cron="0 2 * * *", timezone="UTC"), 10 * HOUR, False),  # had at 02:00 today
        (Rhythm(cron="0 2 * * *", timezone="UTC"), 11 * HOUR, True),  # last at 01:00
        (Rhythm(cron="30 11 * * *", timezone="UTC"), DAY, False),  # half an hour late only
        (Rhythm(cron="0 2 * * 0", timezone="UTC"), 3 * DAY, True),  # missed Sunday
        (Rhythm(cron="0 2 * * 2", timezone="UTC"), 5 * DAY, False),  # Tuesday comes
    ],
)
def test_a_source_is_overdue_once_its_look_is_missed(ledger, rhythm, last, late):
    ledger.note("mlflow", Told(cursor="c"), NOW - last, history=None)
    found = status(ledger, {"mlflow": rhythm}, NOW)
    assert kinds(found) == (["overdue"] if late else [])
    assert found.exit_code == (2 if late else 0)


@given(
    every=st.floats(5, 1e6),
    jitter=st.floats(0, 1e4),
    last=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
@settings(derandomize=True)
def test_one_missed_look_of_any_interval_is_forgiven(every, jitter, last):
    rhythm = Rhythm(every=every, jitter=jitter)
    slowest = last + timedelta(seconds=2 * every + jitter)
    assert slowest < deadline(rhythm, last) <= slowest + 5 * MINUTE + timedelta(seconds=1)


@pytest.mark.parametrize(
    "last", [datetime(2026, 3, 28, 2, tzinfo=UTC), datetime(2026, 10, 24, 2, tzinfo=UTC)]
)
def test_the_night_the_clocks_change_calls_no_source_overdue(last):
    rhythm = Rhythm(cron="30 2 * * *", timezone="Europe/Berlin")
    assert timedelta(hours=20) < deadline(rhythm, last) - last < timedelta(hours=50)


def test_a_paused_source_is_neither_overdue_nor_next(ledger):
    ledger.note("mlflow", Told(cursor="c"), NOW - DAY, history=None)
    ledger.unreachable("mlflow", "no answer", NOW - HOUR)
    ledger.pause("mlflow", paused=True)
    found = status(ledger, MINUTELY, NOW)
    assert found.exit_code == 0
    assert found.sources[0].paused
    assert found.sources[0].next_look is None
    ledger.ask_look("mlflow", NOW)
    assert status(ledger, MINUTELY, NOW).sources[0].next_look == NOW


def test_a_source_that_failed_says_why_and_since_when_it_was_not_reached(ledger):
    ledger.note("mlflow", Told(cursor="c"), NOW - 2 * MINUTE, history=None)
    ledger.unreachable("mlflow", "MLflow did not answer", NOW - MINUTE)
    found = status(ledger, MINUTELY, NOW)
    assert kinds(found) == ["unreachable"]
    assert "last reached 2026-03-02 11:58 UTC: MLflow did not answer" in found.alarms[0].sentence
    assert found.exit_code == 2


def test_a_source_that_was_never_reached_is_overdue_from_the_services_start(ledger):
    assert kinds(status(ledger, MINUTELY, NOW)) == []
    assert kinds(status(ledger, MINUTELY, NOW, begun=NOW - MINUTE)) == []
    assert kinds(status(ledger, MINUTELY, NOW, begun=NOW - HOUR)) == ["overdue"]


def test_a_source_no_longer_configured_is_shown_and_never_late(ledger):
    noted(ledger, *versions(1), at=NOW - 300 * DAY)
    [found] = status(ledger, {}, NOW).sources
    assert (found.name, found.rhythm, found.overdue_since) == ("mlflow", "", None)
    assert found.versions == {"pending": 1}


def test_troubles_and_remarks_of_a_source_are_there(ledger):
    told = Told(changes=[Trouble("a/b", "is gated")], cursor="c", remarks={"limit": "9 of 10"})
    ledger.note("mlflow", told, NOW, history=None)
    [found] = watched(ledger.sources(), NIGHTLY, NOW)
    assert found.troubles == {"a/b": "is gated"}
    assert found.remarks == {"limit": "9 of 10"}
    [shown] = page(status(ledger, NIGHTLY, NOW)).sections[2].entries
    assert shown.badge.words == "troubled"
    assert found.next_look == datetime(2026, 3, 3, 2, tzinfo=UTC)


# --- queue --------------------------------------------------------------------------------


def test_the_queue_is_counted_by_priority(ledger):
    noted(ledger, *versions(1), priority=Priority.NIGHTLY)
    noted(ledger, version(1, "b", day=1))
    noted(ledger, version(1, "c", day=1), history=0)
    ledger.backfill("mlflow", None, None)
    queue = status(ledger, MINUTELY, NOW).queue
    assert queue.waiting == {"asked": 0, "registration": 1, "nightly": 1, "backfill": 1}


def test_the_oldest_waits_for_its_first_audit_and_is_no_backfill(ledger):
    noted(ledger, version(1), at=NOW - 4 * DAY, history=0)
    ledger.backfill("mlflow", None, None)
    assert status(ledger, MINUTELY, NOW).queue.oldest is None
    ledger.save(version(1), audited(version(1)), sinks=(), at=NOW - 3 * DAY)
    noted(ledger, version(2), at=NOW - 3 * DAY)
    assert status(ledger, MINUTELY, NOW).queue.oldest == NOW - 3 * DAY
    ledger.save(version(2), audited(version(2)), sinks=(), at=NOW - 2 * DAY)
    assert status(ledger, MINUTELY, NOW).queue.oldest is None
    ledger.ask(version(2))
    assert status(ledger, MINUTELY, NOW).queue.oldest is None
    noted(ledger, version(3), at=NOW - HOUR)
    ledger.ask(version(3))
    assert status(ledger, MINUTELY, NOW).queue.oldest == NOW - HOUR


def test_what_runs_is_named_and_what_fell_silent_is_an_alarm(ledger):
    noted(ledger, *versions(1))
    ledger.claim(NOW, lease=LEASE, owner="here:7:1.0")
    ledger.note("mlflow", Told(cursor="c"), NOW + LEASE, history=None)
    found = status(ledger, MINUTELY, NOW + LEASE)
    [work] = found.queue.running
    assert (str(work.version), work.owner, work.since) == ("mlflow:digits@1", "here:7:1.0", NOW)
    assert kinds(found) == []
    later = status(ledger, MINUTELY, NOW + LEASE + MINUTE)
    assert kinds(later) == ["abandoned"]
    assert "here:7:1.0" in later.alarms[0].sentence


def test_what_was_given_up_comes_first_and_has_its_own_exit_code(ledger):
    noted(ledger, *versions(1), version(1, "b", day=1), version(1, "c", day=1))
    for claim in iter(lambda: ledger.claim(NOW, lease=LEASE, owner="me"), None):
        model = claim.version.id.model
        if model == "digits":
            ledger.failed(claim.version, "me", "the network", NOW, max_attempts=3, pause=MINUTE)
        elif model == "b":
            ledger.refused(claim.version, "not allowed")
        else:
            ledger.failed(claim.version, "me", "broken", NOW, max_attempts=1, pause=MINUTE)
    found = status(ledger, MINUTELY, NOW)
    assert [(one.state, one.reason) for one in found.queue.troubled] == [
        ("quarantined", "broken"),
        ("refused", "not allowed"),
        ("pending", "the network"),
    ]
    assert found.queue.failing == 1
    assert found.queue.troubled[-1].next_at == NOW + MINUTE
    assert kinds(found) == ["quarantined"]
    assert found.exit_code == 3
    assert status(ledger, MINUTELY, NOW + DAY).exit_code == 2  # overdue as well


# --- what goes out ------------------------------------------------------------------------


def test_a_sink_is_an_alarm_once_it_fails_for_an_hour(ledger):
    noted(ledger, *versions(1))
    ledger.save(version(1), audited(version(1)), sinks=["files", "mlflow"], at=NOW)
    for delivery in ledger.due(NOW):
        if delivery.sink == "files":
            ledger.undelivered(delivery.id, "disk full", NOW, MINUTE)
    found = status(ledger, MINUTELY, NOW + MINUTE)
    assert [(box.name, box.waiting, box.failing, box.reason) for box in found.sinks] == [
        ("files", 1, 1, "disk full"),
        ("mlflow", 1, 0, None),
    ]
    assert kinds(found) == []
    ledger.note("mlflow", Told(cursor="c"), NOW + 2 * HOUR, history=None)
    later = status(ledger, MINUTELY, NOW + 2 * HOUR)
    assert [(alarm.kind, alarm.about) for alarm in later.alarms] == [("undelivered", "files")]


def test_messages_that_nobody_gets_are_an_alarm(ledger):
    ledger.note("mlflow", Told(cursor="c"), NOW + 2 * HOUR, history=None)
    ledger.notify([Notice("k", "team", "info", "t", "b")], NOW)
    [waiting] = ledger.take_notices(NOW, MINUTE)
    ledger.unnotified(waiting.id, "no such channel", NOW, MINUTE)
    found = status(ledger, MINUTELY, NOW + 2 * HOUR)
    assert [(box.name, box.waiting, box.reason) for box in found.targets] == [
        ("team", 1, "no such channel")
    ]
    assert kinds(found) == ["unsent"]


# --- verdicts -----------------------------------------------------------------------------


def save(ledger, of, verdict, at=NOW, policy="p"):
    document = audited(of, verdict=verdict, policy=policy, findings=[finding("x")])
    ledger.save(of, document, sinks=(), at=at)


def test_verdicts_count_the_newest_audit_of_a_version_and_the_newest_version_of_a_model(ledger):
    noted(ledger, *versions(1, 2), *versions(1, model="b"), *versions(1, model="c"))
    save(ledger, version(1), Verdict.BLOCK)
    save(ledger, version(2), Verdict.REVIEW, policy="old")
    save(ledger, version(2), Verdict.PASS, policy="new")
    save(ledger, version(1, "b"), Verdict.REVIEW)
    save(ledger, version(1, "c"), Verdict.INCOMPLETE)
    found = status(ledger, MINUTELY, NOW)
    assert found.verdicts == {"PASS": 1, "REVIEW": 1, "BLOCK": 1, "INCOMPLETE": 1}
    assert found.models == {"PASS": 1, "REVIEW": 1, "BLOCK": 0, "INCOMPLETE": 1}
    assert [(one.verdict, one.version.model) for one in found.worst] == [
        ("INCOMPLETE", "c"),
        ("REVIEW", "b"),
    ]
    assert [one.verdict for one in found.latest] == ["INCOMPLETE", "REVIEW", "PASS", "BLOCK"]
    assert found.worst[0].reason == "because"
    assert next(lines(found)) == "2 models need a look"
    badge = page(found).badge
    assert (badge.glyph, badge.words, badge.tone) == ("▲", "2 models need a look", "warn")


def test_a_version_that_is_gone_blames_its_model_no_more(ledger):
    noted(ledger, *versions(1, 2))
    save(ledger, version(1), Verdict.PASS)
    save(ledger, version(2), Verdict.BLOCK)
    ledger.gone(version(2), "deleted")
    found = status(ledger, MINUTELY, NOW)
    assert found.models == {"PASS": 1, "REVIEW": 0, "BLOCK": 0, "INCOMPLETE": 0}
    assert found.worst == []


# --- from registration to verdict ---------------------------------------------------------


def register(ledger, number, made, seen, verdict_at):
    """A version of a model that is watched already: made, seen and audited then."""
    one = version(number, day=(made - version(0).created_at) / DAY)
    noted(ledger, one, at=seen)
    ledger.save(one, audited(one), sinks=(), at=verdict_at)


def test_the_time_to_a_verdict_is_from_registration_to_the_first_audit(ledger):
    noted(ledger, *versions(0), at=NOW - 30 * DAY)
    for number in range(1, 21):
        made = NOW - DAY + number * HOUR
        register(ledger, number, made, made + MINUTE, made + number * MINUTE)
    found = status(ledger, MINUTELY, NOW + DAY).latency
    assert found.count == 20
    assert found.p50 == pytest.approx(600, abs=0.001)
    assert found.p95 == pytest.approx(19 * 60, abs=0.001)


def test_only_versions_made_while_their_model_was_watched_count(ledger):
    noted(ledger, *versions(1, 2), at=NOW)  # met with the model: made long before
    for number in (1, 2):
        ledger.save(version(number), audited(version(number)), sinks=(), at=NOW)
    assert status(ledger, MINUTELY, NOW).latency.count == 0


def test_a_second_audit_of_a_version_is_no_verdict_that_somebody_waited_for(ledger):
    noted(ledger, *versions(0), at=NOW - 40 * DAY)
    made = NOW - 30 * DAY
    register(ledger, 1, made, made, made + MINUTE)
    one = version(1, day=(made - version(0).created_at) / DAY)
    ledger.save(one, audited(one, policy="new"), sinks=(), at=NOW)
    assert status(ledger, MINUTELY, NOW).latency.count == 0


def test_a_commit_whose_date_is_old_counts_from_when_it_was_seen(ledger):
    noted(ledger, *versions(0), at=NOW - 40 * DAY)
    register(ledger, 1, NOW - 20 * DAY, NOW - HOUR, NOW)
    register(ledger, 2, NOW - 6 * DAY, NOW - HOUR, NOW)
    found = status(ledger, MINUTELY, NOW).latency
    assert found.p50 == pytest.approx(3600, abs=0.001)
    assert found.p95 == pytest.approx(6 * 86400, abs=0.001)


@given(st.lists(st.floats(0, 1e9), min_size=1), st.floats(0.01, 1))
@settings(derandomize=True)
def test_a_quantile_is_a_value_that_its_share_does_not_exceed(values, share):
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert found in ordered
    below = sum(value <= found for value in ordered)
    assert below >= share * len(ordered) - 1e-9


# --- counters -----------------------------------------------------------------------------


def test_a_tally_has_what_was_audited_since_the_last_one(ledger):
    start = ledger.tally(None)
    assert (start.audits, start.bytes_read) == ({}, 0)
    save(ledger, version(1), Verdict.PASS)
    save(ledger, version(2), Verdict.BLOCK)
    first = ledger.tally(start.last)
    assert first.audits == {"PASS": 1, "BLOCK": 1}
    assert (first.bytes_read, first.seconds, first.layers) == (18, 3.0, 0)
    assert ledger.tally(first.last).audits == {}
    repeat = {**audited(version(3)), "timing": {"started_at": "", "seconds": 0.0}}
    ledger.save(version(3), repeat, sinks=(), at=NOW)
    again = ledger.tally(first.last)
    assert (again.audits, again.bytes_read) == ({"PASS": 1}, 0)  # nothing was read again


# --- as data ------------------------------------------------------------------------------


def test_the_same_as_data_is_json_without_any_other_type(ledger):
    noted(ledger, *versions(1, 2))
    save(ledger, version(1), Verdict.REVIEW)
    ledger.claim(NOW, lease=LEASE, owner="me")
    found = as_json(status(ledger, MINUTELY, NOW + LEASE + MINUTE))
    read = json.loads(json.dumps(found, allow_nan=False))
    assert read == found
    assert read["exit_code"] == 2
    assert read["alarms"][0]["kind"] == "overdue"
    assert read["queue"]["running"][0]["version"] == {
        "source": "mlflow", "model": "digits", "version": "2",
    }  # fmt: skip
    assert datetime.fromisoformat(read["latest"][0]["saved_at"]) == NOW


# --- the command --------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a configuration, in which commands run."""
    text = "sources: [{kind: mlflow, uri: 'http://127.0.0.1:9', every: 1h}]\n"
    (tmp_path / "config.yaml").write_text(text + "sinks: [{kind: files}]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def now(here):
    """The ledger of that folder, and the time."""
    del here
    opened = Ledger.open("sqlite:///auditor.db")
    yield opened, datetime.now(UTC)
    opened.close()


def test_without_a_ledger_there_is_no_status_and_none_is_made(here, capsys):
    assert run(["status"]) == 2
    assert "there is no ledger yet" in capsys.readouterr().err
    assert not (here / "auditor.db").exists()


def test_the_command_says_what_is_wrong_first_and_ends_with_its_code(now, capsys):
    ledger, at = now
    noted(ledger, *versions(1), at=at)
    assert run(["status"]) == 0
    assert capsys.readouterr().out.startswith("nothing is wrong\n\nqueue: waiting 1 registration")
    claim = ledger.claim(at, lease=LEASE, owner="me")
    ledger.failed(claim.version, "me", "broken", at, max_attempts=1, pause=MINUTE)
    assert run(["status"]) == 3
    said = capsys.readouterr().out
    expected = "1 to see to:\n  quarantined: models:/digits/1 quarantined after 1 attempt"
    assert said.startswith(expected)
    ledger.unreachable("mlflow", "MLflow did not answer", at)
    assert run(["status"]) == 2
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "2 to see to:"
    assert said[1].startswith("  unreachable: source mlflow could not be read, last reached ")
    assert any(line.startswith("    failed ") for line in said)


def test_the_command_as_data_is_one_document(now, capsys):
    ledger, at = now
    noted(ledger, *versions(1), at=at)
    save(ledger, version(1), Verdict.BLOCK, at)
    assert run(["status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["models"]["BLOCK"] == 1
    assert found["worst"][0]["version"]["model"] == "digits"
    assert found["sources"][0]["rhythm"] == "every 3600 s"


def test_hostile_names_are_one_harmless_line_each(now, capsys):
    ledger, at = now
    name = "x\x1b[2J\n\u202eevil" + "y" * 5000
    told = Told([version(1, name)], [Trouble(name, name)], cursor="c", remarks={name: name})
    ledger.note("mlflow", told, at, history=None)
    save(ledger, version(1, name), Verdict.BLOCK, at)
    ledger.unreachable("mlflow", name, at)
    assert run(["status"]) == 2
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert max(map(len, said.splitlines())) <= 1000
    assert len(said.splitlines()) < 30


def test_a_long_list_is_cut_and_says_so(ledger):
    for number in range(15):
        noted(ledger, version(1, f"m{number:02}", day=1))
    for claim in iter(lambda: ledger.claim(NOW, lease=LEASE, owner="me"), None):
        ledger.failed(claim.version, "me", "broken", NOW, max_attempts=1, pause=MINUTE)
    said = list(lines(status(ledger, MINUTELY, NOW)))
    assert sum("broken" in line for line in said) == 1 + 10
    assert "  … and more; auditor status --json has them" in said
    assert "and 14 more quarantined" in said[1]
