"""What a run is made of, and what it comes to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from auditor.document import Document
from auditor.examining import Examiner
from auditor.ledger import Ledger
from auditor.records import ModelVersion
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


@dataclass(slots=True)
class Outcome:
    """What one run came to."""

    audited: list[Document] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)  # source -> why
    attempts: list[tuple[ModelVersion, str]] = field(default_factory=list)  # tried again later
    quarantined: list[tuple[ModelVersion, str]] = field(default_factory=list)
    refused: list[tuple[ModelVersion, str]] = field(default_factory=list)
    undelivered: list[tuple[str, str]] = field(default_factory=list)  # sink, why

    @property
    def exit_code(self) -> int:
        """2 if a source was unreachable, 3 if a version was quarantined, else 0."""
        if self.unreachable:
            return 2
        return 3 if self.quarantined else 0
