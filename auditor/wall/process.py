"""The child: started with nothing of its parent's, watched while it works, ended for certain.

Started as a plain program and not by `multiprocessing`: whose forkserver imports the caller's
main module again, which in a script without a guard starts the script again; and whose pipe
unpickles what the child writes, so that whoever broke into the child would be in the parent.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psutil

from auditor.errors import AuditorError, WorkerError
from auditor.wall.frames import Channel, ClosedError, ForgedError, SilentError
from auditor.wall.limits import environment
from auditor.wall.room import Room
from auditor.wall.stopping import ended_at, go_on

if TYPE_CHECKING:
    from auditor.wall.jobs import Desk, Examined, Job
    from auditor.wall.serving import Office

PROGRAM = "from auditor.wall.child import main; main()"
SILENCE = 300.0  # seconds; a child at work writes every 10
MOST_HEAD = 16 << 20  # bytes; a layer takes 5 kB, the longest known account of files 1 MB
MOST_BODY = 256 << 20  # the eigenvalues of a layer: 32 million
MOST_IN_ALL = 2 << 30  # so much a child may say; a model of 400 billion parameters takes 150 MB
LEAST_WALL, MOST_WALL = 600.0, 14 * 86_400.0  # seconds, besides the plan and with it
OPENING = 50e6  # bytes a second that files are read and hashed at, ten times slower than a disk
SAID = 4096  # bytes of its last words
LOOK = 5.0  # seconds between looks at the memory it takes
PROGRAM_TAKES = 6 << 30  # bytes resident besides `limits.memory`: a GPU's driver takes 4 GiB
PROGRAM_COUNTS = 256 << 20  # bytes of it that count where several are at work: 0.1 GiB, and BLAS's


@dataclass(slots=True)
class Child:
    """A process for one job, started when it is made; a context manager, which ends it.

    It is killed with its parent, on Linux already when the thread ends that started it.
    """

    silence: float = SILENCE  # seconds without a message after which it is ended
    program: str = PROGRAM
    stop: threading.Event | None = None  # set when the program is told to end
    room: Room | None = None  # shared with the other children; None: there are none
    _stack: ExitStack = field(default_factory=ExitStack)
    _process: "subprocess.Popen[bytes]" = field(init=False)
    _channel: Channel = field(init=False)
    _looked: float = field(init=False, default=0.0)  # when, by the monotonic clock
    _words: int = field(init=False)  # its stderr, a pipe that never makes it wait

    def __post_init__(self) -> None:
        """Start it; what it needs to import takes it most of a second."""
        ours, its = socket.socketpair()
        self._stack.enter_context(ours)
        self._words, words = os.pipe()
        self._stack.callback(os.close, self._words)
        os.set_blocking(self._words, False)
        os.set_blocking(words, False)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [sys.executable, "-I", "-c", self.program, str(its.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=words,
                pass_fds=[its.fileno()],
                cwd="/",
                env=environment(os.environ),
                start_new_session=True,  # what a terminal interrupts is the parent
            )
        except OSError as error:
            self._stack.close()
            raise WorkerError(f"no process to read weights in could be started: {error}") from error
        finally:
            its.close()
            os.close(words)
        self._channel = Channel(ours, MOST_HEAD, MOST_BODY, patience=self.silence)

    def __enter__(self) -> Self:
        """The child itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.end()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def end(self) -> None:
        """Kill the process if it is still there, and leave nothing of it behind."""
        self._kill()
        self._process.wait()
        self._stack.close()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    def _admit(self, needed: int) -> int:
        """Let it measure once there is room; what it takes is free again when it has ended."""
        if self.room is None:
            return 1
        return self._stack.enter_context(self.room.taken(needed + PROGRAM_COUNTS, self.stop))

    def run(self, job: "Job", desk: "Desk") -> "Examined":
        """Do a job.

        Raises
        ------
        WorkerError
            If the process crashes, takes more memory or time than it may, or says nothing, or
            anything that is not understood.
        StoppedError
            If `stop` is set before it is done: the process is killed within a second, and what
            it measured until then is kept.
        AuditorError
            As the job itself raises it.
        """
        try:
            with ended_at(self.stop, self._kill):
                return self._done(job, desk)
        except AuditorError:
            go_on(self.stop)  # what went wrong then is that it was killed
            raise

    def _done(self, job: "Job", desk: "Desk") -> "Examined":
        from auditor.wall import sending  # noqa: PLC0415 - while the child imports what it needs
        from auditor.wall.serving import Office  # noqa: PLC0415 - as above

        with ExitStack() as stack:
            office = Office(job, desk, self._channel, stack, self._admit, self.stop)
            try:
                self._channel.send(sending.of_job(job))
                return self._serve(office, job)
            except ClosedError as error:
                raise WorkerError(self._ended(office)) from error
            except SilentError as error:
                how = "did not listen and was ended"
                raise WorkerError(self._sentence(office, how)) from error
            except ForgedError as error:
                raise WorkerError(
                    f"the process that read {job.where} sent {error}, and was ended; nothing it "
                    "said is used: the files may have broken into it"
                ) from error

    def _serve(self, office: "Office", job: "Job") -> "Examined":
        """Answer until the job is done; only the time the child itself takes is counted."""
        size = sum(file.size for file in job.files)
        size += sum(file.size for file in job.against.files) if job.against else 0
        left, planned = LEAST_WALL + size / OPENING, False
        if job.terms.wall is not None:
            left = job.terms.wall
        while office.result is None:
            start = time.monotonic()
            try:
                frame = self._channel.receive(max(0.0, min(self.silence, left)))
            except SilentError as error:
                how = "took longer than it may" if left <= self.silence else "said nothing"
                raise WorkerError(self._sentence(office, f"{how} and was ended")) from error
            left -= time.monotonic() - start
            self._must_fit(job)
            if self._channel.total > MOST_IN_ALL:
                raise ForgedError(f"more than {MOST_IN_ALL:,} bytes")
            office.serve(frame)
            if office.plan is not None and not planned:
                planned = True
                left = left if job.terms.wall else min(LEAST_WALL + office.plan, MOST_WALL)
        return office.result

    def _must_fit(self, job: "Job") -> None:
        """End it where the system does not: a GPU's child has no limit there."""
        if time.monotonic() < self._looked + LOOK:
            return
        self._looked = time.monotonic()
        try:
            taken = psutil.Process(self.pid).memory_info().rss
        except psutil.Error:  # it has ended, which its socket tells
            return
        if taken > job.terms.memory + PROGRAM_TAKES:
            raise WorkerError(
                f"the process that read {job.where} took {taken:,} bytes of memory and was ended; "
                f"limits.memory is {job.terms.memory:,}, raise it if there is more"
            )

    def _ended(self, office: "Office") -> str:
        """How the process came to its end."""
        try:
            code = self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            return self._sentence(office, "closed its connection")
        if code >= 0:
            return self._sentence(office, f"ended with exit code {code}{self._last_words()}")
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        if -code == signal.SIGKILL:
            name += ", by the system perhaps, for want of memory"
        return self._sentence(office, f"ended by signal {-code} ({name})")

    def _sentence(self, office: "Office", how: str) -> str:
        return (
            f"the process that read {office.job.where} {how}; that was after {office.at}, "
            "and nothing it said is used"
        )

    def _last_words(self) -> str:
        """The last line it wrote to stderr, for what has no other way to be told."""
        try:
            said = os.read(self._words, 1 << 16)[-SAID:].decode("utf-8", "replace").split("\n")
        except OSError:
            return ""
        last = next((line.strip() for line in reversed(said) if line.strip()), "")
        return f": {last[:300]!r}" if last else ""


def apart(
    job: "Job",
    desk: "Desk",
    *,
    stop: threading.Event | None = None,
    room: Room | None = None,
) -> "Examined":
    """Do a job in a child of its own; as `Child.run`.

    Parameters
    ----------
    job, desk
        What is asked, and where the job asks for what is not its own.
    stop
        Set from elsewhere, ends it.
    room
        Shared by the jobs that run side by side: they measure when there is memory for it.
    """
    go_on(stop)
    with Child(stop=stop, room=room) as child:
        return child.run(job, desk)


def here(job: "Job", desk: "Desk") -> "Examined":
    """Do a job in this process, without a wall; as `auditor.wall.working.work`."""
    from auditor.wall.working import work  # noqa: PLC0415 - scipy takes half a second

    return work(job, desk)
