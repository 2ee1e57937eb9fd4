"""What measuring needs besides the weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from auditor.records import Measured, Settings
from auditor.spectral.eigenvalues import Eigensolver, lapack

Progress = Callable[[int, int, str], None]  # done, total, name of what was just done


def quiet(done: int, total: int, name: str) -> None:
    """Show no progress."""


class Memory(Protocol):
    """Where what was measured is kept, by measurement key."""

    def recall(self, key: str) -> Measured | None:
        """What was measured under this key before, if all of it is still there."""

    def keep(self, key: str, measured: Measured) -> None:
        """Keep numbers and eigenvalues."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What measuring needs besides the weights."""

    memory: Memory
    settings: Settings
    budget: int  # bytes all pairs at work may need together
    workers: int | None = None
    progress: Progress = quiet
    solve: Eigensolver = lapack
