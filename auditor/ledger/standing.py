"""How a ledger stands, as records; `auditor.ledger.overview` fills them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from auditor.records import Decision, Priority, VersionId


@dataclass(frozen=True, slots=True)
class InWork:
    """A version that is examined now."""

    version: VersionId
    owner: str  # host:pid:started
    since: datetime | None  # None: taken by a version of this program that did not write it down
    lease_until: datetime | None


@dataclass(frozen=True, slots=True)
class Troubled:
    """A version that did not come through, or not yet."""

    version: VersionId
    uri: str
    state: str  # pending and running: it failed, or waits for its source, and is tried again
    attempts: int  # that failed and were its own fault
    reason: str
    next_at: datetime | None  # when it is tried again


@dataclass(frozen=True, slots=True)
class Outbox:
    """What is on its way to one sink, or to one address of people."""

    name: str
    waiting: int
    failing: int  # of those waiting: failed at least once
    oldest: datetime  # when the oldest of them was ready to go
    reason: str | None  # why one of those failing did, None where none fails


@dataclass(frozen=True, slots=True)
class Concluded:
    """The newest audit of a version."""

    version: VersionId
    uri: str
    audit_id: str
    verdict: str
    reason: str
    findings_new: int
    saved_at: datetime
    decision: Decision | None = None  # that held when it was saved


class Tally(NamedTuple):
    """What was audited after a certain audit."""

    last: int  # the newest audit there is; the next tally begins after it
    audits: Mapping[str, int]  # by verdict
    bytes_read: int
    layers: int  # layers measured in them
    seconds: float  # spent in them


@dataclass(frozen=True, slots=True)
class Overview:
    """How the ledger stands at one moment."""

    versions: Mapping[str, Mapping[str, int]]  # source -> state -> how many
    waiting: Mapping[Priority, int]
    oldest: datetime | None  # since when the oldest version waits for its first audit
    running: Sequence[InWork]
    troubled: Sequence[Troubled]  # quarantined first, so many as a person reads
    failing: int  # versions that wait or are in work, and did not come through before
    sinks: Sequence[Outbox]
    targets: Sequence[Outbox]
    verdicts: Mapping[str, int]  # of the newest audit of every version that is not gone
    models: Mapping[str, int]  # of the newest audited version of every model
    worst: Sequence[Concluded]  # newest audited versions of models, the worst first, no PASS
    latest: Sequence[Concluded]  # the newest audit of each version, the last one first
    latencies: Sequence[float]  # seconds from registration to verdict, ascending
