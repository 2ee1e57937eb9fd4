"""What runs in the child: one job, asked for at the parent's and given back to it.

`main` is called with the number of an inherited socket and that of the parent.
"""

import faulthandler
import io
import logging
import os
import select
import sys
import threading
import traceback
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from socket import socket
from typing import Any, BinaryIO, TypeVar

import numpy as np

from auditor.errors import AuditorError
from auditor.records import Measured, Module, Reading
from auditor.wall import limits, messages, sending
from auditor.wall.frames import Channel, ClosedError, Frame
from auditor.wall.jobs import Desk, Examined

BEAT = 10.0  # seconds between signs of life
MOST = 2**32 - 1  # bytes of a message of the parent, who is believed
LINGER = 60.0  # seconds the parent has to read the end of the job; then it ends the process
BUFFER = 1 << 14  # bytes asked for where fewer are read: as many as a first window has
NOTE = "wall.note"  # the event of a line that has none
NEEDLESS = (
    *("matplotlib", "matplotlib.pyplot"),  # `powerlaw` draws with it: it wants a folder to write to
    "numpy.f2py",  # a compiler, which scipy has imported with all of numpy: 80 ms of 650
)

T = TypeVar("T")


def main() -> None:
    """Do a job and end."""
    number, parent = int(sys.argv[1]), int(sys.argv[2])
    limits.die_with(parent)
    faulthandler.enable()
    parent_end = Parent(Channel(socket(fileno=number), MOST, MOST, takes_descriptors=True))
    threading.Thread(target=parent_end.watch, name="watch", daemon=True).start()
    for name in NEEDLESS:
        sys.modules[name] = types.ModuleType(name)
    vars(np)["f2py"] = sys.modules["numpy.f2py"]
    try:
        _do(parent_end)
        threading.Event().wait(LINGER)  # an answer to another thread must not meet a closed end
    except ClosedError:
        os._exit(1)
    os._exit(0)  # at once, whatever threads are still in a library


def _do(parent: "Parent") -> None:
    """Do the job, and say how that went."""
    from auditor.executors.gpu import eigensolver  # noqa: PLC0415 - the watch has begun
    from auditor.spectral.eigenvalues import lapack  # noqa: PLC0415 - as above
    from auditor.wall.working import work  # noqa: PLC0415 - as above

    job = sending.job_of(parent.channel.receive().head, parent)
    _forward_logs(parent)
    limits.refuse()
    try:
        on_cpu = eigensolver(job.terms.device) is lapack
        limits.limit(job.terms.memory if on_cpu else None)
        parent.tell_result(work(job, parent.desk()))
    except ClosedError:
        raise
    except MemoryError:
        name, text = "MemoryError", ""
    except AuditorError as error:
        name, text = type(error).__name__, str(error)
    except Exception:  # noqa: BLE001 - told to the parent, which says what it is
        name, text = "bug", traceback.format_exc()[-100_000:]
    else:
        return
    parent.tell({"say": "failed", "error": name, "text": text})


@dataclass(slots=True)
class Parent:
    """The parent, as threads of the child speak to it: each question waits for its answer."""

    channel: Channel
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def watch(self) -> None:
        """Give signs of life; end the process when the parent has ended."""
        poll = select.poll()
        poll.register(self.channel.sock, 0)  # an end is always reported
        while not poll.poll(1000 * BEAT):
            try:
                self.tell({"say": "alive"})
            except ClosedError:
                break
        os._exit(1)

    def tell(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        """Say something that has no answer."""
        self.channel.send(head, body)

    def ask(self, head: Mapping[str, Any]) -> Frame:
        """Say something and wait for the answer.

        Raises
        ------
        AuditorError, OSError
            As the parent met it.
        """
        with self._asking:
            self.channel.send(head)
            answer = self.channel.receive()
        if "error" in answer.head:
            raise messages.ERRORS.get(answer.head["error"], OSError)(answer.head["text"])
        return answer

    def open(self, side: str, index: int, *, ranged: bool) -> BinaryIO:
        """A file of the job, on this machine or by way of the parent."""
        asked = {"say": "open", "side": side, "index": index, "ranged": ranged}
        answer = self.ask(asked)
        if answer.descriptor is not None:
            return os.fdopen(answer.descriptor, "rb")
        remote = Remote(self, answer.head["handle"], answer.head["size"])
        return io.BufferedReader(remote, BUFFER)

    def discard(self, side: str, index: int) -> None:
        """Have the copy of a file forgotten that the parent keeps."""
        self.tell({"say": "discard", "side": side, "index": index})

    def desk(self) -> Desk:
        """What the job asks for."""
        return Desk(self, self.step, self.opened, self.build, self.plan, self.admit)

    def recall(self, key: str) -> Measured | None:
        """What was measured under this key before."""
        answer = self.ask({"say": "recall", "key": key})
        if answer.head["measurement"] is None:
            return None
        return messages.measured(answer, answer.head["measurement"], answer.head["sizes"])

    def keep(self, key: str, measured: Measured) -> None:
        """Have numbers and eigenvalues kept."""
        head, body = messages.numbers_of(measured)
        self.tell({"say": "keep", "key": key, **head}, body)

    def step(self, done: int, total: int, name: str) -> None:
        """Say how far the work is."""
        self.tell({"say": "step", "done": done, "total": total, "name": name})

    def plan(self, seconds: float) -> None:
        """Say how long measuring may take."""
        self.tell({"say": "plan", "seconds": seconds})

    def admit(self, needed: int) -> int:
        """Wait until there is memory to measure in; how many audits share the cores then."""
        return int(self.ask({"say": "admit", "bytes": needed}).head["among"])

    def opened(self, reading: Reading) -> None:
        """Say what was read, and wait until the parent knows; it may end the job."""
        self.ask({"say": "opened", "reading": messages.READING.dump_python(reading)})

    def build(self, config: str) -> Mapping[str, Module]:
        """The modules of a model, which is made by a process of the parent's."""
        return messages.MODULES.validate_python(self.ask({"say": "build", "config": config}).head)

    def tell_result(self, found: Examined) -> None:
        """Say what the job came to, in parts of a bounded size."""
        for layer in found.layers:
            self._found(layers=messages.LAYERS.dump_python((layer,)))
        for skips in _batches(found.skipped):
            self._found(skipped=messages.SKIPPED.dump_python(skips))
        for headers in _batches(found.headers):
            self._found(headers=messages.HEADERS.dump_python(headers))
        comparison = found.comparison
        for change in comparison.layers if comparison else ():
            self._found(changes=messages.CHANGES.dump_python((change,)))
        paired = None if comparison is None else messages.paired(comparison)
        self.tell({"say": "done", "comparison": paired})

    def _found(self, **part: object) -> None:
        self.tell({"say": "found", **part})


class Remote(io.RawIOBase):
    """A file that the parent reads."""

    def __init__(self, parent: Parent, handle: int, size: int) -> None:
        super().__init__()
        self._parent = parent
        self._handle = handle
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; nothing is asked for until it is read."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Bytes from here on, at most one message of them."""
        count = min(len(buffer), messages.READ_LIMIT, max(0, self._size - self._at))
        if not count:
            return 0
        asked = {"say": "read", "handle": self._handle, "offset": self._at, "count": count}
        data = self._parent.ask(asked).body[:count]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Let the parent close it, too."""
        if not self.closed:
            self._parent.tell({"say": "close", "handle": self._handle})
        super().close()


class Forwarded(logging.Handler):
    """Log lines, told to the parent."""

    def __init__(self, parent: Parent) -> None:
        super().__init__(logging.INFO)
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one."""
        level = "ERROR" if record.levelno >= logging.ERROR else record.levelname
        event = str(getattr(record, "event", NOTE))[:100]
        text = record.getMessage()[:2000]
        self._parent.tell({"say": "note", "level": level, "event": event, "text": text})


def _forward_logs(parent: Parent) -> None:
    own = logging.getLogger("auditor")
    own.setLevel(logging.INFO)
    own.addHandler(Forwarded(parent))


def _batches(values: Sequence[T]) -> Iterator[tuple[T, ...]]:
    remaining: Iterable[T] = iter(values)
    while batch := tuple(islice(remaining, messages.BATCH)):
        yield batch
