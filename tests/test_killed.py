"""The process may die at any moment; the next run ends where an undisturbed one would."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import models
from tests.ends import partial, state
from tests.models import weights, write

pytestmark = pytest.mark.wide  # minutes of kills; also a run that is never killed takes seconds

VERSIONS = 5  # the last one has the weights of the first


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, float]:
    """A finished run, and how long it took."""
    root = fill(tmp_path_factory.mktemp("undisturbed"))
    start = time.monotonic()
    assert once(root).wait() == 0
    return root, time.monotonic() - start


def fill(root: Path) -> Path:
    for number in range(1, VERSIONS + 1):
        changed = {"fc2.weight": models.collapsed()} if number == 3 else {}
        write(root / f"models/net/{number}", weights(number % 4, **changed), day=number)
    models.config(root)
    return root


def once(root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "auditor", "once"]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL)  # noqa: S603


def disturb(root: Path, lasting: float, times: int, seed: int) -> None:
    """Kill the process so often at moments spread over the time it takes."""
    moments = random.Random(seed)  # noqa: S311 - moments, not secrets
    for _ in range(times):
        process = once(root)
        time.sleep(moments.uniform(0.3, 1.0) * lasting)
        process.kill()
        process.wait()


@pytest.mark.wide
@pytest.mark.parametrize(("times", "seed"), [(2, 1), (30, 2)], ids=["few", "many"])
def test_a_killed_process_is_continued_by_the_next(undisturbed, tmp_path, times, seed):
    finished, lasting = undisturbed
    root = fill(tmp_path)
    disturb(root, lasting, times, seed)
    assert once(root).wait() == 0
    assert state(root) == state(finished)
    assert partial(root) == []


def test_a_second_run_changes_nothing(undisturbed):
    root, _ = undisturbed
    before = state(root)
    assert once(root).wait() == 0
    assert state(root) == before
