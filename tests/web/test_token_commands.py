import stat
from pathlib import Path

import pytest

from auditor.cli import run
from auditor.web.tokens import Caller, Keys, Role
from tests import models


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_token_is_printed_once_listed_without_it_and_removed(capsys):
    assert run(["token", "add", "ci", "--role", "enqueue", "--file", "t.json"]) == 0
    text = capsys.readouterr().out.strip()
    assert Keys(Path("t.json")).caller(text) == Caller("ci", Role.ENQUEUE)
    assert run(["token", "list", "--file", "t.json"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["ci", "enqueue"]
    assert run(["token", "remove", "ci", "--file", "t.json"]) == 0
    assert capsys.readouterr().out == "removed ci\n"
    assert Keys(Path("t.json")).caller(text) is None
    assert stat.S_IMODE(Path("t.json").stat().st_mode) == 0o600


def test_the_configured_file_is_used_where_none_is_named(tmp_path, capsys):
    models.config(tmp_path, server="{tokens: secret/tokens.json}")
    assert run(["token", "add", "ci", "--role", "read"]) == 0
    assert (tmp_path / "secret" / "tokens.json").is_file()
    assert run(["token", "list"]) == 0
    assert "ci  read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["add", "ci", "--role", "read"], "which file? give --file, or set server.tokens"),
        (["add", "ci", "--file", "t.json"], "--role"),
        (["add", "ci", "--role", "root", "--file", "t.json"], "there are: read, enqueue, decide,"),
        (["add", "a/b", "--role", "read", "--file", "t.json"], "is no name for a token"),
        (["add", "\x1b[31m", "--role", "read", "--file", "t.json"], "is no name for a token"),
        (["list", "--file", "t.json"], "auditor token add"),
        (["remove", "ci", "--file", "t.json"], "auditor token add"),
        (["add", "ci", "--role", "read", "--file", "."], "cannot be read"),
        (["add", "ci", "--role", "read", "--file", "/proc/nowhere/t.json"], "writing the tokens"),
    ],
)
def test_what_cannot_be_done_is_a_line_and_2(capsys, command, said):
    assert run(["token", *command]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    [line] = error.splitlines()
    assert said in line
    assert "\x1b" not in line
    assert not Path("t.json").exists()
