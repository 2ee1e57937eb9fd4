"""The nouns: frozen records handed from one station of the line to the next.

Nothing here reads a file, knows a vendor or computes. Arrays live only in `Layer`, and
only while that layer is being measured; everything that is kept is numbers and text.

A number that is undefined is ``nan`` in a record and ``null`` in JSON; never a sentinel.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Matrix = NDArray[np.floating[Any]]  # (rows, cols), float16, float32 or float64


# --- where a version comes from -----------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class VersionId:
    """Which version of which model, and where it lives: ``mlflow:digits@3``."""

    source: str
    model: str
    version: str

    def __str__(self) -> str:
        return f"{self.series}@{self.version}"

    @property
    def series(self) -> str:
        """The line of versions this one belongs to: ``mlflow:digits``."""
        return f"{self.source}:{self.model}"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version as its source announced it; immutable, and no weights have been touched yet."""

    id: VersionId
    created_at: datetime  # with a time zone; orders the versions of a model
    uri: str  # how a person names it, and a REF the command line takes: models:/digits/3
    location: str  # where its source finds the files, in the source's own form
    facts: Mapping[str, str] = field(default_factory=dict)  # run_id, model_id, ...

    @property
    def identity(self) -> str:
        """Differs for every version there ever was, also when a name is deleted and reused."""
        stamp = int(self.created_at.timestamp() * 1000)
        return f"{self.id}|{stamp}|{self.location}"


@dataclass(frozen=True, slots=True)
class Seen:
    """A source reports a version; `cursor` is where to go on once it has been noted."""

    version: ModelVersion
    cursor: str


class Role(StrEnum):
    """What a file of a version is for."""

    WEIGHTS = "weights"
    INDEX = "index"
    CONFIG = "config"
    CARD = "card"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a version. Name and size are known before a byte of it is read."""

    name: str  # relative to the version's root, with forward slashes; hostile input
    role: Role
    size: int
    open: Callable[[], BinaryIO]  # a fresh, seekable, read-only handle
    sha256: str | None = None  # as the source states it


# --- what a layer is, and what is measured on it ------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A tensor as one or more matrices, in memory only while it is measured."""

    name: str
    kind: str  # dense, embedding, head, conv1d, conv2d, conv3d, depthwise, experts
    dtype: str  # as stored: float32, bfloat16, ...
    shape: tuple[int, ...]  # as stored
    slices: tuple[Matrix, ...]  # each (rows, cols), all of one shape, all finite

    @property
    def parameters(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Skip:
    """A tensor that has no spectrum here, and why; still part of the account."""

    name: str
    shape: tuple[int, ...]
    reason: str  # "vector", "scalar", "integer index", "tied to x", "non-finite", "unreadable: ..."
    dtype: str = ""
    read: bool = True  # its values were read and checked
    non_finite: int = 0  # how many values are nan or infinite
    all_zero: bool = False

    @property
    def parameters(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_matrix(self) -> bool:
        """Whether its parameters count towards how much of the model was looked at."""
        return len(self.shape) >= 2 and not self.reason.startswith(("tied to", "integer index"))


@dataclass(frozen=True, slots=True)
class Trap:
    """A correlation trap: an eigenvalue of the randomised matrix beyond its edge."""

    eigenvalue: float
    edge: float
    entries: tuple[tuple[int, int, float], ...]  # (row, column, value) of what makes it


@dataclass(frozen=True, slots=True)
class Histogram:
    """Densities of eigenvalues on equal bins of log10(eigenvalue), for drawing.

    `density` and `twin` are fractions of all eigenvalues a bin, the random twin's on the
    same bins; eigenvalues of zero are in no bin.
    """

    lo: float  # lower edge of the first bin, an eigenvalue
    hi: float  # upper edge of the last bin
    density: tuple[float, ...]
    twin: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """Every number of one layer. Depends on the tensor's values and the settings only."""

    status: str  # success, zero, too few eigenvalues, no tail
    n: int  # larger side of a matrix
    m: int  # smaller side
    num_evals: int
    metrics: Mapping[str, float]  # column name -> value, nan where undefined
    traps: tuple[Trap, ...] = ()
    spectrum: Histogram | None = None


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """A layer of an audited version with what was measured on it."""

    name: str
    index: int  # position in the model's order, from 0
    block: int | None  # first number in the name
    kind: str
    dtype: str
    shape: tuple[int, ...]
    digest: str  # of the tensor: SHA-256 over shape, dtype and C-order bytes
    measured: Measurement
    verified: bool = True  # its bytes belong to a file whose digest was checked or computed

    @property
    def parameters(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def metrics(self) -> Mapping[str, float]:
        """Column name -> value, nan where undefined."""
        return self.measured.metrics


@dataclass(frozen=True, slots=True)
class LayerChange:
    """One layer against the same layer of the baseline."""

    name: str
    before: LayerRecord
    distances: Mapping[str, float]  # nan where undefined or where the baseline's bytes are gone


@dataclass(frozen=True)
class Comparison:
    """A version against its baseline; layers matched by name and shape, or equal digest."""

    baseline: ModelVersion
    layers: tuple[LayerChange, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()  # (before, after)
    note: str = ""  # which distances are missing and why

    def change(self, name: str) -> LayerChange | None:
        """The comparison of one layer, None where the baseline has no such layer."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, LayerChange]:
        return {layer.name: layer for layer in self.layers}


# --- what is concluded --------------------------------------------------------------------


class Severity(IntEnum):
    """How much a finding matters; ordered, so findings can be sorted and gated."""

    INFO = 10
    WARNING = 20
    CRITICAL = 30


class Level(StrEnum):
    """What a policy makes of a check."""

    OFF = "off"
    WARN = "warn"
    ERROR = "error"


class Origin(StrEnum):
    """Where a finding comes from, seen from the baseline."""

    NEW = "new"
    OPEN = "open"  # the baseline had it, and nobody accepted it
    ACCEPTED = "accepted"
    WAIVED = "waived"
    FIXED = "fixed"  # the baseline had it, this version does not
    ANALYZER = "analyzer"  # only a newer analyzer sees it


class Verdict(StrEnum):
    """What an audit says about a version."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    REVIEW = "REVIEW"
    BLOCK = "BLOCK"
    INCOMPLETE = "INCOMPLETE"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence a reader should act on, with the numbers behind it."""

    severity: Severity
    message: str  # subject and number: "fc1 looks over-trained: α 1.62 [1.48, 1.79]"
    rule: str = ""  # the limit in words: "upper end of α's interval below 2"
    layer: str | None = None
    limit: float | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    check: str = ""  # signed by `checks.examine`; a check does not name itself
    level: Level = Level.OFF  # given by the policy
    origin: Origin = Origin.NEW
    waiver: str = ""
    meaning: str = ""  # what the symptom means, in two sentences, from the check
    advice: str = ""  # what to try, from the check

    @property
    def key(self) -> tuple[str, str | None]:
        """The same symptom in another version has the same key."""
        return self.check, self.layer


@dataclass(frozen=True, slots=True)
class Condition:
    """One row of the gate: a rule, its limit, what this version and the baseline have."""

    condition: str
    level: Level
    limit: float
    value: float
    baseline: float | None
    passed: bool


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A weight file that was looked at, by name, size and digest."""

    name: str
    size: int
    sha256: str
    verified: bool  # the digest agrees with the one the source states, or we computed it whole


@dataclass(frozen=True, slots=True)
class FileFailure:
    """A weight file that cannot be parsed, and why."""

    name: str
    reason: str
    dangerous: bool = False  # it names code that no weight file needs


@dataclass(frozen=True, slots=True)
class PickleGlobal:
    """Something a pickle asks to import. It was not imported."""

    file: str
    name: str  # posix.system
    dangerous: bool  # it can run code or reach out, and no weight file needs it


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a version's files."""

    files: tuple[FileRecord, ...]
    bytes_read: int
    failures: tuple[FileFailure, ...] = ()
    globals: tuple[PickleGlobal, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted (file name, sha256) pairs: the identity of the weights."""
        total = sha256()
        for file in sorted((file.name, file.sha256) for file in self.files):
            total.update("\0".join(file).encode() + b"\n")
        return total.hexdigest()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything besides the weights that a measured number depends on."""

    convention: str = "auditor"  # or "weightwatcher"
    seed: int = 0
    min_evals: int = 8  # below this no power law is fitted
    min_tail: int = 8  # smallest tail the fit may choose
    bootstrap: int = 100  # refits behind α's interval; 0: no interval
    mp_fit: bool = True  # the Marchenko-Pastur bulk and its spikes
    randomize: bool = True  # the random twin and correlation traps


@dataclass(frozen=True, slots=True)
class Trend:
    """One earlier version of the model, as a point of its history."""

    version: str
    created_at: datetime
    verdict: str
    alpha_median: float
    log_spectral_norm_mean: float
    distance: float
    findings_new: int


@dataclass(frozen=True, slots=True)
class Audit:
    """All of it for one version: what was read, measured, compared and concluded."""

    version: ModelVersion
    reading: Reading
    layers: tuple[LayerRecord, ...]
    skipped: tuple[Skip, ...]
    comparison: Comparison | None
    findings: tuple[Finding, ...]
    gate: tuple[Condition, ...]
    verdict: Verdict
    reason: str
    policy: str
    policy_hash: str
    settings: Settings
    started_at: datetime
    seconds: float
    trend: tuple[Trend, ...] = ()  # oldest first, this version not included
