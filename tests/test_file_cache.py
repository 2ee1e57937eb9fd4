"""Kept files: whole or not there, in nobody's way, and nobody in theirs."""

import os
import random
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auditor import file_cache
from auditor.errors import SourceError
from auditor.file_cache import FileCache, clear, size_of, trim
from tests import disks


@pytest.fixture
def cache(tmp_path) -> FileCache:
    return FileCache(tmp_path / "files")


def content(key: str) -> bytes:
    return key.encode() * 100


def get(cache: FileCache, key: str) -> bytes:
    with cache.open(key, len(content(key)), lambda staging: put(staging, key)) as handle:
        return handle.read()


def put(staging: Path, key: str) -> Path:
    path = staging / "file"
    path.write_bytes(content(key))
    return path


def never(_: Path) -> Path:
    pytest.fail("fetched again")


def leftovers(cache: FileCache) -> list[Path]:
    return list(cache.folder.glob(".staging-*"))


def test_a_file_is_fetched_once(cache):
    assert get(cache, "a") == content("a")
    with cache.open("a", 100, never) as handle:
        assert handle.read() == content("a")
    assert cache.find("b") is None
    assert leftovers(cache) == []
    assert size_of(cache.folder) == len(content("a"))


def test_what_is_damaged_is_forgotten(cache):
    get(cache, "a")
    kept = cache.find("a")
    assert kept is not None
    kept.write_bytes(b"rotten")
    cache.discard("a")
    cache.discard("never kept")
    assert get(cache, "a") == content("a")


def test_what_somebody_has_open_stays(cache):
    get(cache, "b")
    handle = cache.open("a", 100, lambda staging: put(staging, "a"))
    passed_on = os.dup(handle.fileno())  # as to a child
    handle.close()
    assert trim(cache.folder, 0) == len(content("b"))
    assert cache.find("a") is not None
    os.close(passed_on)
    assert trim(cache.folder, 0) == len(content("a"))


def test_the_one_not_wanted_for_longest_goes_first(cache):
    for day, key in enumerate("abcd"):
        get(cache, key)
        kept = cache.find(key)
        assert kept is not None
        os.utime(kept, (day, day))
    cache.find("a")
    assert trim(cache.folder, 250) == 200
    assert [cache.find(key) is not None for key in "abcd"] == [True, False, False, True]


def test_nothing_is_kept_of_a_fetch_that_fails(cache):
    def broken(staging: Path) -> Path:
        put(staging, "half")
        raise SourceError("reset by peer")

    with pytest.raises(SourceError, match="reset by peer"):
        cache.open("a", 100, broken)
    assert [path for path in cache.folder.rglob("*") if path.is_file()] == []
    assert leftovers(cache) == []
    assert get(cache, "a") == content("a")


def test_two_that_arrive_do_not_both_count_on_the_same_room(cache):
    """Six tenths of what is free, twice."""
    cache.folder.mkdir()
    size = int(0.6 * shutil.disk_usage(cache.folder).free)

    def fetch(staging: Path) -> Path:
        with pytest.raises(SourceError, match=r"does not fit on the disk .* bytes left; make room"):
            cache.open("b", size, never)
        return put(staging, "a")

    cache.open("a", size, fetch).close()
    cache.open("b", size, lambda staging: put(staging, "b")).close()


def test_room_is_made_by_what_nobody_reads(cache, monkeypatch):
    get(cache, "old")
    free = shutil.disk_usage(cache.folder).free
    monkeypatch.setattr(file_cache, "RESERVE", 0)
    with pytest.raises(SourceError, match="does not fit"):
        cache.open("huge", 2 * free, never)
    assert cache.find("old") is None


ARRIVING = """
import sys, time
from pathlib import Path
from auditor.file_cache import FileCache

def fetch(staging):
    (staging / "file").write_bytes(b"half")
    print(staging, flush=True)
    time.sleep(600)

FileCache(Path(sys.argv[1])).open("a", 8, fetch)
"""


def test_what_a_killed_process_left_is_removed_at_once_and_nobody_elses(cache):
    cache.folder.mkdir()
    command = [sys.executable, "-c", ARRIVING, str(cache.folder)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:  # noqa: S603
        assert process.stdout is not None
        staging = Path(process.stdout.readline().decode().strip())
        clear(cache.folder)
        assert (staging / "file").read_bytes() == b"half"
        process.kill()
    clear(cache.folder)
    assert not staging.exists()


def test_what_is_opened_is_what_was_asked_for_whoever_removes_it(cache):
    keys, over = [f"key {number}" for number in range(5)], threading.Event()

    def trimming() -> int:
        removed = 0
        while not over.is_set():
            removed += trim(cache.folder, 0)
        return removed

    def reading(seed: int) -> int:
        chosen = random.Random(seed)  # noqa: S311 - keys, not secrets
        wanted = [chosen.choice(keys) for _ in range(200)]
        return sum(get(cache, key) == content(key) for key in wanted)

    with ThreadPoolExecutor(5) as pool:
        removed = pool.submit(trimming)
        try:
            found = list(pool.map(reading, range(4)))
        finally:
            over.set()
    assert found == [200] * 4
    assert removed.result() > 0
    assert leftovers(cache) == []


# --- a disk that is full ------------------------------------------------------------------------


def test_a_disk_that_fills_up_keeps_no_half_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(file_cache, "RESERVE", 0)

    def too_long(staging: Path) -> Path:
        path = staging / "file"
        path.write_bytes(bytes(2 * disks.SIZE))
        return path

    with disks.small(tmp_path / "disk") as disk:
        cache = FileCache(disk / "files")
        with pytest.raises(OSError, match="No space left"):
            cache.open("a", 0, too_long)
        assert size_of(cache.folder) == 0
        assert leftovers(cache) == []
        assert get(cache, "b") == content("b")
