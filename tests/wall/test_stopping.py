"""The program is told to end: within a second, whatever child and parent are at."""

import io
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from auditor.errors import SourceError, StoppedError
from auditor.memory import Passing
from auditor.wall.process import Child, apart
from auditor.wall.room import Room
from auditor.wall.stopping import ended_at, fetched
from tests.models import weights, write
from tests.wall.jobs import desk, is_there, job, when_opened


@pytest.fixture
def net(tmp_path) -> Path:
    return write(tmp_path / "net", weights())


def test_what_was_measured_until_then_is_kept(net):
    stop, memory = threading.Event(), Passing()
    told = desk(memory, lambda *_: stop.set())
    with pytest.raises(StoppedError, match="told to end"):
        apart(job(net, workers=1), told, stop=stop)
    assert 0 < len(memory.found) < 4
    again = apart(job(net), desk(memory))
    assert len(again.layers) == 3


def test_a_child_that_does_not_listen_is_ended_all_the_same(net):
    stop = threading.Event()
    with Child(stop=stop) as child:

        def freeze() -> None:
            os.kill(child.pid, signal.SIGSTOP)
            stop.set()

        with pytest.raises(StoppedError):
            child.run(when_opened(job(net), freeze), desk())
    assert not is_there(child.pid)


class Closing(io.BufferedReader):
    """Says when it was closed."""

    def __init__(self, handle: BinaryIO, closed: threading.Event) -> None:
        super().__init__(handle)  # type: ignore[arg-type]
        self._told = closed

    def close(self) -> None:
        super().close()
        self._told.set()


def test_a_fetch_is_left_to_itself(net):
    stop, arrived, over = threading.Event(), threading.Event(), threading.Event()
    asked = job(net)
    (file,) = asked.files

    def slow():
        stop.set()
        arrived.wait()
        return Closing(file.open(), over)

    asked = replace(asked, files=(replace(file, open=slow, staged=True),))
    with Child(stop=stop) as child, pytest.raises(StoppedError):
        child.run(asked, desk())
    assert not over.is_set()
    arrived.set()
    assert over.wait(10.0)


def test_nothing_is_begun_once_it_is_told(net):
    stop = threading.Event()
    stop.set()
    untouched = when_opened(job(net), lambda: pytest.fail("was opened"))
    with pytest.raises(StoppedError):
        apart(untouched, desk(), stop=stop)


def test_one_that_waits_for_memory_is_ended(net):
    stop, room = threading.Event(), Room(1 << 20)

    class Stopping(Passing):
        def recall(self, _):
            pytest.fail("measured without memory")

    told = desk(Stopping(), opened=lambda _: stop.set())
    with room.taken(1 << 20), pytest.raises(StoppedError):
        apart(job(net), told, stop=stop, room=room)
    with room.taken(1 << 20, stop):
        pass


def test_an_error_that_came_first_is_that_error(net):
    asked = replace(job(net), files=(replace(job(net).files[0], staged=True, open=_refused),))
    with pytest.raises(SourceError, match="no route to host"):
        apart(asked, desk(), stop=threading.Event())


def _refused():
    raise SourceError("no route to host")


def test_an_error_of_its_own_is_not_taken_for_a_time_limit():
    def late():
        raise TimeoutError("of the store")

    with pytest.raises(TimeoutError, match="of the store"):
        fetched(threading.Event(), late)


def test_a_block_that_is_over_is_not_ended():
    stop, ended = threading.Event(), threading.Event()
    others = set(threading.enumerate())
    with ended_at(stop, ended.set):
        (watch,) = set(threading.enumerate()) - others
    stop.set()
    watch.join()
    assert not ended.is_set()
