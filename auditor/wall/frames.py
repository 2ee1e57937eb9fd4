"""Messages on a socket: two lengths, a JSON head, plain bytes.

Nothing that arrives is unpickled or made into anything but JSON values and bytes, so that
whoever writes at the other end can say something wrong and no more than that.
"""

import json
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LENGTHS = struct.Struct("!II")  # of the head and of the body
CHUNK = 1 << 20  # bytes received at a time

Head = Mapping[str, Any]


class ClosedError(Exception):
    """The other end is closed."""


class SilentError(Exception):
    """The other end neither wrote nor read in time."""


class ForgedError(Exception):
    """What arrived is no message."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message: what it says, bytes that go with it, a descriptor that came along."""

    head: dict[str, Any]
    body: bytes = b""
    descriptor: int | None = None


@dataclass(slots=True)
class Channel:
    """One end of a socket. Any thread may send; one receives."""

    sock: socket.socket
    most_head: int  # bytes of a head that is accepted
    most_body: int
    patience: float | None = None  # seconds the other end may take to read a message
    takes_descriptors: bool = False  # else those that come along are closed unseen
    total: int = 0  # bytes received
    _sending: threading.Lock = field(default_factory=threading.Lock)

    def send(self, head: Head, body: bytes | memoryview = b"", fds: Sequence[int] = ()) -> None:
        """Send a message, and with it open descriptors.

        Raises
        ------
        ClosedError
            If nobody is there to read it.
        SilentError
            If the other end does not read it in time.
        """
        text = json.dumps(head).encode()
        start = LENGTHS.pack(len(text), len(body)) + text
        with self._sending:
            try:
                self.sock.settimeout(self.patience)
                sent = socket.send_fds(self.sock, [start], fds) if fds else 0
                self.sock.sendall(start[sent:])
                self.sock.sendall(body)
            except TimeoutError as error:
                raise SilentError from error
            except OSError as error:
                raise ClosedError from error

    def receive(self, seconds: float | None = None) -> Frame:
        """The next message, whole, within so many seconds.

        Raises
        ------
        ClosedError
            If the other end is closed before it is whole.
        SilentError
            If it is not whole by then.
        ForgedError
            If it is longer than accepted, or its head is no JSON object.
        """
        by = None if seconds is None else time.monotonic() + seconds
        lengths, descriptor = self._first(by)
        head, body = LENGTHS.unpack(lengths)
        if head > self.most_head or body > self.most_body:
            raise ForgedError(f"a message of {head} + {body} bytes")
        return Frame(_object(self._exactly(head, by)), self._exactly(body, by), descriptor)

    def _first(self, by: float | None) -> tuple[bytes, int | None]:
        """The lengths, and a descriptor that came with their first byte."""
        if not self.takes_descriptors:
            return self._exactly(LENGTHS.size, by), None
        self._wait(by)
        try:
            data, descriptors, _, _ = socket.recv_fds(self.sock, LENGTHS.size, 1)
        except TimeoutError as error:
            raise SilentError from error
        except OSError as error:
            raise ClosedError from error
        if not data:
            raise ClosedError
        rest = self._exactly(LENGTHS.size - len(data), by)
        return data + rest, descriptors[0] if descriptors else None

    def _exactly(self, count: int, by: float | None) -> bytes:
        """So many bytes; what is not there yet is not allocated."""
        data = bytearray()
        while len(data) < count:
            self._wait(by)
            try:
                chunk = self.sock.recv(min(count - len(data), CHUNK))
            except TimeoutError as error:
                raise SilentError from error
            except OSError as error:
                raise ClosedError from error
            if not chunk:
                raise ClosedError
            data += chunk
        self.total += count
        return bytes(data)

    def _wait(self, by: float | None) -> None:
        """Let the next call to the socket wait no longer than that."""
        if by is None:
            self.sock.settimeout(None)
            return
        left = by - time.monotonic()
        if left <= 0:
            raise SilentError
        self.sock.settimeout(left)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ForgedError("a message that is no JSON") from error
    if not isinstance(found, dict):
        raise ForgedError("a message that is no JSON object")
    return found
