"""A child that was broken into can say anything; whatever it says, no more comes of it."""

import json
import math
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import SourceError, UsageError, WeightsError, WorkerError
from auditor.records import (
    FloatArray,
    Histogram,
    LayerRecord,
    Measured,
    Measurement,
    Phase,
    Skip,
    Trap,
)
from auditor.wall import messages, process
from auditor.wall.frames import Channel, ClosedError, ForgedError, Frame, SilentError
from auditor.wall.jobs import Job
from auditor.wall.messages import measured, numbers_of, record, understood
from auditor.wall.process import Child
from tests.models import weights, write
from tests.wall.jobs import desk, job

pytestmark = pytest.mark.wide

SPEAKER = """
import json, socket, struct, sys, time
said = socket.socket(fileno=int(sys.argv[1]))
def say(head, body=b""):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    said.sendall(struct.pack("!II", len(text), len(body)) + text + body)
{0}
time.sleep(60)
"""
KEY = "ab" * 32
READING = {"files": [], "bytes_read": 0, "failures": [], "globals": []}
NUMBERS = {"status": "success", "n": 3, "m": 2, "num_evals": 2, "metrics": {"alpha": 2.0}}


@pytest.fixture
def net(tmp_path) -> Path:
    return write(tmp_path / "net", weights())


def refused(program: str, asked: Job, silence: float = 20.0) -> str:
    """Why the parent ended a child that runs a program; no memory of its was touched."""
    with Child(silence=silence, program=program) as child, pytest.raises(WorkerError) as raised:
        child.run(asked, desk(Untouched()))
    return str(raised.value)


def says(*said: str) -> str:
    return SPEAKER.format("\n".join(f"say({one})" for one in said))


class Untouched:
    """A memory that nobody may use."""

    def recall(self, _):
        pytest.fail("asked for what was measured")

    def keep(self, *_):
        pytest.fail("kept something")


def layer(**changed: Any) -> dict[str, Any]:
    found = {
        **{"name": "fc.weight", "index": 0, "block": None, "kind": "dense", "dtype": "float32"},
        **{"shape": [3, 2], "digest": KEY, "measured": NUMBERS},
    }
    return {**found, **changed}


FORGED = {
    "no JSON": 'b"\\x80\\x04cos\\nsystem\\n."',
    "no object": "[1]",
    "deep": 'b"[" * 100_000',
    "a number of 5000 digits": 'b"1" * 5000',
    "nothing said": {},
    "an unknown word": {"say": "exec", "code": "1"},
    "a word too many": {"say": "alive", "more": 1},
    "a file there is not": {"say": "open", "side": "version", "index": 1, "ranged": False},
    "a file before the first": {"say": "open", "side": "version", "index": -1, "ranged": False},
    "a baseline there is not": {"say": "open", "side": "baseline", "index": 0, "ranged": False},
    "damage to what is not kept": {"say": "discard", "side": "version", "index": 0},
    "a path": {"say": "open", "side": "version", "index": "/etc/passwd", "ranged": False},
    "bytes of no file": {"say": "read", "handle": 0, "offset": 0, "count": 1},
    "too many bytes": {"say": "read", "handle": 0, "offset": 0, "count": 1 << 40},
    "bytes before the first": {"say": "read", "handle": 0, "offset": -1, "count": 1},
    "the end of no file": {"say": "close", "handle": 7},
    "a key that is a path": {"say": "recall", "key": "../../etc/passwd"},
    "values that are not there": {
        **{"say": "keep", "key": KEY, "measurement": NUMBERS, "sizes": [1 << 40]}
    },
    "no slices": {"say": "keep", "key": KEY, "measurement": NUMBERS, "sizes": []},
    "a result without files": {"say": "done", "comparison": None},
    "a reading that is none": {"say": "opened", "reading": {"files": 3, "bytes_read": 0}},
    "a layer that is none": {"say": "found", "layers": [layer(shape="wide")]},
    "a layer beyond 64 bits": {"say": "found", "layers": [layer(shape=[1 << 80, 2])]},
    "a word for a level": {"say": "note", "level": "CRITICAL", "event": "", "text": ""},
    "forever": {"say": "plan", "seconds": math.inf},
    "memory without an end": {"say": "admit", "bytes": 1 << 80},
}


@pytest.mark.parametrize("said", FORGED.values(), ids=FORGED.keys())
def test_what_no_child_of_ours_says_ends_it(said, net):
    frame = said if isinstance(said, str) else repr(said).replace("inf", "float('inf')")
    reason = refused(says(frame), job(net))
    assert reason.startswith(f"the process that read {net} sent ")
    assert "and was ended; nothing it said is used" in reason


def test_memory_is_asked_for_once(net):
    asks = repr({"say": "admit", "bytes": 1})
    assert "sent a second question for memory" in refused(says(asks, asks), job(net))


def test_messages_that_are_too_long_are_not_waited_for(net):
    long = SPEAKER.format('said.sendall(struct.pack("!II", 2**32 - 1, 2**32 - 1))')
    assert "sent a message of 4294967295 + 4294967295 bytes" in refused(long, job(net))


def test_messages_without_an_end_are_counted(net, monkeypatch):
    monkeypatch.setattr(process, "MOST_IN_ALL", 10_000)
    chatter = SPEAKER.format('while True: say({"say": "alive"})')
    assert "sent more than 10,000 bytes" in refused(chatter, job(net))


def test_memory_that_no_limit_of_the_system_bounds_is_looked_at(net, monkeypatch):
    monkeypatch.setattr(process, "PROGRAM_TAKES", -(1 << 30))
    reason = refused(says(repr({"say": "alive"})), job(net))
    assert "bytes of memory and was ended; limits.memory is 1,073,741,824" in reason


def test_a_message_that_does_not_end_is_silence(net):
    drip = SPEAKER.format('said.sendall(struct.pack("!II", 100, 0) + b"{")')
    assert "said nothing and was ended" in refused(drip, job(net), silence=2.0)


def test_a_child_that_does_not_listen_is_ended(net):
    """The parent's answers fill the socket: it does not wait for ever to be read."""
    asks = SPEAKER.format(f'while True: say({{"say": "recall", "key": "{KEY}"}})')
    with (
        Child(silence=2.0, program=asks) as child,
        pytest.raises(WorkerError, match="did not listen and was ended"),
    ):
        child.run(job(net), desk())


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("SourceError", SourceError),
        ("UsageError", UsageError),
        ("WeightsError", WeightsError),
        *((name, WorkerError) for name in ("GoneError", "LedgerError", "ConfigError", "exit")),
        ("MemoryError", WorkerError),
    ],
)
def test_only_errors_of_reading_are_the_childs_to_raise(named, expected, net):
    """None that would have the version forgotten, or the run ended."""
    failed = {"say": "failed", "error": named, "text": "so it says"}
    with Child(program=says(repr(failed))) as child, pytest.raises(expected) as raised:
        child.run(job(net), desk())
    assert type(raised.value) is expected


def test_memory_that_did_not_suffice_is_told_with_its_limit(net):
    failed = {"say": "failed", "error": "MemoryError", "text": ""}
    reason = refused(says(repr(failed)), job(net, memory=1 << 20))
    assert "limits.memory, 1,048,576 bytes" in reason


def test_a_comparison_is_with_the_baseline_of_the_job(net):
    """Which is not the child's to say; nor has it one where the job has none."""
    opened = repr({"say": "opened", "reading": READING})
    paired = {"added": ["x"], "removed": [], "renamed": [], "note": ""}
    done = repr({"say": "done", "comparison": paired})
    assert "a comparison with nothing" in refused(says(opened, done), job(net))
    with Child(program=says(opened, done)) as child:
        found = child.run(job(net, net), desk())
    assert found.comparison is not None
    assert found.comparison.baseline.uri == str(net)
    assert found.comparison.added == ("x",)


def test_a_descriptor_of_a_child_is_not_taken(net):
    given = SPEAKER.format(
        'socket.send_fds(said, [b"\\0\\0"], [0, 1, 2])\n'
        'said.sendall(b"\\0\\x10\\0\\0\\0\\0" + b"{\\"say\\": \\"alive\\"}")'
    )
    with Child(program=given) as child:
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(WorkerError, match="took longer"):
            child.run(job(net, wall=1.0), desk())
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def channels(**kind: Any) -> tuple[Channel, Channel]:
    one, other = socket.socketpair()
    return Channel(one, 1000, 1000), Channel(other, 1000, 1000, **kind)


def test_a_message_comes_as_it_was_sent():
    one, other = channels()
    with one.sock, other.sock:
        for head, body in (({"a": [1, math.nan, "\ud800"]}, b""), ({}, b"\0" * 1000)):
            one.send(head, body)
            frame = other.receive(5.0)
            assert (repr(frame.head), frame.body) == (repr(head), body)


def test_threads_do_not_mix_their_messages():
    one, other = channels()
    with one.sock, other.sock:
        threads = [
            threading.Thread(target=one.send, args=({"n": n}, bytes([n]) * n)) for n in range(200)
        ]
        for thread in threads:
            thread.start()
        found = [other.receive(10.0) for _ in threads]
        for thread in threads:
            thread.join()
    assert sorted(frame.head["n"] for frame in found) == list(range(200))
    assert all(frame.body == bytes([frame.head["n"]]) * frame.head["n"] for frame in found)


def test_an_end_a_silence_and_a_lie_are_told_apart():
    one, other = channels()
    with other.sock:
        with pytest.raises(SilentError):
            other.receive(0.05)
        one.sock.sendall(struct.pack("!II", 2, 0) + b"{}" + struct.pack("!II", 1001, 0))
        assert other.receive(5.0) == Frame({})
        with pytest.raises(ForgedError):
            other.receive(5.0)
        one.sock.sendall(struct.pack("!I", 2))
        one.sock.close()
        with pytest.raises(ClosedError):
            other.receive(5.0)
        with pytest.raises(ClosedError):
            other.send({})


def full() -> LayerRecord:
    """A layer with something in every field."""
    numbers = Measurement(
        status="success",
        n=9,
        m=8,
        num_evals=8,
        metrics={"alpha": math.nan, "D": math.inf, "norm": -math.inf, "xmin": 0.1 + 0.2},
        traps=(Trap(1.5, 1.0, ((1, 2, -3.5),)),),
        spectrum=Histogram(0.1, 1.0, (0.25, 0.75), (1.0, 0.0)),
        phase=Phase("heavy-tailed", "α 3"),
    )
    return LayerRecord(
        "a\ud800\0\u202e", 0, 3, "dense", "float32", (9, 8), KEY, numbers, verified=False, values=5
    )


def test_every_record_comes_as_it_was():
    one = full()
    sent = json.loads(json.dumps(messages.LAYERS.dump_python((one,))))
    assert repr(record(messages.LAYERS, sent)) == repr((one,))
    skip = Skip("x", (1, 2), "vector", "float16", read=False, non_finite=3, all_zero=True)
    sent = json.loads(json.dumps(messages.SKIPPED.dump_python((skip,))))
    assert record(messages.SKIPPED, sent) == (skip,)


def test_eigenvalues_come_bit_by_bit(rng):
    values: tuple[FloatArray, ...] = (rng.random(5), rng.random(3))
    head, body = numbers_of(Measured(full().measured, values))
    frame = Frame({"say": "keep", "key": KEY, **json.loads(json.dumps(head))}, body)
    said = understood(frame)
    assert isinstance(said, messages.Keep)
    found = measured(frame, said.measurement, said.sizes)
    assert [v.tobytes() for v in found.eigenvalues] == [v.tobytes() for v in values]
    assert repr(found.measurement) == repr(full().measured)
