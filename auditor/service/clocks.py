"""The wall clock, watched: a machine that slept, or whose time was corrected, is noticed."""

import time
from collections.abc import Callable
from datetime import datetime

STEP = 5.0  # seconds; corrections of less come with every synchronised clock


class WallClock:
    """Compares the time of the day with a clock that nobody sets."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._offset = self._apart()

    def moved(self) -> float:
        """Seconds by which the clock was set since it was asked last; 0.0: it was not.

        A machine that slept has its clock set forward: nothing else ran meanwhile.
        """
        offset = self._apart()
        step, self._offset = offset - self._offset, offset
        return step if abs(step) >= STEP else 0.0

    def _apart(self) -> float:
        return self._clock().timestamp() - time.monotonic()
