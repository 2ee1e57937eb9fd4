"""Audits side by side take no more than one limit, and come to what they come to alone."""

import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from auditor.errors import StoppedError, WorkerError
from auditor.executors.machine import cores
from auditor.memory import Passing
from auditor.wall.process import PROGRAM_COUNTS, Child, apart
from auditor.wall.room import Room
from tests.models import weights, write
from tests.wall.jobs import desk, is_there, job, when_opened

TOTAL = 100


def now() -> threading.Event:
    """Told already: who has to wait is stopped."""
    stop = threading.Event()
    stop.set()
    return stop


@pytest.fixture
def net(tmp_path) -> Path:
    return write(tmp_path / "net", weights())


@dataclass(slots=True)
class Account:
    """What is held at one time."""

    most: int = 0
    held: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def change(self, size: int) -> None:
        with self.lock:
            self.held += size
            self.most = max(self.most, self.held)


def test_together_they_never_hold_more_than_there_is():
    room, account = Room(TOTAL), Account()

    def hold(seed: int) -> None:
        sizes = random.Random(seed)  # noqa: S311 - sizes, not secrets
        for _ in range(50):
            size = sizes.randint(0, TOTAL + 20)
            with room.taken(size) as inside:
                assert 1 <= inside <= 8
                account.change(min(size, TOTAL))
                account.change(-min(size, TOTAL))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, range(8)))
    assert 0 < account.most <= TOTAL
    with room.taken(TOTAL, now()) as inside:
        assert inside == 1


def test_a_large_one_is_not_kept_waiting_by_small_ones():
    room, served, begun = Room(TOTAL), threading.Event(), threading.Barrier(3)

    def small() -> int:
        with room.taken(40):
            begun.wait()
        for count in range(100_000):
            if served.is_set():
                return count
            with room.taken(40):
                pass
        return -1

    with ThreadPoolExecutor(2) as pool, room.taken(20):
        first = [pool.submit(small) for _ in range(2)]
        begun.wait()
        large = threading.Thread(target=lambda: served.set() if _all(room) else None)
        large.start()
    large.join()
    assert [one.result() >= 0 for one in first] == [True, True]


def _all(room: Room) -> bool:
    with room.taken(TOTAL) as inside:
        return inside == 1


def test_who_needs_more_than_all_of_it_has_all_of_it():
    room = Room(TOTAL)
    with room.taken(10 * TOTAL), pytest.raises(StoppedError), room.taken(1, now()):
        pytest.fail("there was room")
    with room.taken(TOTAL - 1), room.taken(1, now()) as inside:
        assert inside == 2


def test_who_gives_up_waiting_leaves_nothing_behind():
    room = Room(TOTAL)
    with room.taken(1):
        for _ in range(3):
            with pytest.raises(StoppedError), room.taken(TOTAL, now()):
                pytest.fail("there was room")
        with room.taken(TOTAL - 1, now()):
            pass


@pytest.mark.parametrize("end", ["done", "killed", "refused"])
def test_a_childs_memory_is_free_when_it_has_ended(end, net):
    room = Room(8 * PROGRAM_COUNTS)
    with Child(room=room) as child:
        pid = child.pid

        def measured(*_: object) -> None:
            with pytest.raises(StoppedError), room.taken(room.total, now()):
                pytest.fail("it holds nothing")
            if end == "killed":
                os.kill(pid, signal.SIGKILL)
            elif end == "refused":
                raise WorkerError("refused")

        if end == "done":
            child.run(job(net), desk(progress=measured))
        else:
            with pytest.raises(WorkerError, match=r"SIGKILL|refused"):
                child.run(job(net), desk(progress=measured))
        with pytest.raises(StoppedError), room.taken(room.total, now()):
            pytest.fail("it was free before the process had ended")
    assert not is_there(pid)
    with room.taken(room.total, now()):
        pass


@pytest.mark.wide
def test_two_that_do_not_fit_together_measure_one_after_the_other(net):
    room, account = Room(PROGRAM_COUNTS), Account()

    def audit(_: int) -> int:
        begun = threading.Event()

        class Noting(Passing):
            def recall(self, key):
                if not begun.is_set():
                    begun.set()
                    account.change(1)
                return super().recall(key)

        def step(done: int, total: int, _: str) -> None:
            if done == total:
                account.change(-1)

        return len(apart(job(net), desk(Noting(), step), room=room).layers)

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(audit, range(3))) == [3, 3, 3]
    assert account.most == 1


@pytest.mark.wide
def test_what_is_found_does_not_depend_on_what_else_runs(tmp_path):
    """Of a matrix so large, too, that the threads of BLAS change its last digits."""
    large = np.random.default_rng(3).standard_normal((1300, 1300))
    net = write(tmp_path / "net", {**weights(), "large.weight": large})
    asked = job(net, write(tmp_path / "old", weights(7)), memory=1 << 29)
    alone = repr(apart(asked, desk()))
    room = Room(asked.terms.memory)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: repr(apart(asked, desk(), room=room)), range(4)))
    assert together == [alone] * 4


def test_a_question_for_memory_needs_a_job_that_reads_on(net):
    opened = when_opened(job(net), lambda: None)
    assert apart(opened, desk(), room=Room(1)).layers


def test_two_that_fit_measure_side_by_side(tmp_path):
    """With layers enough to fill the cores with: each waits for the other half way."""
    state = {f"{index}.weight": weights(index)["fc2.weight"] for index in range(2 * cores())}
    asked, both = job(write(tmp_path / "net", state)), threading.Barrier(2)

    def audit(_: int) -> int:
        met = threading.Event()

        def step(done: int, total: int, _: str) -> None:
            if done < total and not met.is_set():
                met.set()
                both.wait(timeout=60.0)

        room_for_both = desk(progress=step)
        return len(apart(asked, room_for_both, room=room).layers)

    room = Room(8 << 30)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(audit, range(2))) == [len(state)] * 2
