"""Files of versions examined side by side: together within one limit of disk."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest

from auditor import file_cache
from auditor.errors import StoppedError
from auditor.fetching import Space, Store
from auditor.file_cache import FileCache, size_of
from auditor.records import Reading, Role, SourceFile
from auditor.wall.jobs import Desk, Examined, Job
from tests import disks
from tests.wall.jobs import desk, job

EMPTY = Examined(Reading((), 0), (), (), None)


class Remote:
    """Files that lie elsewhere, and how often each was fetched."""

    def __init__(self, folder: Path) -> None:
        self.cache = FileCache(folder)
        self.fetched: list[str] = []

    def file(self, name: str, size: int) -> SourceFile:
        key = f"{name} {size}"
        kept = self.cache.find(key) is not None
        fetch = partial(self._fetch, name, size)
        return SourceFile(
            name=f"{name}.safetensors",
            role=Role.WEIGHTS,
            size=size,
            open=partial(self.cache.open, key, size, fetch),
            ranges=None if kept else _no_ranges,
            discard=partial(self.cache.discard, key),
        )

    def _fetch(self, name: str, size: int, staging: Path) -> Path:
        self.fetched.append(name)
        path = staging / "file"
        path.write_bytes(bytes(size))
        return path


def _no_ranges() -> BinaryIO:
    pytest.fail("read in parts")


@pytest.fixture
def remote(tmp_path) -> Remote:
    return Remote(tmp_path / "files")


def asked(*files: SourceFile) -> Job:
    return Job(files, "a version", job(Path(__file__).parent / "wall").terms)


def store(remote: Remote, limit: int, stop: threading.Event | None = None) -> Store:
    return Store(Space(remote.cache.folder, limit), stop or threading.Event())


def opening(asked: Job, _: Desk) -> Examined:
    """All files opened, and closed in the end, as a child does."""
    handles = [file.open() for file in asked.files]
    for handle in handles:
        handle.close()
    return EMPTY


def test_after_any_number_of_versions_no_more_is_kept_than_the_limit(remote):
    execute = store(remote, 1000).within(opening)
    for number in range(30):
        execute(asked(remote.file(str(number), 300)), desk())
        assert size_of(remote.cache.folder) <= 1000
    assert len(remote.fetched) == 30
    execute(asked(remote.file("29", 300)), desk())
    assert len(remote.fetched) == 30  # the last one is kept


def test_those_that_do_not_fit_together_come_one_after_the_other(remote):
    most, inside, lock = [0], [0], threading.Lock()

    def watched(asked: Job, told: Desk) -> Examined:
        with lock:
            inside[0] += 1
        found = opening(asked, told)
        with lock:
            most[0] = max(most[0], size_of(remote.cache.folder))
            assert inside[0] == 1
            inside[0] -= 1
        return found

    execute = store(remote, 1000).within(watched)
    jobs = [asked(remote.file(str(number), 600)) for number in range(6)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda one: execute(one, desk()), jobs))
    assert most[0] == 600


def test_those_that_fit_are_at_work_together(remote):
    both = threading.Barrier(2)

    def meeting(asked: Job, told: Desk) -> Examined:
        both.wait(timeout=60.0)
        return opening(asked, told)

    execute = store(remote, 1000).within(meeting)
    jobs = [asked(remote.file(str(number), 400)) for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: execute(one, desk()), jobs))
    assert sorted(remote.fetched) == ["0", "1"]


def test_what_lies_here_waits_for_nobody(remote):
    here = SourceFile("a.safetensors", Role.WEIGHTS, 10**6, lambda: (_ for _ in ()).throw(OSError))
    one = store(remote, 1000)

    def second(asked: Job, told: Desk) -> Examined:
        return one.within(lambda *_: EMPTY)(Job((here,), "local", asked.terms), told)

    assert one.within(second)(asked(remote.file("large", 1000)), desk()) is EMPTY


def test_who_waits_for_the_disk_is_ended_too(remote):
    stop = threading.Event()
    one = store(remote, 1000, stop)

    def second(_: Job, told: Desk) -> Examined:
        stop.set()
        return one.within(lambda *_: pytest.fail("there was room"))(
            asked(remote.file("b", 1)), told
        )

    with pytest.raises(StoppedError):
        one.within(second)(asked(remote.file("a", 1000)), desk())


def test_what_is_kept_makes_way_so_that_a_version_is_read_whole(tmp_path, monkeypatch):
    """On a disk that is full of what was kept, there is room for what is wanted now."""
    monkeypatch.setattr(file_cache, "RESERVE", 0)
    with disks.small(tmp_path / "disk") as disk:
        remote = Remote(disk / "files")
        remote.file("old", disks.SIZE * 3 // 4).open().close()
        space = Space(remote.cache.folder, 1 << 60)
        assert space.has(disks.SIZE // 2)
        assert not space.has(2 * disks.SIZE)
