"""Bytes that audits at work take together, so that side by side they stay within one limit."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from auditor.wall.stopping import LOOK, go_on


@dataclass(slots=True)
class Room:
    """A number of bytes, taken and given back by threads: whoever comes first is served first.

    A large one waits until so much is free, and those behind it wait with it, so that small
    ones cannot keep it waiting for good.
    """

    total: int  # bytes
    _free: int = field(init=False)
    _inside: int = field(init=False, default=0)  # that have taken some
    _queue: deque[object] = field(init=False, default_factory=deque)
    _changed: threading.Condition = field(init=False, default_factory=threading.Condition)

    def __post_init__(self) -> None:
        """All of it is free."""
        self._free = self.total

    @contextmanager
    def taken(self, wanted: int, stop: threading.Event | None = None) -> Iterator[int]:
        """Hold so many bytes inside the ``with`` block, waiting for them first.

        Parameters
        ----------
        wanted
            Bytes. More than `total` is all of it: who needs that much is alone.
        stop
            Ends the waiting when it is set.

        Yields
        ------
        int
            How many hold some of it at that moment, this one among them.

        Raises
        ------
        StoppedError
            If `stop` is set before there is room.
        """
        share = min(wanted, self.total)
        inside = self._take(share, stop)
        try:
            yield inside
        finally:
            with self._changed:
                self._free += share
                self._inside -= 1
                self._changed.notify_all()

    def _take(self, share: int, stop: threading.Event | None) -> int:
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or share > self._free:
                    go_on(stop)
                    self._changed.wait(None if stop is None else LOOK)
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
            self._free -= share
            self._inside += 1
            return self._inside
