"""A real child reads and measures; whatever becomes of it, its parent says so and goes on."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from safetensors.numpy import save_file

from auditor.errors import GoneError, LedgerError, SourceError, UsageError, WorkerError
from auditor.records import Settings
from auditor.wall.jobs import Against, Examined
from auditor.wall.process import PROGRAM, Child, apart, here
from tests.models import weights, write
from tests.wall.jobs import desk, distant, is_there, job, when_opened

GONE_WITHIN = 5.0  # seconds


@pytest.fixture
def net(tmp_path) -> Path:
    return write(tmp_path / "net", weights())


def told(found: Examined) -> str:
    """Everything in it; a float's text is the float."""
    return repr(found)


def gone(pid: int) -> bool:
    """Whether it is gone within seconds."""
    end = time.monotonic() + GONE_WITHIN
    while is_there(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_there(pid)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_child_finds_what_this_process_would(net, tmp_path):
    before = write(tmp_path / "old", {**weights(), "fc2.weight": weights(7)["fc2.weight"]})
    asked = job(net, before, settings=Settings(goodness_of_fit=True, vectors=True))
    one, other = apart(asked, desk()), here(asked, desk())
    assert told(one) == told(other)
    assert one.comparison is not None
    assert len(one.comparison.layers) == 3


def test_undefined_and_infinite_numbers_and_broken_names_come_through(tmp_path):
    torch = pytest.importorskip("torch")
    tiny = torch.full((9, 9), 2.0) * 1e-30
    state = {"a\ud800.weight": torch.eye(20), "zero.weight": torch.zeros(9, 9), "t.weight": tiny}
    (tmp_path / "m").mkdir()
    torch.save(state, tmp_path / "m" / "model.pt")
    one, other = apart(job(tmp_path / "m"), desk()), here(job(tmp_path / "m"), desk())
    assert told(one) == told(other)
    numbers = [number for layer in one.layers for number in layer.metrics.values()]
    assert np.isnan(numbers).any()


def test_a_file_that_cannot_be_parsed_is_an_account_not_an_error(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.safetensors").write_bytes(b"\xff" * 64)
    found = apart(job(tmp_path / "m"), desk())
    assert [failure.name for failure in found.reading.failures] == ["model.safetensors"]


def test_progress_and_memory_are_the_parents(net):
    steps: list[tuple[int, int, str]] = []
    memory = desk().memory
    apart(job(net), desk(memory, lambda *at: steps.append(at)))
    assert [done for done, _, _ in steps] == [1, 2, 3, 4]

    class Remembered:
        kept = 0

        def recall(self, key):
            return memory.recall(key)

        def keep(self, *_):
            self.kept += 1

    again = Remembered()
    assert told(apart(job(net), desk(again))) == told(here(job(net), desk()))
    assert again.kept == 0


@pytest.mark.parametrize("ranged", [True, False], ids=["ranges", "whole"])
def test_bytes_that_lie_elsewhere_are_read_by_asking(ranged, tmp_path):
    """More of them than one message holds."""
    large = np.random.default_rng(0).normal(size=(8, 600_000)).astype(np.float32)
    save_file({"large.weight": large}, tmp_path / "model.safetensors")
    asked = job(tmp_path / "model.safetensors")
    file, far = distant(asked.files[0], ranged=ranged)
    found = apart(replace(asked, files=(file,), ranged=ranged), desk())
    (one,), (other,) = found.layers, here(asked, desk()).layers
    assert one.digest == other.digest
    assert repr(one.measured) == repr(other.measured)
    assert one.verified is not ranged
    assert max(far.counts) <= 16 << 20
    assert sum(far.counts) >= large.nbytes
    assert far.closed


@pytest.mark.parametrize("execute", [apart, here], ids=["apart", "here"])
@pytest.mark.parametrize("damage", [b"\xff" * 400, b"cut"], ids=["other bytes", "too short"])
def test_a_kept_copy_that_is_damaged_is_had_again(damage, execute, net, tmp_path):
    asked = job(net)
    (file,) = asked.files
    whole = (net / file.name).read_bytes()
    kept = tmp_path / "kept"
    kept.write_bytes((damage + whole)[: len(whole)] if len(damage) > 3 else damage)

    def fetched() -> BinaryIO:
        if not kept.exists():
            kept.write_bytes(whole)
        return Path(kept).open("rb")

    stated = hashlib.sha256(whole).hexdigest()
    damaged = replace(file, open=fetched, sha256=stated, discard=kept.unlink)
    found = execute(replace(asked, files=(damaged,)), desk())
    assert found.reading.files[0].sha256 == stated
    assert len(found.layers) == 3
    assert kept.read_bytes() == whole


def test_what_is_damaged_where_it_lies_is_not_forgotten(net):
    wrong = replace(job(net).files[0], sha256="0" * 64)
    with pytest.raises(SourceError, match="was damaged on the way or changed"):
        apart(replace(job(net), files=(wrong,)), desk())


def test_an_error_of_the_parents_comes_back_as_it_was_raised(net):
    error = GoneError("version 3 was deleted")

    def gone_away() -> None:
        raise error

    with pytest.raises(GoneError) as raised:
        apart(when_opened(job(net), gone_away), desk())
    assert raised.value is error


@pytest.mark.wide
def test_a_baseline_that_cannot_be_had_is_noted_unless_it_is_needed(net, tmp_path):
    before = write(tmp_path / "old", weights(7))
    asked = job(net, before)
    assert asked.against is not None
    (file,) = asked.against.files

    def refused():
        raise SourceError("no route to host")

    against = replace(asked.against, files=(replace(file, open=refused),))
    assert apart(replace(asked, against=against), desk()).comparison is None
    with pytest.raises(SourceError, match="no route to host"):
        apart(replace(asked, against=replace(against, needed=True)), desk())
    missing = Against(asked.against.version, (), here(job(before), desk()).layers, "it is gone")
    found = apart(replace(asked, against=missing), desk())
    assert found.comparison is not None
    assert found.comparison.note.endswith("it is gone")


def test_what_the_job_itself_raises_is_that_error(net, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "README.md").write_text("soon")
    with pytest.raises(UsageError, match="no weight file in"):
        apart(job(tmp_path / "empty"), desk())
    with pytest.raises(UsageError, match="nosuch"):
        apart(job(net, settings=Settings(layers=("nosuch*",))), desk())


def test_a_disk_that_is_full_is_the_parents_error_and_ends_the_child(net):
    class Full:
        def recall(self, _):
            return None

        def keep(self, *_):
            raise LedgerError("No space left on device")

    with Child() as child:
        with pytest.raises(LedgerError, match="No space left"):
            child.run(job(net), desk(Full()))
        pid = child.pid
    assert not is_there(pid)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_is_a_sentence_with_the_signal(number, net):
    with Child() as child:
        asked = when_opened(job(net), lambda: os.kill(child.pid, number))
        with pytest.raises(WorkerError) as raised:
            child.run(asked, desk())
    said = str(raised.value)
    assert f"the process that read {net} ended by signal {int(number)} ({number.name}" in said
    assert "'model.safetensors' was opened" in said
    assert not is_there(child.pid)


@pytest.mark.wide
def test_a_child_that_says_nothing_is_ended(net):
    with Child(silence=3.0) as child:
        asked = when_opened(job(net), lambda: os.kill(child.pid, signal.SIGSTOP))
        start = time.monotonic()
        with pytest.raises(WorkerError, match="said nothing and was ended"):
            child.run(asked, desk())
        assert time.monotonic() - start < 30.0
    assert not is_there(child.pid)


def test_time_is_limited_whatever_is_said(net):
    with pytest.raises(WorkerError, match="took longer than it may"):
        apart(job(net, wall=0.01), desk())


@pytest.mark.wide
def test_the_time_that_the_parent_takes_is_not_the_childs(net):
    asked = when_opened(job(net, wall=20.0), lambda: time.sleep(1.0))
    slow = desk(progress=lambda *_: time.sleep(0.1))
    assert apart(asked, slow).layers


def test_an_interrupted_parent_leaves_no_child(net):
    with Child() as child:

        def interrupt() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            child.run(when_opened(job(net), interrupt), desk())
    assert not is_there(child.pid)


def test_nothing_stays_behind(net):
    apart(job(net), desk())  # what is imported on the way stays open
    before = descriptors()
    apart(job(net), desk())
    with Child() as child, suppress(WorkerError):
        child.run(when_opened(job(net), lambda: os.kill(child.pid, signal.SIGKILL)), desk())
    with Child():
        pass
    assert descriptors() == before


def test_no_secret_is_given_to_a_child(net, monkeypatch):
    for name in ("HF_TOKEN", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH"):
        monkeypatch.setenv(name, "s3cret")
    seen: list[bytes] = []
    with Child() as child:
        environ = Path(f"/proc/{child.pid}/environ")
        child.run(when_opened(job(net), lambda: seen.append(environ.read_bytes())), desk())
    assert b"s3cret" not in seen[0]
    given = dict(entry.split(b"=", 1) for entry in seen[0].split(b"\0") if entry)
    assert given[b"MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == b"false"
    assert given[b"HF_HUB_OFFLINE"] == b"1"
    assert given[b"HOME"] == b"/nonexistent"


KILLED = """
import os, sys, time
from pathlib import Path
from auditor.wall.process import Child
from tests.wall.jobs import desk, job, when_opened

with Child() as child:
    def wait():
        print(child.pid, flush=True)
        time.sleep(60)
    child.run(when_opened(job(Path(sys.argv[1])), wait), desk())
"""


def test_a_child_ends_with_a_parent_that_was_killed(net):
    command = [sys.executable, "-c", KILLED, str(net)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as parent:  # noqa: S603
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_there(pid)
        parent.kill()
    assert gone(pid)


def test_a_child_ends_when_nobody_listens_any_more():
    """Where the system does not end it by itself: the socket's other end is closed."""
    ours, its = socket.socketpair()
    with ours, its:
        command = [sys.executable, "-I", "-c", PROGRAM, str(its.fileno()), str(os.getpid())]
        child = subprocess.Popen(command, pass_fds=[its.fileno()])  # noqa: S603 - our own code
    assert child.wait(timeout=30.0) == 1


def test_a_child_that_cannot_start_says_why(net):
    said = r"exit code 1: .*nowhere_to_be_found"
    with (
        Child(program="import nowhere_to_be_found") as child,
        pytest.raises(WorkerError, match=said),
    ):
        child.run(job(net), desk())


def test_a_bug_is_told_with_its_traceback_in_the_log(net, caplog):
    """Settings that no option lets through."""
    asked = job(net, settings=Settings(precision="float31"))
    with pytest.raises(WorkerError, match=r"an error in auditor itself .*float31.*; please report"):
        apart(asked, desk())
    assert "audit.crashed" in [record.event for record in caplog.records]


@pytest.mark.wide
def test_a_script_without_a_guard_runs_once(net, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"import auditor\nprint(len(auditor.analyze({str(net)!r}).layers))\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, check=True)  # noqa: S603
    assert done.stdout.split() == [b"3"]


def test_the_parent_imports_no_numerics():
    code = "import sys, auditor.app, auditor.single, auditor.api; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)  # noqa: S603
    assert done.stdout.split() == [b"False"]
