"""What a run is made of, and what it comes to."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from auditor.document import Document
from auditor.examining import Examiner
from auditor.ledger import Ledger
from auditor.ledger.models import natural
from auditor.ledger.order import position_of
from auditor.records import ModelVersion, Rhythm
from auditor.sinks import Sink
from auditor.sources import Source


@dataclass(frozen=True, slots=True)
class App:
    """Everything a run needs, already built."""

    sources: Mapping[str, Source]
    sinks: Mapping[str, Sink]
    selectors: Sequence[str]  # baselines in order of preference: alias:champion, previous
    examiner: Examiner
    ledger: Ledger
    clock: Callable[[], datetime]
    owner: str  # who claims: this process
    tidy: Callable[[], object]  # keep what was fetched within its quota
    rhythms: Mapping[str, Rhythm] = field(default_factory=dict)  # by source: when it is looked at
    audits: int = 1  # versions examined at once
    stop: threading.Event = field(default_factory=threading.Event)  # set: give back, and end


@dataclass(slots=True)
class Outcome:
    """What one run came to."""

    audited: list[Document] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)  # source -> why
    attempts: list[tuple[ModelVersion, str]] = field(default_factory=list)  # tried again later
    quarantined: list[tuple[ModelVersion, str]] = field(default_factory=list)
    refused: list[tuple[ModelVersion, str]] = field(default_factory=list)
    undelivered: list[tuple[str, str]] = field(default_factory=list)  # sink, why
    left: bool = False  # looking was left to another process, which was asked to

    def add(self, other: "Outcome") -> None:
        """Take in what another part of the run came to."""
        self.audited += other.audited
        self.unreachable |= other.unreachable
        self.attempts += other.attempts
        self.quarantined += other.quarantined
        self.refused += other.refused
        self.undelivered += other.undelivered

    def sort(self) -> None:
        """Put the versions in order, whichever of those side by side were done first."""
        self.audited.sort(key=_position)
        for troubled in (self.attempts, self.quarantined, self.refused):
            troubled.sort(key=lambda one: position_of(one[0]))
        self.undelivered.sort()

    @property
    def exit_code(self) -> int:
        """2 if a source was unreachable, 3 if a version was quarantined, else 0."""
        if self.unreachable:
            return 2
        return 3 if self.quarantined else 0


def _position(document: Document) -> tuple[str, str, str, str]:
    """As `position_of`, of an audited version."""
    model = document["model"]
    return model["created_at"], model["source"], model["name"], natural(model["version"])
