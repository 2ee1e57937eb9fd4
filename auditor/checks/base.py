"""What a check is, and what it gets to see."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from auditor.records import (
    Comparison,
    Finding,
    LayerRecord,
    Profile,
    Reading,
    Severity,
    Skip,
    Trend,
)

NOTHING_READ = Reading(files=(), bytes_read=0)


@dataclass(frozen=True, slots=True)
class Case:
    """What is being judged: everything measured on a version and, if any, its baseline."""

    layers: Sequence[LayerRecord]
    skipped: Sequence[Skip] = ()
    reading: Reading = NOTHING_READ
    comparison: Comparison | None = None
    stood: Sequence[Finding] = ()  # findings of the baseline's audit that nobody accepted
    history: Sequence[Trend] = ()  # earlier versions of the model, oldest first
    profile: Profile | None = None  # of models like this one


class Check(Protocol):
    """Anything that, called with a case, yields findings. Pure: same case, same findings."""

    severity: ClassVar[Severity]
    condition: ClassVar[str]  # the gate row: "Layers that look over-trained"
    meaning: ClassVar[str]  # what the symptom means, in two sentences
    advice: ClassVar[str]  # what to try
    theory: ClassVar[str]  # why it should be so, in two or three sentences
    sources: ClassVar[tuple[str, ...]]  # papers or measurements the theory and limits rest on
    needs: ClassVar[str]  # the column without which nothing is found, "" for none

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield zero or more findings, with ``rule``, ``limit`` and ``value`` filled in."""


def was_made(check: Check, case: Case) -> bool:
    """Whether a check could find anything: the column it needs was measured somewhere."""
    layers = case.layers
    return not (check.needs and layers) or any(check.needs in one.metrics for one in layers)


def name_of(check: type[Check]) -> str:
    """Key of a check in policies and reports: ``OverTrained`` is ``over_trained``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", check.__name__).lower()
