"""What is to be read and measured, and what that came to, as values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from auditor.records import (
    Comparison,
    LayerRecord,
    Measured,
    ModelVersion,
    Module,
    Reading,
    Settings,
    Skip,
    SourceFile,
)

Progress = Callable[[int, int, str], None]  # done, total, name of what was just done


def quiet(done: int, total: int, name: str) -> None:
    """Show no progress."""


def alone(_: int) -> int:
    """Be the one audit that measures, whatever it needs."""
    return 1


class Memory(Protocol):
    """Where what was measured is kept, by measurement key."""

    def recall(self, key: str) -> Measured | None:
        """What was measured under this key before, if all of it is still there."""

    def keep(self, key: str, measured: Measured) -> None:
        """Keep numbers and eigenvalues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a job is done, and what it may take of this machine."""

    settings: Settings
    memory: int  # bytes all layers at work may need together
    workers: int | None = None  # layers at once; None: as many as there are cores
    device: str = "auto"  # where eigenvalues are computed
    time_budget: float | None = None  # seconds after which no further layer is begun
    wall: float | None = None  # seconds after which its process is ended; None: as planned
    added: bool = False  # whether what was added between two versions is decomposed, too


@dataclass(frozen=True, slots=True)
class Against:
    """The baseline: its files where they can be had, and the layers of its stored audit."""

    version: ModelVersion
    files: Sequence[SourceFile] = ()
    layers: Sequence[LayerRecord] = ()  # stand in where no file can be read
    missing: str = ""  # why its files could not even be listed
    ranged: bool = False
    needed: bool = False  # files that cannot be had are an error, and nothing stands in


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of a tensor before a value of it is read; as in `weights.Tensor`."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: str
    read_as: str
    stored: int | None


@dataclass(frozen=True, slots=True)
class Job:
    """Read and measure a version, and how far it is from its baseline."""

    files: Sequence[SourceFile]  # every file of the version
    where: str  # names the version in messages
    terms: Terms
    against: Against | None = None
    ranged: bool = False  # fetch of files elsewhere only what is read
    headers: bool = False  # read no value, measure nothing: give what the headers say


@dataclass(frozen=True, slots=True)
class Examined:
    """A version, read, measured and compared; of a job for headers only these."""

    reading: Reading
    layers: tuple[LayerRecord, ...]
    skipped: tuple[Skip, ...]
    comparison: Comparison | None
    headers: tuple[Header, ...] = ()

    @property
    def before(self) -> tuple[LayerRecord, ...]:
        """The baseline's layers, for what stood there already."""
        found = self.comparison
        return tuple(changed.before for changed in found.layers) if found else ()


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a job asks for what is not its own, and says how it gets on."""

    memory: Memory
    progress: Progress
    opened: Callable[[Reading], None]  # told what was read; what it raises ends the job
    build: Callable[[str], Mapping[str, Module]]  # modules of the model a config.json describes
    plan: Callable[[float], None]  # told how many seconds measuring may take
    admit: Callable[[int], int] = alone  # bytes that measuring needs -> how many audits measure


def any_weights(reading: Reading) -> None:
    """Let every version be measured."""


def at_leisure(seconds: float) -> None:
    """Let measuring take the time it takes."""


Execute = Callable[[Job, Desk], Examined]
