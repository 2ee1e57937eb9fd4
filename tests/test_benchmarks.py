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
def test_measuring_is_set_against_the_reference_and_against_what_it_must_reach():
    (script,) = (path for path in SCRIPTS if path.name == "measure.py")
    rows = ("bootstrap", "import-resnet20")
    said = execute(script, "--only", *rows, "--repeat", "1").splitlines()[1:]
    ratios = {line.split()[0]: re.findall(r"[0-9.]+ × (.+) \(([≤≥] [0-9]+)", line) for line in said}
    assert ratios == {
        "bootstrap": [("one fit of the reference", "≤ 60")],
        "import-resnet20": [("as fast as the reference", "≥ 1")],
    }


@pytest.mark.wide
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of a process")
def test_peak_memory_stays_within_the_estimate():
    (script,) = (path for path in SCRIPTS if path.name == "memory.py")
    said = execute(script, "--only", "tall", "square vectors").splitlines()[1:]
    assert len(said) == 2
    assert all(re.search(r"peak +[0-9]+, estimate +[0-9]+$", line) for line in said)
