"""What a route may use."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from auditor.config import Config
from auditor.ledger import Ledger
from auditor.records import Rhythm
from auditor.sources import Source


@dataclass(frozen=True, slots=True)
class House:
    """The parts of a running service, as the web sees them."""

    ledger: Ledger
    sources: Mapping[str, Source]  # by name
    config: Config
    rhythms: Mapping[str, Rhythm]  # when each source is looked at, by its name
    clock: Callable[[], datetime]
    nudge: Callable[[], object]  # there is something to do: do not wait for the next tick
    begun: datetime | None = None  # since when the service runs
    sinks: Sequence[str] = ()  # names of where audits go
