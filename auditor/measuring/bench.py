"""What measuring needs besides the weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from auditor.records import FloatArray, Measurement, Settings
from auditor.spectral.eigenvalues import Eigensolver, lapack

Progress = Callable[[int, int, str], None]  # done, total, name of what was just done


def quiet(done: int, total: int, name: str) -> None:
    """Show no progress."""


class Memory(Protocol):
    """Where measurements and spectra are kept, by measurement key."""

    def known(self, key: str) -> Measurement | None:
        """The numbers measured under this key before, if any."""

    def remember(self, key: str, digest: str, measurement: Measurement) -> None:
        """Keep numbers."""

    def spectrum(self, key: str) -> tuple[FloatArray, ...] | None:
        """Eigenvalues by slice, if they are still there."""

    def keep_spectrum(self, key: str, eigenvalues: Sequence[FloatArray]) -> None:
        """Keep eigenvalues."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What measuring needs besides the weights."""

    memory: Memory
    settings: Settings
    budget: int  # bytes all pairs at work may need together
    workers: int | None = None
    progress: Progress = quiet
    solve: Eigensolver = lapack
