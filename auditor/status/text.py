"""A status as lines that a tired person understands: what is wrong comes first."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from auditor.amounts import as_time
from auditor.ledger.standing import Concluded, Outbox, Troubled
from auditor.status.looking import Watched
from auditor.status.standing import Latency, Queue, Status, attempted

SPANS = (("day", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))
FEW = 10  # rows of a list on a screen; the rest is counted
NAMES = 5  # models in trouble that are named for one source
GLYPHS = {"BLOCK": "✖", "REVIEW": "▲", "PASS": "●", "INCOMPLETE": "◌"}


def lines(status: Status) -> Iterator[str]:
    """The screen, line by line; names in it are as they came."""
    if status.alarms:
        yield f"{len(status.alarms)} to see to:"
        yield from (f"  {alarm.kind}: {alarm.sentence}" for alarm in status.alarms)
    else:
        yield quiet(status)
    yield from (f"  note: {remark}" for remark in status.remarks)
    yield ""
    yield from _queue(status.queue, status.at)
    for title, boxes in (("sink", status.sinks), ("messages to", status.targets)):
        yield from (f"  {title} {sent(box, status.at)}" for box in boxes)
    yield ""
    yield "sources"
    for source in status.sources:
        yield from _source(source, status.at)
    yield ""
    yield f"verdicts of the newest version of each model: {counted(status.models)}"
    yield f"from registration to verdict: {spent(status.latency)}"
    yield from _concluded("  worst", status.worst, status.at)
    yield from _concluded("  latest", status.latest, status.at)


def quiet(status: Status) -> str:
    """What to say first where no alarm is on: a service that is well may have found something."""
    count = sum(models for verdict, models in status.models.items() if verdict != "PASS")
    if count == 0:
        return "nothing is wrong"
    return "1 model needs a look" if count == 1 else f"{count} models need a look"


def span(seconds: float) -> str:
    """A time in its largest unit, whole.

    Examples
    --------
    >>> span(0.4), span(59.9), span(150), span(7200), span(86400), span(8 * 86400)
    ('0 s', '59 s', '2 min', '2 h', '1 day', '8 days')
    """
    unit, size = next((step for step in SPANS if seconds >= step[1]), SPANS[-1])
    count = int(seconds / size)
    return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"


def ago(moment: datetime | None, at: datetime) -> str:
    """How long ago, or in how long; ``never`` for None."""
    if moment is None:
        return "never"
    away = moment - at
    if abs(away) < timedelta(seconds=1):
        return "now"
    return (
        f"in {span(away.total_seconds())}" if away > timedelta(0) else f"{_since(moment, at)} ago"
    )


def counted(counts: Mapping[str, int]) -> str:
    """What there is any of.

    Examples
    --------
    >>> counted({"PASS": 12, "REVIEW": 0, "BLOCK": 1}), counted({})
    ('12 PASS, 1 BLOCK', 'none')
    """
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "none"


def spent(latency: Latency) -> str:
    """The time from registration to verdict, in words."""
    if latency.p50 is None or latency.p95 is None:
        return f"no version was registered and audited in the last {latency.days} days"
    versions = "1 version" if latency.count == 1 else f"{latency.count} versions"
    return (
        f"half within {as_time(latency.p50)}, 95 % within {as_time(latency.p95)} "
        f"({versions} in the last {latency.days} days)"
    )


def looked(source: Watched, at: datetime) -> str:
    """When a source was looked at, and when it is next."""
    if not source.rhythm:
        return f"not configured any more, last reached {ago(source.last_success, at)}"
    reached = f"reached {ago(source.last_success, at)}"
    if source.asked_at is not None:
        return f"{reached}, a look was asked for {ago(source.asked_at, at)}"
    if source.paused:
        return f"{reached}, paused"
    return f"{reached}, next look {ago(source.next_look, at)}"


def sent(box: Outbox, at: datetime) -> str:
    """What waits to go out."""
    failed = f", {box.failing} failed: {box.reason}" if box.failing else ""
    return f"{box.name}: {box.waiting} waiting for {_since(box.oldest, at)}{failed}"


def tried(one: Troubled, at: datetime) -> str:
    """What became of a version that did not come through."""
    again = f", tried again {ago(one.next_at, at)}" if one.next_at else ""
    state = "waiting" if one.state == "pending" else one.state
    attempts = f" after {attempted(one.attempts)}" if one.attempts else ""
    return f"{state}{attempts}{again}"


def decided(audit: Concluded, at: datetime) -> str:
    """What a person said of a version, where that holds now; empty where nothing does."""
    said = audit.decision
    if said is None or not said.holds(at.date()):
        return ""
    until = f" until {said.until}" if said.until else ""
    return f"{'accepted' if said.accept else 'rejected'}{until} by {said.by}: {said.reason}"


def _since(moment: datetime, at: datetime) -> str:
    return span((at - moment).total_seconds())


def _queue(queue: Queue, at: datetime) -> Iterator[str]:
    waiting = counted(queue.waiting)
    oldest = f", the oldest for {_since(queue.oldest, at)}" if queue.oldest else ""
    yield f"queue: waiting {waiting}{oldest}"
    for work in queue.running[:FEW]:
        since = f" for {_since(work.since, at)}" if work.since else ""
        yield f"  in work: {work.version}{since}, by {work.owner}"
    for one in queue.troubled[:FEW]:
        yield f"  {tried(one, at)}: {one.uri}: {one.reason}"
    if more := len(queue.troubled) - FEW:
        yield from (["  … and more; auditor status --json has them"] if more > 0 else [])


def _source(source: Watched, at: datetime) -> Iterator[str]:
    rhythm = f" ({source.rhythm})" if source.rhythm else ""
    yield f"  {source.name}{rhythm}: {looked(source, at)}; versions: {counted(source.versions)}"
    if source.last_error is not None:
        yield f"    failed {ago(source.failed_at, at)}: {source.last_error}"
    for model, reason in list(source.troubles.items())[:NAMES]:
        yield f"    {model}: {reason}"
    if len(source.troubles) > NAMES:
        yield f"    … and {len(source.troubles) - NAMES} more models in trouble"
    for name, text in source.remarks.items():
        yield f"    {name}: {text}"


def _concluded(title: str, audits: Sequence[Concluded], at: datetime) -> Iterator[str]:
    for audit in audits[:FEW]:
        name = f"{audit.version.model} {audit.version.version}"
        glyph, when = GLYPHS[audit.verdict], ago(audit.saved_at, at)
        told = "; ".join(text for text in (audit.reason, decided(audit, at)) if text)
        yield f"{title}: {glyph} {audit.verdict} {name}, {when}: {told}"
