"""What measuring needs besides the weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from auditor.architecture.building import build
from auditor.records import Module, Settings
from auditor.spectral.eigenvalues import Eigensolver, lapack
from auditor.wall.jobs import Memory, Progress, alone, quiet

__all__ = ["Bench", "Memory", "Progress", "quiet"]


@dataclass(frozen=True, slots=True)
class Bench:
    """What measuring needs besides the weights."""

    memory: Memory
    settings: Settings
    budget: int  # bytes all pairs at work may need together
    workers: int | None = None
    progress: Progress = quiet
    solve: Eigensolver = lapack
    time_budget: float | None = None  # seconds to measure in; what does not fit is left out
    added: bool = False  # whether the difference to the baseline is decomposed, too
    admit: Callable[[int], int] = alone  # bytes -> how many audits measure; waits until they fit
    build: Callable[[str], Mapping[str, Module]] = build  # modules of the model of a config.json
