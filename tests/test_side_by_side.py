"""A whole run with several audits at once, in real processes, and on a disk that is full."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from auditor.app import assemble
from auditor.config import load
from auditor.errors import LedgerError
from auditor.pipeline import Outcome, once
from tests import disks, models
from tests.models import weights, write


def fill(root: Path, count: int, versions: int = 2) -> Path:
    """Models of some versions each, the later ones changed."""
    for number in range(count):
        for version in range(1, versions + 1):
            changed = weights(number, **{"fc2.weight": weights(version)["fc2.weight"]})
            write(root / f"models/net{number}/{version}", changed, day=version)
    return root


def run(root: Path, **changed: str) -> Outcome:
    with assemble(load(models.config(root, **changed))) as app:
        return once(app)


def timeless(outcome: Outcome) -> list[str]:
    """The documents without when they were made."""
    documents: list[dict[str, Any]] = [
        {key: value for key, value in found.items() if key not in {"timing", "id"}}
        for found in outcome.audited
    ]
    return sorted(json.dumps(document, sort_keys=True) for document in documents)


@pytest.mark.wide
def test_one_at_a_time_and_four_come_to_the_same_documents(tmp_path):
    """Also where only two of the four have room to measure."""
    fill(tmp_path, 4)
    found = [
        timeless(run(tmp_path, ledger=f"sqlite:///{name}.db", data=name, limits=limits))
        for name, limits in {
            "one": "{audits: 1}",
            "four": "{audits: 4}",
            "tight": "{audits: 4, memory: 800MiB}",
        }.items()
    ]
    assert len(found[0]) == 8
    assert found[1] == found[0]
    assert found[2] == found[0]


@pytest.mark.wide
def test_a_run_that_is_told_to_end_gives_everything_back(tmp_path):
    fill(tmp_path, 4)
    stop = threading.Event()
    settings = load(models.config(tmp_path, limits="{audits: 4}"))
    with assemble(settings, lambda *_: stop.set(), stop=stop) as app:
        begun = once(app)
        assert begun.attempts == []
        assert app.ledger.held(app.owner) == []
    done = run(tmp_path)
    assert len(begun.audited) + len(done.audited) == 8
    assert done.attempts == []


@pytest.mark.wide
def test_a_disk_that_is_full_costs_no_version_an_attempt(tmp_path):
    fill(tmp_path, 1, versions=1)
    with disks.small(tmp_path / "disk") as disk:
        filler = disks.fill(disk)
        with pytest.raises(LedgerError, match=r"keeping the spectrum .*No space left on device"):
            run(tmp_path, data=str(disk))
        assert [path for path in disk.rglob("*") if path.is_file()] == [filler]
        filler.unlink()
        found = run(tmp_path, data=str(disk))
        assert len(found.audited) == 1
        assert found.attempts == []
