"""``auditor db``, as a user calls it."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from auditor import cli
from auditor.ledger import Ledger, engines, opening
from auditor.ledger.models import Base
from auditor.records import Decision
from tests.ledger.makers import DAY, START, audited, finding, layer, note, version, versions
from tests.postgres_server import postgres

CONFIG = "ledger: {}\nsources:\n  - {{kind: folder, root: models}}\n"
NEWEST = opening.revisions()[-1]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.wide)])
def url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'auditor.db'}"
    else:
        with postgres().database() as found:
            yield found


@pytest.fixture
def config(url, tmp_path) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(url))
    return str(path)


def fill(ledger: Ledger, versions_: int = 3) -> None:
    for number in range(1, versions_ + 1):
        for policy in "ab":
            document = audited(
                version(number), policy=policy, layers=[layer("fc", 0)], findings=[finding("rank")]
            )
            ledger.save(version(number), document, sinks=["files"], at=START)
    note(ledger, "mlflow", versions(9), "page 1", None, START)


def test_upgrade_says_what_it_did(config, url, capsys):
    engine = engines.make(engines.parse(url))
    with engine.execution_options(writes=True).begin() as connection:
        opening.upgrade(connection, to="0001")
    engine.dispose()
    said = []
    for _ in range(2):
        assert cli.run(["db", "upgrade", "--config", config]) == 0
        said.append(capsys.readouterr().out.rpartition(": ")[2])
    assert said == [f"schema 0001 is now {NEWEST}\n", f"up to date, schema {NEWEST}\n"]


def test_upgrade_of_nothing_makes_the_tables(config, url, capsys):
    assert cli.run(["db", "upgrade", "--config", config]) == 0
    said = capsys.readouterr().out
    assert said.endswith(f": made, schema {NEWEST}\n")
    assert "***" in said or url.startswith("sqlite")
    with closing(Ledger.open(url)) as ledger:
        assert ledger.sources() == []


def test_vacuum_gives_back_what_was_forgotten(config, url, capsys):
    with closing(Ledger.open(url)) as ledger:
        fill(ledger, 100)
        for delivery in ledger.due(START):
            ledger.delivered(delivery.id, START)
        assert ledger.forget(START + DAY).audits == 100
        kept = ledger.latest(version(1))
        before, after = ledger.vacuum()
        assert before > 0
        if url.startswith("sqlite"):
            assert after < before / 1.5
        else:  # the space is used again; what the planner knows is what there is now
            with ledger.engine.connect() as connection:
                query = "SELECT reltuples FROM pg_class WHERE relname = 'audits'"
                assert connection.exec_driver_sql(query).scalar() == 100
        assert ledger.latest(version(1)) == kept
        note(ledger, "mlflow", versions(10), "page 2", None, START)  # the same ledger goes on
    assert cli.run(["db", "vacuum", "--config", config]) == 0
    assert capsys.readouterr().out.endswith("B after\n")


def test_export_has_every_row_of_every_table(config, url, tmp_path, capsys):
    with closing(Ledger.open(url)) as ledger:
        fill(ledger)
        ledger.decide(version(1), Decision(accept=True, by="ann", reason="fine", at=START))
        document = ledger.latest(version(3))
    target = tmp_path / "out" / "ledger.jsonl"
    assert cli.run(["db", "export", "--out", str(target), "--config", config]) == 0
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert capsys.readouterr().out == f"{len(rows)} rows in {target}\n"
    count = {name: sum(row["table"] == name for row in rows) for name in Base.metadata.tables}
    assert count["versions"] == count["claims"] == 4
    shown = 1  # the newest audit of the version that was decided on, with the decision
    assert count["audits"] == count["layers"] == count["findings"] == 6 + shown
    assert count["decisions"] == count["sources"] == 1
    assert document in [row["document"] for row in rows if row["table"] == "audits"]
    (decision,) = (row for row in rows if row["table"] == "decisions")
    assert decision["at"] == START.isoformat()


def test_export_to_standard_output_is_the_same(config, url, tmp_path, capsys):
    with closing(Ledger.open(url)) as ledger:
        fill(ledger)
    assert cli.run(["db", "export", "--out", "-", "--config", config]) == 0
    shown = capsys.readouterr().out
    assert cli.run(["db", "export", "--out", str(tmp_path / "x"), "--config", config]) == 0
    assert shown == (tmp_path / "x").read_text()


def test_export_leaves_secrets_out_and_stays_json(config, url, capsys):
    hostile = 'https://me:sesame@host/x?token=sesame\\"&y="\udc80\0'
    with closing(Ledger.open(url)) as ledger:
        ledger.unreachable("mlflow", hostile, START)
        document = audited(version(1), layers=[layer(hostile, 0)])
        ledger.save(version(1), document, sinks=[], at=START)
    assert cli.run(["db", "export", "--out", "-", "--config", config]) == 0
    shown = capsys.readouterr().out
    assert "sesame" not in shown
    assert shown.isascii()
    rows = [json.loads(line) for line in shown.splitlines()]
    (source,) = (row for row in rows if row["table"] == "sources")
    assert source["last_error"].startswith("https://***@host/x?token=***")


def test_export_that_cannot_be_finished_leaves_the_old_file(config, url, tmp_path, capsys):
    with closing(Ledger.open(url)) as ledger:
        fill(ledger)
        with ledger.engine.execution_options(writes=True).begin() as connection:
            connection.exec_driver_sql("DROP TABLE layers")
    target = tmp_path / "ledger.jsonl"
    target.write_text("old")
    assert cli.run(["db", "export", "--out", str(target), "--config", config]) == 2
    assert "layers" in capsys.readouterr().err
    assert target.read_text() == "old"
    assert list(tmp_path.glob(".*tmp*")) == []


def test_export_needs_a_place(config, capsys):
    assert cli.run(["db", "export", "--config", config]) == 2
    assert "--out" in capsys.readouterr().err


def test_ledger_that_another_program_holds_is_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.1)
    file, config = tmp_path / "auditor.db", tmp_path / "config.yaml"
    config.write_text(CONFIG.format(f"sqlite:///{file}"))
    Ledger.open(f"sqlite:///{file}").close()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert cli.run(["db", "vacuum", "--config", str(config)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("auditor: ledger sqlite:///")
    assert "database is locked" in said
    assert said.count("\n") == 1


def test_reader_that_goes_away_has_seen_enough(tmp_path):
    file, config = tmp_path / "auditor.db", tmp_path / "config.yaml"
    config.write_text(CONFIG.format(f"sqlite:///{file}"))
    with closing(Ledger.open(f"sqlite:///{file}")) as ledger:
        fill(ledger, 20)
    command = [sys.executable, "-m", "auditor", "db", "export", "--out", "-", "--config", config]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:  # noqa: S603
        assert program.stdout is not None
        assert program.stderr is not None
        assert json.loads(program.stdout.readline())["table"]
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait() == 0


def test_help_has_examples(capsys):
    for command in ("upgrade", "vacuum", "export"):
        assert cli.run(["db", command, "--help"]) == 0
        assert f"auditor db {command}" in capsys.readouterr().out


def test_configuration_that_is_not_there_is_said(tmp_path, capsys):
    missing = Path(tmp_path / "nowhere.yaml")
    assert cli.run(["db", "vacuum", "--config", str(missing)]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err
