"""What a person tells the service from the command line, whether it runs or not."""

from contextlib import closing
from datetime import timedelta

import pytest

from auditor.app import now
from auditor.cli import run
from auditor.config import load
from auditor.ledger import Ledger, Told
from auditor.ledger.lead import lead
from auditor.records import Priority
from tests import models
from tests.models import weights, write
from tests.service.world import version

RUNNING = "; the service begins within seconds\n"
ABSENT = "; no service seems to be running: auditor once does it, or auditor serve\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    models.config(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ledger(root):
    with closing(Ledger.open(load(root / "config.yaml").ledger)) as opened:
        yield opened


@pytest.fixture
def quarantined(ledger):
    """Two versions of one source, and one of another."""
    versions = [version("net", 1, "folder"), version("net", 2, "folder"), version("bert", 1, "hub")]
    for one in versions:
        ledger.note(one.id.source, Told([one]), now(), history=None)
    for _ in versions:
        claim = ledger.claim(now(), lease=timedelta(hours=1), owner="me")
        assert claim is not None
        ledger.failed(claim.version, "me", "no", now(), max_attempts=1, pause=timedelta(minutes=1))
    assert ledger.states()["quarantined"] == 3
    return ledger


def test_a_source_is_paused_and_resumed(ledger, capsys):
    assert run(["pause", "folder"]) == 0
    assert [state.paused for state in ledger.sources()] == [True]
    assert capsys.readouterr().out == "folder is paused; auditor resume folder ends that\n"
    assert run(["resume", "folder"]) == 0
    assert [state.paused for state in ledger.sources()] == [False]


@pytest.mark.parametrize("arguments", [["folder"], ["--all"]])
def test_a_look_is_asked_for_and_it_says_who_will_have_it(ledger, capsys, arguments):
    assert run(["run", *arguments]) == 0
    assert capsys.readouterr().out == f"folder: asked for a look{ABSENT}"
    assert [state.asked_at is not None for state in ledger.sources()] == [True]
    service = lead(ledger.engine.url.render_as_string())
    assert service.take()
    assert run(["run", *arguments]) == 0
    assert capsys.readouterr().out == f"folder: asked for a look{RUNNING}"
    service.drop()


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["net/1"], "1 version waits"),
        (["folder:net@2"], "1 version waits"),
        (["--source", "folder"], "2 versions wait"),
        (["--all"], "3 versions wait"),
    ],
)
def test_what_is_in_quarantine_waits_again(quarantined, capsys, arguments, count):
    assert run(["retry", *arguments]) == 0
    assert capsys.readouterr().out == f"{count} for another audit{ABSENT}"
    assert quarantined.states()["pending"] == int(count[0])
    assert all(one.attempts == 0 or one.state == "quarantined" for one in quarantined.problems())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pause", "fodler"], "no source fodler; there are: folder"),
        (["resume", "fodler"], "no source fodler; there are: folder"),
        (["run", "fodler"], "no source fodler; there are: folder"),
        (["retry", "--source", "fodler"], "no source fodler; there are: folder"),
        (
            ["retry", "net/3"],
            "no version net/3 is in quarantine or refused; there are: net/1, bert/1, net/2",
        ),
        (["retry"], "give one of REF, --source and --all"),
        (["retry", "net/1", "--all"], "give one of REF, --source and --all"),
        (["run"], "name a source, or give --all"),
        (["run", "folder", "--all"], "name a source, or give --all"),
    ],
)
def test_what_is_not_there_is_a_line_and_exit_code_2(quarantined, capsys, arguments, said):
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert quarantined.states()["quarantined"] == 3


def test_a_backfill_is_left_to_a_service_that_runs(root, ledger, capsys):
    sources = "[{kind: folder, root: models, history: none, settle: 0}]"
    models.config(root, sources=sources)
    write(root / "models/net/1", weights(), day=1)
    service = lead(ledger.engine.url.render_as_string())
    assert service.take()
    assert run(["backfill", "folder", "--versions", "all"]) == 0
    service.drop()
    assert capsys.readouterr().out.splitlines()[1:] == [
        "they wait for auditor serve, or the next auditor once"
    ]
    assert [one.priority for one in ledger.queue(5)] == [Priority.BACKFILL]


def test_once_leaves_looking_to_a_service_that_runs_and_audits_what_waits(root, ledger, capsys):
    write(root / "models/net/1", weights(), day=1)
    service = lead(ledger.engine.url.render_as_string())
    assert service.take()
    assert run(["once"]) == 0
    printed = capsys.readouterr()
    assert "another process looks at the sources, and was asked to" in printed.err
    assert [state.asked_at is not None for state in ledger.sources()] == [True]
    assert sum(ledger.states().values()) == 0
    service.drop()
    assert run(["once"]) == 0
    assert ledger.states()["done"] == 1
    assert lead(ledger.engine.url.render_as_string()).take()  # once has given it back
