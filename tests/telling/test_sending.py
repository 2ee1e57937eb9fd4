"""Messages arrive, in order, also after failures; and nobody waits for a silent service."""

import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from auditor.cli import run
from auditor.config import load
from auditor.errors import ConfigError
from auditor.telling import Level, addresses, queue
from tests.ledger.makers import DAY, HOUR, MINUTE, version
from tests.telling.conftest import World, configured, team
from tests.telling.receiver import receiving

pytestmark = pytest.mark.wide

TOKEN = "s3cr3tT0kenThatNobodyMaySee"  # noqa: S105 - planted


def test_a_message_that_failed_comes_again_before_later_ones(world, receiver):
    receiver.status = 500
    world.judged(version(1), "BLOCK")
    receiver.status = 200
    world.look(version(2))
    world.audit(version(2), "PASS")
    world.tell(after=timedelta(seconds=30))
    assert len(receiver.got) == 1  # that failed
    world.tell(after=15 * MINUTE)
    assert receiver.titles[1:] == [
        "auditor: digits 1: BLOCK",
        "auditor: digits 2: PASS (version 1 was BLOCK)",
    ]


@pytest.mark.wide
def test_a_message_nobody_took_for_three_days_is_given_up(world, receiver, caplog):
    receiver.status = 404
    world.judged(version(1), "BLOCK")
    for _ in range(40):
        world.look()
        world.tell(after=2 * HOUR)
    assert [getattr(r, "event", "") for r in caplog.records][-1] == "notice.abandoned"
    tries = len(receiver.got)
    assert 30 < tries <= 38
    receiver.status = 200
    world.look()
    world.tell(after=HOUR)
    assert len(receiver.got) == tries
    assert "error=404" in caplog.records[-1].message


def test_one_target_that_fails_holds_up_no_other(ledger, receiver):
    with receiving() as broken:
        broken.status = 503
        config = configured(team(broken, name="broken"), team(receiver))
        world = World(ledger, addresses(config))
        world.look()
        world.tell()
        world.judged(version(1), "BLOCK")
        world.judged(version(2), "PASS")
    assert len(receiver.got) == 2


@pytest.mark.wide
def test_a_silent_service_costs_seconds_and_its_message_is_sent_again(world, receiver):
    receiver.goes_on.clear()
    world.judged(version(1), "BLOCK")  # apprise waits for 10 s
    assert len(receiver.got) == 1
    receiver.goes_on.set()
    world.tell(after=15 * MINUTE)
    assert receiver.titles == ["auditor: digits 1: BLOCK"] * 2  # it has the first one, too


def test_a_service_that_is_still_busy_is_left_alone(world, receiver, monkeypatch):
    module = sys.modules["auditor.telling.addresses"]
    monkeypatch.setattr(module, "LONGEST_SEND", 0.01)
    (address,) = world.targets
    receiver.goes_on.clear()
    assert address.send("one", "text", Level.INFO) == "no answer within 0 s"
    receiver.arrived.wait(10)
    assert "has not answered" in (address.send("two", "text", Level.INFO) or "")
    receiver.goes_on.set()
    assert address._sending is not None
    address._sending.join(10)
    monkeypatch.undo()
    assert address.send("three", "text", Level.INFO) is None
    assert receiver.titles == ["one", "three"]


DIES = """
import os, signal, sys
from auditor.ledger import Ledger
from auditor.telling import addresses, sending, tell
from tests.telling.conftest import HOURLY, configured
from datetime import datetime

def die(*_): os.kill(os.getpid(), signal.SIGKILL)

url, hook, at, moment = sys.argv[1:]
if moment == "queued": sending.Ledger.take_notices = die
if moment == "sent": sending.Ledger.notified = die
targets = addresses(configured({"name": "team", "url": hook}))
tell(Ledger.open(url), targets, HOURLY, datetime.fromisoformat(at))
"""


@pytest.mark.wide
@pytest.mark.parametrize(("moment", "times"), [("queued", 1), ("sent", 2)])
def test_a_process_that_is_killed_loses_no_message(world, receiver, moment, times):
    """It repeats the one it had sent when it died before it could write that down."""
    world.look(version(1))
    world.audit(version(1), "BLOCK")
    url = str(world.ledger.engine.url)
    command = [sys.executable, "-c", DIES, url, receiver.url, world.at.isoformat(), moment]
    killed = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for _ in range(3):
        world.look()
        world.tell(after=HOUR / 2)
    assert receiver.titles == ["auditor: digits 1: BLOCK"] * times


def test_what_waits_for_a_target_that_was_taken_out_goes_nowhere(world, receiver):
    receiver.status = 500
    world.judged(version(1), "BLOCK")
    world.targets = ()
    world.tell(after=HOUR)
    receiver.status = 200
    world.targets = addresses(configured(team(receiver)))
    world.tell(after=HOUR)
    world.tell(after=HOUR)
    assert len(receiver.got) == 1  # that failed


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"url": f"nosuchservice://{TOKEN}"}, "nosuchservice://, is none that apprise can use"),
        ({"url": f"{TOKEN}"}, "without a kind such as slack://"),
        ({"url": f"slack://{TOKEN}"}, "slack://, is none that apprise can use"),
        ({"url_file": "/nowhere/at/all"}, "url_file /nowhere/at/all cannot be read: No such file"),
        ({"url_file": "/"}, "url_file / cannot be read: Is a directory"),
    ],
)
def test_a_wrong_address_is_a_sentence_that_does_not_repeat_it(entry, sentence):
    with pytest.raises(ConfigError) as found:
        addresses(configured({"name": "team", **entry}))
    assert str(found.value).startswith("notify, team: ")
    assert sentence in str(found.value)
    assert TOKEN not in str(found.value)


def test_a_name_that_two_targets_have_is_refused():
    entry = {"name": "team", "url": "json://localhost"}
    with pytest.raises(ConfigError, match="there are 2 of this name"):
        addresses(configured(entry, entry))


def test_an_address_in_a_file_is_read_at_each_start(tmp_path, receiver):
    file = tmp_path / "address"
    file.write_text("json://nowhere.invalid\n")
    addresses(configured({"name": "team", "url_file": str(file)}))
    file.write_text(receiver.url + "\n")
    (address,) = addresses(configured({"name": "team", "url_file": str(file)}))
    assert address.send("hello", "you", Level.INFO) is None
    assert receiver.titles == ["hello"]


@pytest.mark.parametrize("text", ["", "\n\n", "json://a\njson://b", "x" * 20_000])
def test_a_file_that_holds_something_else_is_refused(tmp_path, text):
    file = tmp_path / "address"
    file.write_text(text)
    with pytest.raises(ConfigError, match="expected one line, the address"):
        addresses(configured({"name": "team", "url_file": str(file)}))


def config_file(folder: Path, *entries: dict[str, Any]) -> Path:
    path = folder / "config.yaml"
    sources = [{"kind": "folder", "root": "models"}]
    path.write_text(json.dumps({"sources": sources, "notify": entries}))
    return path


def notify_test(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "auditor", "-v", "notify", "test", *words, "-c", str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603


@pytest.mark.wide
def test_a_test_message_says_which_address_works_and_shows_none(tmp_path, receiver):
    with receiving() as other:
        other.status = 403
        secret = f"json://user:{TOKEN}@127.0.0.1:{other.port}/{TOKEN}?+X-Key={TOKEN}"
        entries = [team(receiver), {"name": "other", "url": secret}]
        done = notify_test(config_file(tmp_path, *entries))
    assert done.returncode == 2
    assert done.stdout.splitlines()[0] == "team: sent"
    assert done.stdout.splitlines()[1].startswith("other: not sent: Failed to send JSON")
    assert receiver.titles == ["auditor: this is a test for team"]
    assert other.got[0]["path"].startswith(f"/{TOKEN}")
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.wide
@pytest.mark.parametrize("url", [f"nosuchservice://{TOKEN}", TOKEN, f"slack://{TOKEN}/x"])
def test_a_wrong_address_ends_the_program_before_any_work(tmp_path, url):
    done = notify_test(config_file(tmp_path, {"name": "team", "url": url}))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("auditor: notify, team: the address")
    assert TOKEN not in line


@pytest.mark.parametrize(
    "notify", [f"slack://{TOKEN}", {"name": "team", "url": f"slack://{TOKEN}"}, [[TOKEN]]]
)
def test_a_notify_of_another_form_is_not_repeated(tmp_path, notify):
    path = config_file(tmp_path)
    path.write_text(path.read_text().replace("[]", json.dumps(notify)))
    with pytest.raises(ConfigError, match="notify") as found:
        load(path)
    assert TOKEN not in str(found.value)


@pytest.mark.parametrize(
    ("entries", "words", "sentence"),
    [
        ([{"name": "team", "url": "json://localhost"}], ["crew"], "there are: team"),
        ([], [], "there is no notify: in the configuration"),
    ],
)
def test_a_name_that_nobody_has_is_said(tmp_path, capsys, entries, words, sentence):
    path = config_file(tmp_path, *entries)
    assert run(["notify", "test", *words, "-c", str(path)]) == 2
    assert sentence in capsys.readouterr().err


def test_an_address_is_not_in_the_ledger_nor_in_what_is_shown_of_it(ledger, receiver):
    receiver.status = 403
    url = f"json://user:{TOKEN}@127.0.0.1:{receiver.port}/{TOKEN}?+X-Key={TOKEN}"
    config = configured({"name": "team", "url": url})
    (address,) = addresses(config)
    world = World(ledger, (address,))
    world.tell()
    world.look()
    world.judged(version(1), "BLOCK")
    (arrived,) = receiver.got
    assert arrived["path"].startswith(f"/{TOKEN}")
    folder = Path(str(ledger.engine.url.database)).parent
    database = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert TOKEN not in repr(address) + repr(config)
    assert TOKEN.encode() not in database
    assert b"error=403" in database


def test_queueing_alone_sends_nothing(world, receiver):
    world.look(version(1))
    world.audit(version(1), "BLOCK")
    queue(world.ledger, world.targets, world.rhythms, world.at + DAY)
    assert receiver.got == []


def test_a_link_stays_whole_where_a_service_knows_markdown_only(receiver):
    url = f"rocket://{'a' * 8}/{'b' * 8}@127.0.0.1:{receiver.port}/%23general"
    (address,) = addresses(configured({"name": "team", "url": url}))
    assert address.send("title", "- a: BLOCK https://auditor.example/x.y", Level.INFO) is None
    assert "https://auditor.example/x.y" in json.dumps(receiver.got[0])


@pytest.mark.wide
def test_a_run_from_a_crontab_tells_what_it_found_once(tmp_path, receiver):
    rng = np.random.default_rng(0)
    folder = tmp_path / "models" / "net" / "1"
    folder.mkdir(parents=True)
    save_file({"fc.weight": np.full((60, 40), np.nan, np.float32)}, folder / "w.safetensors")
    path = config_file(tmp_path, team(receiver))
    assert run(["once", "-c", str(path)]) == 0
    folder = tmp_path / "models" / "net" / "2"
    folder.mkdir(parents=True)
    weights = rng.standard_normal((60, 40)).astype(np.float32)
    save_file({"fc.weight": weights}, folder / "w.safetensors")
    for _ in range(3):
        assert run(["once", "-c", str(path)]) == 0
    assert len(receiver.titles) == 1
    assert receiver.titles[0].startswith("auditor: net 1: ")
