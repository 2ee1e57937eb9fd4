"""A wire to a server on 127.0.0.1 that can be cut, and fall silent, while the server goes on."""

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

RESET = struct.pack("ii", 1, 0)  # with SO_LINGER: closing sends a reset


class Mood(Enum):
    """What becomes of connections."""

    FINE = "fine"
    CUT = "cut"  # those there are reset, new ones refused at once
    SILENT = "silent"  # taken, and nothing ever comes back


@dataclass
class Wire:
    """Forwards a port of its own to `target`, in the mood it is in."""

    target: int
    mood: Mood = Mood.FINE
    port: int = 0
    _listener: socket.socket = field(init=False)
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._listener.settimeout(0.05)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def uri(self) -> str:
        """Where the server seems to be."""
        return f"http://127.0.0.1:{self.port}"

    def turn(self, mood: Mood) -> None:
        """From now on; what is open is cut whatever comes."""
        self.mood = mood
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Take it down."""
        self._over.set()
        self.turn(Mood.CUT)

    def _accept(self) -> None:
        with self._listener:
            while not self._over.is_set():
                try:
                    near, _ = self._listener.accept()
                except TimeoutError:
                    continue
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        mood = self.mood
        if mood is Mood.CUT:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            near.close()
            return
        with contextlib.suppress(OSError), near, self._kept(near):
            if mood is Mood.SILENT:
                self._swallow(near)
                return
            with socket.create_connection(("127.0.0.1", self.target)) as far, self._kept(far):
                self._pump(near, far)

    def _swallow(self, near: socket.socket) -> None:
        while self.mood is Mood.SILENT and not self._over.is_set():
            if select.select([near], [], [], 0.2)[0] and not near.recv(1 << 16):
                return

    def _pump(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        while not self._over.is_set():
            for ready in select.select([near, far], [], [], 0.5)[0]:
                chunk = ready.recv(1 << 16)
                if not chunk:
                    return
                other[ready].sendall(chunk)

    @contextmanager
    def _kept(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)


@contextmanager
def wire(target: str) -> Iterator[Wire]:
    """A wire to the server at an address."""
    made = Wire(int(target.rpartition(":")[2].strip("/")))
    try:
        yield made
    finally:
        made.close()
