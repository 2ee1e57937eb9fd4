"""Waking who waits for something to do."""

import threading
from dataclasses import dataclass, field


@dataclass(slots=True)
class Bell:
    """Rung when there may be something to do; nobody who looked before misses it.

    Examples
    --------
    >>> bell = Bell()
    >>> before = bell.rung
    >>> bell.ring()
    >>> bell.wait(before, 3600.0)
    True
    """

    rung: int = 0  # how often, so far
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._changed:
            self.rung += 1
            self._changed.notify_all()

    def wait(self, since: int, seconds: float) -> bool:
        """Wait until it has rung more than `since` times; False where `seconds` went by first."""
        with self._changed:
            return self._changed.wait_for(lambda: self.rung != since, seconds)
