"""A full disk, a locked ledger, two services on one ledger: the machine's own faults."""

import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests import models
from tests.ends import partial, state
from tests.faults.daemon import audits, is_settled, serving, states, twice
from tests.faults.test_killed_service import ALL, fill
from tests.models import weights, write

pytestmark = pytest.mark.wide

VERSIONS = 12


def few(root: Path, versions: int = VERSIONS) -> Path:
    """One model of some versions, looked at every five seconds."""
    for number in range(1, versions + 1):
        write(root / f"models/net/{number}", weights(number), day=number)
    source = "{kind: folder, root: models, history: all, settle: 0, every: 5s}"
    models.config(root, sources=f"[{source}]")
    return root


@contextmanager
def small_disk(at: Path, size: str) -> Iterator[Path]:
    """A file system of its own, in memory, of so many bytes."""
    at.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small file system")
    mounted = subprocess.run(  # noqa: S603 - our own folder
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.decode()[:200]}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)  # noqa: S603, S607


def test_two_services_on_one_ledger_audit_nothing_twice(tmp_path):
    root = fill(tmp_path)
    with serving(root) as first, serving(root) as second:
        first.until(lambda: audits(root) >= ALL // 4, "finish some")
        first.kill()  # whichever leads: the other one takes over
        second.until(lambda: audits(root) >= ALL // 2, "go on alone")
        with serving(root) as third:
            third.until(lambda: is_settled(root, ALL), "finish")
            assert (second.stop(), third.stop()) == (0, 0)
    assert twice(root) == []
    assert partial(root) == []


def test_a_ledger_that_is_locked_for_a_while_costs_nothing(tmp_path):
    root, over = few(tmp_path), threading.Event()

    def lock() -> None:
        """Hold the write lock, longer than anybody waits for it, then for short whiles."""
        for seconds in (40.0, 3.0, 3.0):
            with closing(sqlite3.connect(root / "auditor.db", timeout=60)) as database:
                database.execute("BEGIN IMMEDIATE")
                over.wait(seconds)
                database.rollback()
            over.wait(1.0)

    with serving(root) as daemon:
        daemon.until(lambda: audits(root) >= 2, "finish some")
        holder = threading.Thread(target=lock)
        holder.start()
        try:
            daemon.until(lambda: is_settled(root, VERSIONS), "finish")
        finally:
            over.set()
            holder.join()
        assert daemon.stop() == 0
    assert twice(root) == []


def test_a_full_disk_is_waited_for_and_leaves_nothing_half_written(tmp_path):
    calm = few(tmp_path / "calm")
    with serving(calm) as daemon:
        daemon.until(lambda: is_settled(calm, VERSIONS), "finish")
        daemon.stop()
    with small_disk(tmp_path / "disk", "24m") as disk:
        root = few(disk)
        ballast = root / "ballast"
        with serving(root) as daemon:
            daemon.until(lambda: audits(root) >= 2, "finish some")
            _fill(ballast)
            time.sleep(8)  # long enough to fail at whatever it does
            assert daemon.process.poll() is None, daemon.said
            assert partial(root) == []
            ballast.unlink()
            daemon.until(lambda: is_settled(root, VERSIONS), "go on when there is room")
            assert daemon.stop() == 0
        assert states(root) == {"done": VERSIONS}
        assert twice(root) == []
        assert state(root)["audits"] == state(calm)["audits"]


def _fill(ballast: Path) -> None:
    """Take every byte there is."""
    with ballast.open("wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    out.write(b"\0" * size)
            except OSError:
                continue
