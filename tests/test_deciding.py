"""A person accepts or rejects a version: what it says, and what follows from it."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.app import assemble
from auditor.cli import run
from auditor.config import load
from auditor.deciding import checked, state
from auditor.errors import UsageError
from auditor.ledger import Ledger
from auditor.pipeline import once
from auditor.records import API, TAG, Decision, Statement
from auditor.refs import find
from auditor.wall.process import here as at_home
from tests import models
from tests.models import weights, write

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
LATER = date.max.replace(year=2999).isoformat()
DECIDE = ["--by", "a.ruiz", "--reason", "evaluated"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A watched folder with a good version of a model, and a worse one after it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "models/net/1", weights(), day=1)
    write(tmp_path / "models/net/2", weights(2, **{"fc2.weight": models.collapsed()}), day=2)
    sweep_once(tmp_path)
    return tmp_path


def sweep_once(root: Path) -> None:
    """As ``auditor once``, in this process."""
    with assemble(load(models.config(root)), execute=at_home) as app:
        once(app)


def report(here: Path, version: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((here / f"reports/folder/net/{version}.json").read_text())
    return found


def test_the_next_run_delivers_the_report_with_the_decision_and_the_same_verdict(here, capsys):
    before = report(here, 2)
    assert run(["accept", "models/net/2", *DECIDE, "--until", LATER]) == 0
    said = capsys.readouterr().out.splitlines()[-2:]
    assert said[0].endswith(f"2 until {LATER}; its verdict stays as it was")
    assert "goes out again with auditor once" in said[1]
    assert report(here, 2) == before
    sweep_once(here)
    after = report(here, 2)
    found = after["decision"]
    assert (found["accept"], found["by"], found["until"]) == (True, "a.ruiz", LATER)
    assert (after["verdict"], after["findings"]) == (before["verdict"], before["findings"])


@pytest.mark.usefixtures("here")
def test_accepted_for_good_and_rejected_since_is_rejected(capsys):
    assert run(["accept", "models/net/2", *DECIDE]) == 0
    assert (
        run(["reject", "models/net/2", "--by", "ann", "--reason", "labels\n were  shuffled"]) == 0
    )
    capsys.readouterr()
    assert run(["decisions", "models/net/1"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "  2  accepted by a.ruiz (command): evaluated" in first
    assert "  2  rejected by ann (command): labels were shuffled" in second
    assert run(["decisions", "models/net/2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["accept"] for one in told] == [True, False]
    assert {one["version"] for one in told} == {"2"}


@pytest.mark.usefixtures("here")
def test_nobody_has_decided(capsys):
    assert run(["decisions", "models/net/1"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1] == "nobody has decided on a version of this model"
    )


def test_an_acceptance_that_ended_makes_no_baseline(here):
    run(["accept", "models/net/2", *DECIDE])
    config = load(here / "config.yaml")
    ended = Decision(accept=False, by="ann", reason="over", at=NOW, until=TODAY)
    ledger = Ledger.open(config.ledger)
    version = find("models/net/2", config).version
    assert ledger.may_be_baseline(version, TODAY)
    ledger.decide(version, ended)
    assert not ledger.may_be_baseline(version, TODAY)
    assert ledger.may_be_baseline(version, TODAY + timedelta(days=1))
    ledger.close()


@pytest.mark.usefixtures("here")
def test_an_audit_by_hand_shows_what_was_decided(capsys):
    run(["reject", "models/net/2", *DECIDE])
    capsys.readouterr()
    run(["audit", "models/net/2", "--json"])
    assert json.loads(capsys.readouterr().out)["decision"]["accept"] is False


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--until", "tomorrow"], "--until tomorrow: expected a day such as 2026-12-31"),
        (["--until", "2020-01-01"], "the last day 2020-01-01 is over; expected "),
        (["--until", ""], "expected a day such as"),
        (["--by", " \n "], "needs a name and a reason"),
        (["--reason", "x" * 1001], "at most 1,000 characters"),
    ],
)
def test_what_does_not_fit_is_a_line_before_anything_is_asked(capsys, more, said):
    assert run(["accept", "models/net/2", *DECIDE, *more]) == 2
    assert said in capsys.readouterr().err


def test_today_is_a_last_day_and_yesterday_is_none():
    said = Statement(accept=True, by="ann", reason="fine", until=TODAY)
    assert checked(said, TODAY) == said
    with pytest.raises(UsageError, match="is over"):
        checked(said, TODAY + timedelta(days=1))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Decision(accept=True, by="a", reason="r", at=NOW), "accepted"),
        (Decision(accept=False, by="a", reason="r", at=NOW, via=API), "rejected"),
        (
            Decision(accept=True, by="a", reason="r", at=NOW, until=TODAY),
            "accepted until 2026-03-01",
        ),
        (
            Decision(accept=True, by="a", reason="r", at=NOW, until=date(2026, 2, 28)),
            "accepted until 2026-02-28, which is over",
        ),
        (Decision.withdrawn("a", "the tag was removed", NOW, TAG), "withdrawn"),
    ],
)
def test_a_decision_in_words(said, words):
    assert state(said, NOW) == words
