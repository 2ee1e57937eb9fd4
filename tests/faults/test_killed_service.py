"""``auditor serve`` killed again and again: it ends where an undisturbed run does."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import models
from tests.ends import partial, state
from tests.faults.daemon import Daemon, audits, is_settled, serving, twice
from tests.models import weights, write

pytestmark = pytest.mark.wide

MODELS, VERSIONS = 4, 10
ALL = MODELS * VERSIONS
KILLS = 50
SEED = 20261121


def fill(root: Path) -> Path:
    """Four models of ten versions; the third loses a layer's rank, the last repeats the first."""
    for model in range(MODELS):
        for number in range(1, VERSIONS + 1):
            changed = {"fc2.weight": models.collapsed()} if number == 3 else {}
            made = weights(100 * model + number % VERSIONS, **changed)
            write(root / f"models/net{model}/{number}", made, day=number)
    source = "{kind: folder, root: models, history: all, settle: 0, every: 5s}"
    models.config(root, sources=f"[{source}]")
    return root


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = fill(tmp_path_factory.mktemp("undisturbed"))
    command = [sys.executable, "-m", "auditor", "once"]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return root


def test_fifty_kills_over_forty_audits_leave_what_an_undisturbed_run_leaves(undisturbed, tmp_path):
    root = fill(tmp_path)
    for finished, delay in _moments():
        enough = min(ALL, audits(root) + finished)
        daemon = Daemon(root)
        daemon.until(lambda enough=enough: audits(root) >= enough, f"finish {finished} audits")  # type: ignore[misc]
        time.sleep(delay)
        daemon.kill()
    with serving(root) as daemon:
        daemon.until(lambda: daemon.leads and is_settled(root, ALL), "lead and finish")
        assert daemon.stop() == 0
    assert twice(root) == []
    assert state(root) == state(undisturbed)
    assert partial(root) == []


def _moments() -> list[tuple[int, float]]:
    """How many audits to wait for before each kill, and how many seconds after that.

    A version that takes its process with it again and again is given up, as it should be:
    at least every third process may finish one.
    """
    draw = random.Random(SEED)  # noqa: S311 - moments, not secrets
    return [(2 if kill % 3 == 2 else 0, draw.uniform(0.0, 2.5)) for kill in range(KILLS)]
