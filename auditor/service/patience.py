"""Waiting longer and longer for what does not work now."""

from dataclasses import dataclass

FIRST = 1.0  # seconds
LONGEST = 60.0


@dataclass(slots=True)
class Patience:
    """How long to wait after each failure in a row; seconds.

    Examples
    --------
    >>> patience = Patience(longest=3.0)
    >>> patience.lost(), patience.lost(), patience.lost()
    (1.0, 2.0, 3.0)
    >>> patience.regained()
    >>> patience.lost()
    1.0
    """

    first: float = FIRST
    longest: float = LONGEST
    failures: int = 0  # in a row

    def lost(self) -> float:
        """It failed again: wait so long before the next attempt."""
        self.failures += 1
        return min(self.first * 2.0 ** min(self.failures - 1, 30), self.longest)

    def regained(self) -> None:
        """It worked."""
        self.failures = 0
