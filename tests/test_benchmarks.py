"""The benchmarks run; what they say is read by people."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted(Path(__file__).parents[1].glob("benchmarks/*.py"))


def execute(*arguments: str | Path) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout


@pytest.mark.wide
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_benchmark_explains_itself(script):
    assert "usage:" in execute(script, "--help")


@pytest.mark.wide
def test_measuring_is_set_against_a_floor_of_the_same_run():
    (script,) = (path for path in SCRIPTS if path.name == "measure.py")
    said = execute(script, "--only", "resnet20", "--repeat", "1")
    rows = [line for line in said.splitlines() if line.startswith("resnet20")]
    assert [row.split()[1] for row in rows] == ["trained", "random"]
    matrices = 19 * 9 + 1  # a matrix for each of 9 kernel positions, and the classifier
    assert all(int(row.split()[2]) == matrices for row in rows)
    assert all(len(re.findall(r"[0-9.]+×", row)) == 3 for row in rows)
