"""Every hostile file is a sentence; through the command it also costs little and does nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.weights.hostile import LARGE, ROWS
from tests.weights.limited import MEMORY, SECONDS, Commands
from tests.weights.reading import look, source_files

FEW = [row for number, row in enumerate(ROWS) if number % 120 == 0 and row not in LARGE]


@pytest.fixture(scope="module")
def commands(tmp_path_factory) -> Iterator[Commands]:
    started = Commands(tmp_path_factory.mktemp("home"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def start(tmp_path_factory, commands) -> float:
    """Seconds of the processor that the command takes to say there is nothing to look at."""
    here = tmp_path_factory.mktemp("idle") / "here"
    (here / "net").mkdir(parents=True)
    (here / "net/model.pt").write_bytes(b"nothing")
    return float(commands.run(here, "audit", "net", "--json").seconds)


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("row", [row for row in ROWS if row not in LARGE])
def test_a_hostile_file_is_refused_or_named(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hostile = ROWS[row]
    hostile.make(tmp_path / "net")
    before = everything(tmp_path)
    inventory = look(*source_files(tmp_path / "net"))
    assert everything(tmp_path) == before  # a bomb would touch `executed`
    told = [failure.reason for failure in inventory.reading.failures]
    told += [skip.reason for skip in inventory.skipped]
    told += ["run code" for found in inventory.reading.globals if found.dangerous]
    assert told or not inventory.tensors  # a file of nothing is told by the verdict
    assert hostile.said in " | ".join(told)
    assert all(one.isprintable() and len(one) < 1000 for one in told)


def answered(row: str, here: Path, commands: Commands, start: float) -> None:
    """One sentence and exit code 3, in `SECONDS` and `MEMORY`; nothing run, nothing written."""
    hostile = ROWS[row]
    hostile.make(here / "net")
    before = everything(here)
    done = commands.run(here, "audit", "net", "--json")
    assert everything(here) == before
    assert done.code == hostile.code, done.err
    assert done.err == ""
    reason = done.document["reason"]
    assert hostile.said in reason
    assert reason.isprintable()
    assert len(reason) < 1000
    assert done.seconds - start < SECONDS
    assert done.grown < MEMORY


@pytest.mark.parametrize("row", FEW)
def test_the_command_answers_with_a_sentence(row, tmp_path, commands, start):
    answered(row, tmp_path / "here", commands, start)


@pytest.mark.wide
@pytest.mark.parametrize("row", [row for row in ROWS if row not in FEW])
def test_the_command_answers_with_a_sentence_whatever_the_file(row, tmp_path, commands, start):
    answered(row, tmp_path / "here", commands, start)
