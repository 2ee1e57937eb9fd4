"""What is concluded: findings, the gate, the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum
from typing import Any


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
    waiver: str = ""  # of origin waived: until when, by whom and why
    meaning: str = ""  # what the symptom means, in two sentences, from the check
    advice: str = ""  # what to try, from the check
    shape: tuple[int, ...] | None = None  # of the layer; of another shape it is another layer

    @property
    def key(self) -> tuple[str, str | None, tuple[int, ...] | None]:
        """The same symptom in another version has the same key: check, layer and shape."""
        return self.check, self.layer, self.shape


@dataclass(frozen=True, slots=True)
class Waiver:
    """A person answers for a finding, for a while: it stays listed and does not gate.

    Patterns are those of a shell (``*``, ``?``, ``[ab]``), and case matters.
    """

    check: str
    model: str  # pattern of `VersionId.series`: "source:name"
    reason: str
    owner: str
    expires: date  # the last day it holds, in UTC
    layer: str | None = None  # pattern of where; None: only findings about the whole version

    def __str__(self) -> str:
        said = f"until {self.expires:%Y-%m-%d} by {self.owner}: {self.reason}"
        return " ".join(said.split())


@dataclass(frozen=True, slots=True)
class Condition:
    """One row of the gate: a rule, its limit, what this version and the baseline have.

    The value is ``nan`` where the analysis leaves out what the rule looks at.
    """

    condition: str
    level: Level
    limit: float
    value: float
    baseline: float | None
    passed: bool
    source: str = ""  # where the rule is written: "preset strict", "policy.yaml, line 12"
    least: bool = False  # the limit is the least that passes, not the most
    check: str = ""  # whose findings it counts: a check, or a limit such as "alpha:median:max"
