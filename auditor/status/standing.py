"""The whole of it as one record, with what is wrong in sentences."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, get_args

from auditor.ledger import Ledger
from auditor.ledger.standing import Concluded, InWork, Outbox, Overview, Troubled
from auditor.records import Rhythm
from auditor.status.looking import Watched, watched

DAYS = 7  # of which the time from registration to verdict is told
STUCK = timedelta(hours=1)  # a sink that fails for longer is no passing trouble

AlarmKind = Literal["overdue", "unreachable", "abandoned", "undelivered", "unsent", "quarantined"]
KINDS: tuple[AlarmKind, ...] = get_args(AlarmKind)  # the worst first


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person has to see to."""

    kind: AlarmKind
    about: str  # name of the source, sink or target, or identity of the version
    sentence: str

    @property
    def exit_code(self) -> int:
        """As of ``auditor once``: 3 for what was given up, 2 for everything else."""
        return 3 if self.kind == "quarantined" else 2


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from registration to verdict over the last days; None where nothing came."""

    days: int
    count: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for an audit."""

    waiting: Mapping[str, int]  # by priority: asked, registration, nightly, backfill
    oldest: datetime | None  # since when the oldest waits for its first audit, backfill left out
    running: Sequence[InWork]
    failing: int  # of those waiting or running: did not come through before
    troubled: Sequence[Troubled]  # quarantined, refused, then those that are tried again


@dataclass(frozen=True, slots=True)
class Status:
    """How everything stands at one moment."""

    at: datetime
    alarms: Sequence[Alarm]  # the worst first
    queue: Queue
    sources: Sequence[Watched]
    sinks: Sequence[Outbox]  # that audits still have to reach
    targets: Sequence[Outbox]  # people that messages still have to reach
    versions: Mapping[str, int]  # by state
    verdicts: Mapping[str, int]  # of each version's newest audit
    models: Mapping[str, int]  # of the newest audited version of each model
    latency: Latency
    worst: Sequence[Concluded]
    latest: Sequence[Concluded]
    remarks: Sequence[str] = ()  # nothing is wrong yet, and somebody should look

    @property
    def exit_code(self) -> int:
        """0 where no alarm is on; 2 overdue, unreachable, stuck; else 3 quarantined."""
        return min((alarm.exit_code for alarm in self.alarms), default=0)


def status(
    ledger: Ledger,
    rhythms: Mapping[str, Rhythm],
    at: datetime,
    *,
    begun: datetime | None = None,
) -> Status:
    """How everything stands.

    Parameters
    ----------
    ledger
        Where it is written down.
    rhythms
        When each configured source is looked at, by its name.
    at
        Now.
    begun
        Since when the program that looks is running, where it is.

    Raises
    ------
    LedgerError
        If the ledger cannot be read now.
    """
    found = ledger.overview(at - timedelta(days=DAYS))
    sources = watched(ledger.sources(), rhythms, at, begun=begun, versions=found.versions)
    alarms = [*_troubles(sources, running=begun is not None), *_alarms(found, at)]
    return Status(
        at=at,
        alarms=sorted(alarms, key=lambda alarm: KINDS.index(alarm.kind)),
        queue=Queue(
            waiting={one.name.lower(): count for one, count in found.waiting.items()},
            oldest=found.oldest,
            running=found.running,
            failing=found.failing,
            troubled=found.troubled,
        ),
        sources=sources,
        sinks=found.sinks,
        targets=found.targets,
        versions=_by_state(found),
        verdicts=found.verdicts,
        models=found.models,
        latency=_latency(found.latencies),
        worst=found.worst,
        latest=found.latest,
    )


def as_json(status: Status) -> dict[str, Any]:
    """The same as data: names as in `Status`, moments in ISO 8601, and the exit code."""
    return {"exit_code": status.exit_code, **_plain(status)}


def quantile(ascending: Sequence[float], share: float) -> float | None:
    """The smallest of some values that `share` of them do not exceed; None of none.

    Examples
    --------
    >>> quantile([1.0, 2.0, 3.0, 40.0], 0.5), quantile([1.0, 2.0, 3.0, 40.0], 0.95)
    (2.0, 40.0)
    """
    if not ascending:
        return None
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]


def _troubles(sources: Sequence[Watched], *, running: bool) -> Iterator[Alarm]:
    """What is wrong with sources."""
    silence = "" if running else "; is auditor serve running, or auditor once in a crontab?"
    for one in sources:
        at = one.last_success
        reached = f"last reached {at:%Y-%m-%d %H:%M} UTC" if at else "never reached"
        if one.overdue_since is not None:
            why = f": {one.last_error}" if one.last_error else silence
            sentence = f"source {one.name} ({one.rhythm}) is overdue, {reached}{why}"
            yield Alarm("overdue", one.name, sentence)
        elif one.last_error is not None and one.rhythm and not one.paused:
            sentence = f"source {one.name} could not be read, {reached}: {one.last_error}"
            yield Alarm("unreachable", one.name, sentence)


def _alarms(found: Overview, at: datetime) -> Iterator[Alarm]:
    for work in found.running:
        if work.lease_until is not None and work.lease_until < at:
            sentence = (
                f"{work.version} was begun by {work.owner}, which fell silent; "
                "the next process that looks for work takes it over"
            )
            yield Alarm("abandoned", str(work.version), sentence)
    for box in found.sinks:
        if box.failing and at - box.oldest > STUCK:
            yield Alarm("undelivered", box.name, f"sink {box.name}: {_stuck(box)}")
    for box in found.targets:
        if box.failing and at - box.oldest > STUCK:
            yield Alarm("unsent", box.name, f"messages to {box.name}: {_stuck(box)}")
    count = sum(states.get("quarantined", 0) for states in found.versions.values())
    if count:
        first = found.troubled[0]
        others = f" and {count - 1} more" if count > 1 else ""
        sentence = (
            f"{first.uri}{others} quarantined after {attempted(first.attempts)}: {first.reason}; "
            "auditor retry tries again"
        )
        yield Alarm("quarantined", str(first.version), sentence)


def attempted(count: int) -> str:
    """How often something failed."""
    return "1 attempt" if count == 1 else f"{count} attempts"


def _stuck(box: Outbox) -> str:
    since = f"{box.oldest:%Y-%m-%d %H:%M} UTC"
    return f"{box.waiting} waiting since {since}, {box.failing} failed: {box.reason}"


def _by_state(found: Overview) -> dict[str, int]:
    total: dict[str, int] = {}
    for states in found.versions.values():
        for state, count in states.items():
            total[state] = total.get(state, 0) + count
    return total


def _latency(ascending: Sequence[float]) -> Latency:
    return Latency(DAYS, len(ascending), quantile(ascending, 0.5), quantile(ascending, 0.95))


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
