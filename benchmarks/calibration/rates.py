"""Counts of layers, as rates with what the number of layers lets one say."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from scipy.stats import beta

T = TypeVar("T")
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many."""

    hits: int
    total: int

    @property
    def at_most(self) -> float:
        """Upper end of the one-sided 95 % Clopper-Pearson interval; 1 without a layer.

        >>> round(Rate(0, 299).at_most, 4)
        0.01
        """
        if self.hits >= self.total:
            return 1.0
        return float(beta.ppf(CONFIDENCE, self.hits + 1, self.total - self.hits))

    @property
    def at_least(self) -> float:
        """Lower end of the one-sided 95 % Clopper-Pearson interval; 0 without a layer.

        >>> round(Rate(59, 59).at_least, 4)
        0.9505
        """
        return 1.0 - Rate(self.total - self.hits, self.total).at_most

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends of the two-sided 95 % Clopper-Pearson interval; 0 to 1 without a layer.

        >>> [round(end, 4) for end in Rate(0, 80).interval]
        [0.0, 0.0451]
        """
        return _interval(self.hits, self.total)

    def __str__(self) -> str:
        return f"{self.hits} / {self.total}" if self.total else "–"


@cache
def _interval(hits: int, total: int) -> tuple[float, float]:
    tail, misses = (1.0 - CONFIDENCE) / 2.0, total - hits
    low = float(beta.ppf(tail, hits, misses + 1)) if hits else 0.0
    high = float(beta.ppf(1.0 - tail, hits + 1, misses)) if misses else 1.0
    return low, high


def rate(outcomes: Iterable[T], hit: Callable[[T], bool]) -> Rate:
    """How many of them are hits."""
    found = [hit(outcome) for outcome in outcomes]
    return Rate(sum(found), len(found))


def share(value: float, *, digits: int = 2) -> str:
    """As a percentage."""
    return f"{100.0 * value:.{digits}f} %"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table as Markdown has it, numbers to the right of their column's first."""
    titles = list(head)
    lines = [titles, ["---", *("---:" for _ in titles[1:])], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
