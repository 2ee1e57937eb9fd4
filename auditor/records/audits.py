"""All of it for one version: what was read, measured, compared and concluded."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from auditor.records.decisions import Decision
from auditor.records.findings import Condition, Finding, Verdict
from auditor.records.layers import Comparison, LayerRecord, Skip
from auditor.records.profiles import Profile
from auditor.records.settings import Settings
from auditor.records.versions import ModelVersion


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A weight file that was looked at, by name, size and digest."""

    name: str
    size: int
    sha256: str  # as we computed it, else as its source states it; empty where neither is known
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
        """SHA-256 over the sorted (file name, sha256) pairs: the identity of the weights.

        Empty where a file's own digest is not known, as of one that was read in parts and
        whose source states none: nobody can say which other weights are the same.
        """
        return weights_digest((file.name, file.sha256) for file in self.files)


def weights_digest(files: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over sorted pairs of a file's name and its sha256; empty where one has none."""
    pairs = sorted(files)
    if not all(digest for _, digest in pairs):
        return ""
    total = sha256()
    for pair in pairs:
        total.update("\0".join(pair).encode("utf-8", "surrogatepass") + b"\n")
    return total.hexdigest()


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
    decision: Decision | None = None  # the newest that holds, of a person on this version
    profile: Profile | None = None  # what stood in for a baseline
    checks: int = 0  # `auditor.checks.VERSION` of the checks that judged it
