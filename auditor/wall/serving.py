"""The parent's side of an audit: what a child asks is given, what it says is kept.

Everything happens in the thread that waits for the child: ledger and sources are used by one
thread, as they are without a child.
"""

import io
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any, BinaryIO

from auditor.errors import AuditorError, StoppedError, WorkerError
from auditor.records import Comparison, LayerChange, LayerRecord, Reading, Skip, SourceFile
from auditor.wall import messages
from auditor.wall.frames import Channel, ForgedError, Frame
from auditor.wall.jobs import Desk, Examined, Header, Job
from auditor.wall.messages import ERRORS, Message
from auditor.wall.stopping import fetched

log = logging.getLogger(__name__)

HANDLES = 4096  # files open at a time, as many as a child may have


@dataclass(slots=True)
class Office:
    """One job's requests answered, its result gathered."""

    job: Job
    desk: Desk
    channel: Channel
    stack: ExitStack  # closes what is opened for the child
    admit: Callable[[int], int]  # bytes -> how many measure, itself among them; waits for memory
    stop: threading.Event | None = None  # set when the program is told to end
    at: str = "it began"  # the last that is known of the child
    plan: float | None = None  # seconds it says that measuring takes; None: files are opened
    result: Examined | None = None
    _admitted: bool = False
    _reading: Reading | None = None
    _layers: list[LayerRecord] = field(default_factory=list)
    _skipped: list[Skip] = field(default_factory=list)
    _changes: list[LayerChange] = field(default_factory=list)
    _headers: list[Header] = field(default_factory=list)
    _handles: dict[int, BinaryIO] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)
    _raised: dict[str, AuditorError] = field(default_factory=dict)  # told to the child, by text

    def serve(self, frame: Frame) -> None:
        """Do what one message asks for.

        Raises
        ------
        ForgedError
            If it is nothing that a child of ours says.
        AuditorError
            If it says that the job failed, with that error.
        """
        said = messages.understood(frame)
        DUTIES[type(said)](self, said, frame)

    def _open(self, said: messages.Open, _: Frame) -> None:
        file = self._file(said)
        self.at = f"{file.name[:200]!r} was opened"
        if len(self._handles) >= HANDLES:
            raise ForgedError(f"more than {HANDLES} files at a time")
        make = file.ranges if said.ranged and file.ranges is not None else file.open
        try:
            handle = fetched(self.stop, make) if file.is_elsewhere else make()
        except StoppedError:
            raise
        except (OSError, AuditorError) as error:
            self._refuse(error)
            return
        descriptor = _descriptor(handle)
        if descriptor is not None:
            with handle:
                self.channel.send({"handle": None}, fds=[descriptor])
            return
        number = next(self._numbers)
        self._handles[number] = self.stack.enter_context(handle)
        self.channel.send({"handle": number, "size": file.size})

    def _discard(self, said: messages.Discard, _: Frame) -> None:
        file = self._file(said)
        if file.discard is None:
            raise ForgedError("damage to a file of which nothing is kept")
        text = "%r, which was kept, is damaged; it is fetched again"
        log.warning(text, file.name[:200], extra={"event": "file.damaged"})
        file.discard()

    def _file(self, said: messages.Open | messages.Discard) -> SourceFile:
        against = self.job.against
        baseline = against.files if against else ()
        files = self.job.files if said.side == "version" else baseline
        if said.index >= len(files):
            raise ForgedError("a file that the job does not have")
        return files[said.index]

    def _read(self, said: messages.Read, _: Frame) -> None:
        handle = self._handles.get(said.handle)
        if handle is None:
            raise ForgedError("bytes of a file that is not open")
        try:
            handle.seek(said.offset)
            data = handle.read(said.count)
        except (OSError, AuditorError) as error:
            self._refuse(error)
            return
        self.channel.send({}, data)

    def _close(self, said: messages.Close, _: Frame) -> None:
        handle = self._handles.pop(said.handle, None)
        if handle is None:
            raise ForgedError("the end of a file that is not open")
        handle.close()

    def _refuse(self, error: OSError | AuditorError) -> None:
        """Tell the child why it does not get what it asked for."""
        if isinstance(error, AuditorError):
            self._raised[str(error)] = error
        name = next((name for name, kind in ERRORS.items() if isinstance(error, kind)), "OSError")
        self.channel.send({"error": name, "text": str(error)})

    def _recall(self, said: messages.Recall, _: Frame) -> None:
        found = self.desk.memory.recall(said.key)
        if found is None:
            self.channel.send({"measurement": None})
        else:
            self.channel.send(*messages.numbers_of(found))

    def _keep(self, said: messages.Keep, frame: Frame) -> None:
        self.desk.memory.keep(said.key, messages.measured(frame, said.measurement, said.sizes))

    def _build(self, said: messages.Build, _: Frame) -> None:
        found = self.desk.build(said.config)
        self.channel.send({name: asdict(module) for name, module in found.items()})

    def _step(self, said: messages.Step, _: Frame) -> None:
        self.at = f"{said.name[:200]!r} was measured"
        self.desk.progress(said.done, said.total, said.name)

    def _alive(self, said: messages.Alive, _: Frame) -> None:
        pass

    def _note(self, said: messages.Note, _: Frame) -> None:
        level = logging.getLevelNamesMapping()[said.level]
        log.log(level, "%s", said.text[:2000], extra={"event": said.event})

    def _plan(self, said: messages.Plan, _: Frame) -> None:
        self.plan = said.seconds

    def _admit(self, said: messages.Admit, _: Frame) -> None:
        if self._admitted:
            raise ForgedError("a second question for memory")
        self._admitted = True
        self.channel.send({"among": self.admit(said.bytes)})

    def _opened(self, said: messages.Opened, _: Frame) -> None:
        if self._reading is not None:
            raise ForgedError("files that are opened a second time")
        self._reading = messages.record(messages.READING, said.reading)
        self.at = "its files were opened"
        self.desk.opened(self._reading)
        self.channel.send({})

    def _found(self, said: messages.Found, _: Frame) -> None:
        self._layers += messages.record(messages.LAYERS, said.layers)
        self._skipped += messages.record(messages.SKIPPED, said.skipped)
        self._changes += messages.record(messages.CHANGES, said.changes)
        self._headers += messages.record(messages.HEADERS, said.headers)

    def _done(self, said: messages.Done, _: Frame) -> None:
        if self._reading is None:
            raise ForgedError("a result without files")
        comparison = self._compared(said.comparison)
        layers, skipped = tuple(self._layers), tuple(self._skipped)
        headers = tuple(self._headers)
        self.result = Examined(self._reading, layers, skipped, comparison, headers)

    def _compared(self, value: dict[str, Any] | None) -> Comparison | None:
        """The comparison with the baseline that the job names, which is not the child's to say."""
        if value is None:
            return None
        if self.job.against is None:
            raise ForgedError("a comparison with nothing")
        found: messages.Paired = messages.record(messages.PAIRED, value)
        return Comparison(
            baseline=self.job.against.version,
            layers=tuple(self._changes),
            added=found.added,
            removed=found.removed,
            renamed=found.renamed,
            note=found.note,
        )

    def _failed(self, said: messages.Failed, _: Frame) -> None:
        if said.text in self._raised:  # as it was raised here, with its cause
            raise self._raised[said.text]
        if said.error in ERRORS:
            raise ERRORS[said.error](said.text)
        if said.error == "MemoryError":
            raise WorkerError(
                f"reading and measuring {self.job.where} needs more memory than "
                f"limits.memory, {self.job.terms.memory:,} bytes, and the program itself; raise it"
            )
        log.error("%s", said.text, extra={"event": "audit.crashed"})
        last = said.text.strip().splitlines()[-1][:500] if said.text.strip() else "nothing said"
        raise WorkerError(
            f"an error in auditor itself while it read {self.job.where}: {last}; please report it"
        )


Duty = Callable[[Office, Any, Frame], None]
DUTIES: Mapping[type[Message], Duty] = {
    messages.Open: Office._open,
    messages.Discard: Office._discard,
    messages.Read: Office._read,
    messages.Close: Office._close,
    messages.Recall: Office._recall,
    messages.Keep: Office._keep,
    messages.Build: Office._build,
    messages.Step: Office._step,
    messages.Alive: Office._alive,
    messages.Note: Office._note,
    messages.Plan: Office._plan,
    messages.Admit: Office._admit,
    messages.Opened: Office._opened,
    messages.Found: Office._found,
    messages.Done: Office._done,
    messages.Failed: Office._failed,
}


def _descriptor(handle: BinaryIO) -> int | None:
    """Of a plain file on this machine; None where bytes come from elsewhere."""
    try:
        number = handle.fileno()
    except (OSError, io.UnsupportedOperation, AttributeError):
        return None
    return number if stat.S_ISREG(os.fstat(number).st_mode) else None
