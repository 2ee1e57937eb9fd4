"""The front page as texts, decided here; the template only puts them in their places."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from auditor.amounts import as_time
from auditor.ledger.standing import Concluded, InWork, Outbox, Troubled
from auditor.render.wording import VERDICTS, Badge
from auditor.status import Status, Watched
from auditor.status.text import NAMES, ago, counted, decided, looked, quiet, sent, span, tried
from auditor.web.answers import report_path

SHOWN = 20  # entries of a section
RUNNING = Badge("▶", "in work", "info")
LATE = Badge("✖", "overdue", "bad")
UNREACHED = Badge("▲", "not reached", "warn")
PAUSED = Badge("○", "paused", "info")
FORMER = Badge("○", "not watched", "info")
TROUBLED = Badge("▲", "troubled", "warn")
FINE = Badge("●", "fine", "good")
WAITING = Badge("○", "waiting", "info")
FAILING = Badge("▲", "failing", "warn")
STATES = {
    "quarantined": Badge("✖", "given up", "bad"),
    "refused": Badge("▲", "refused", "warn"),
}


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing, how it is, and what there is to say of it."""

    badge: Badge
    title: tuple[str, ...]  # words from outside each by itself, so that none reorders another
    link: str = ""  # of the title; empty where there is none
    note: str = ""  # when
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Things of one kind."""

    title: str
    summary: str
    entries: Sequence[Entry]

    @property
    def anchor(self) -> str:
        """Where a link to it leads."""
        return self.title.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Page:
    """All of it, our own failures first."""

    title: str
    badge: Badge
    at: str
    alarms: Sequence[Entry]
    tiles: Sequence[Tile]
    sections: Sequence[Section]


def page(status: Status) -> Page:
    """The page of a status."""
    badge = _headline(status)
    return Page(
        title=f"Auditor: {badge.words.lower()}",
        badge=badge,
        at=_moment(status.at),
        alarms=[Entry(Badge("✖", alarm.kind, "bad"), (alarm.sentence,)) for alarm in status.alarms],
        tiles=list(_tiles(status)),
        sections=[
            Section(
                "Models that need a look",
                f"The newest audited version of each model: {counted(status.models)}",
                [_concluded(one, status) for one in status.worst[:SHOWN]],
            ),
            _queue(status),
            Section("Sources", "", [_source(one, status) for one in status.sources]),
            *_outgoing(status),
            Section(
                "Latest verdicts",
                f"The newest audit of each version: {counted(status.verdicts)}",
                [_concluded(one, status) for one in status.latest[:SHOWN]],
            ),
        ],
    )


def broken(reason: str, at: datetime) -> Page:
    """The page of a service that cannot say how it stands."""
    alarm = Entry(Badge("✖", "ledger", "bad"), (reason,))
    headline = "The ledger does not answer"
    return Page(
        f"Auditor: {headline.lower()}", Badge("✖", headline, "bad"), _moment(at), [alarm], [], []
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _headline(status: Status) -> Badge:
    """Green only where nobody has to look at anything."""
    if count := len(status.alarms):
        return Badge("✖", "1 thing to see to" if count == 1 else f"{count} things to see to", "bad")
    glyph, tone = ("▲", "warn") if status.worst else ("●", "good")
    return Badge(glyph, quiet(status).capitalize(), tone)


def _tiles(status: Status) -> Iterator[Tile]:
    latency, queue = status.latency, status.queue
    of = f"of registration; {latency.count:,} in {latency.days} days"
    nothing = f"nothing registered and audited in {latency.days} days"
    for share, seconds in (("Half", latency.p50), ("95 %", latency.p95)):
        value, note = ("–", nothing) if seconds is None else (as_time(seconds), of)
        yield Tile(f"{share} of verdicts within", value, note)
    waiting = sum(queue.waiting.values())
    oldest = f"the oldest seen {ago(queue.oldest, status.at)}" if queue.oldest else ""
    yield Tile("Versions waiting", f"{waiting:,}", oldest)
    yield Tile("In work", f"{status.versions.get('running', 0):,}")
    yield Tile("Audited", f"{sum(status.verdicts.values()):,}", "versions")


def _queue(status: Status) -> Section:
    queue = status.queue
    working = [_working(one, status) for one in queue.running[:SHOWN]]
    troubled = [_troubled(one, status) for one in queue.troubled[:SHOWN]]
    return Section("Queue", f"Waiting: {counted(queue.waiting)}", [*troubled, *working])


def _working(one: InWork, status: Status) -> Entry:
    since = f"for {span((status.at - one.since).total_seconds())}" if one.since else ""
    return Entry(RUNNING, (str(one.version),), note=since, lines=(f"by {one.owner}",))


def _troubled(one: Troubled, status: Status) -> Entry:
    badge = STATES.get(one.state, FAILING)
    return Entry(badge, (one.uri,), lines=(tried(one, status.at), one.reason))


def _source(one: Watched, status: Status) -> Entry:
    lines = [f"{looked(one, status.at)}; versions: {counted(one.versions)}"]
    if one.last_error is not None:
        lines.append(f"failed {ago(one.failed_at, status.at)}: {one.last_error}")
    lines += [f"{model}: {reason}" for model, reason in list(one.troubles.items())[:NAMES]]
    if len(one.troubles) > NAMES:
        lines.append(f"and {len(one.troubles) - NAMES} more models that cannot be looked at")
    lines += [f"{name}: {text}" for name, text in one.remarks.items()]
    return Entry(_how(one), (one.name,), note=one.rhythm, lines=tuple(lines))


def _how(one: Watched) -> Badge:
    if not one.rhythm:
        return FORMER
    if one.overdue_since is not None:
        return LATE
    if one.paused:
        return PAUSED
    reached = TROUBLED if one.troubles else FINE
    return UNREACHED if one.last_error is not None else reached


def _outgoing(status: Status) -> Iterator[Section]:
    """Nothing where nothing waits."""
    boxes = [
        *(_box(f"results to {box.name}", box, status) for box in status.sinks),
        *(_box(f"messages to {box.name}", box, status) for box in status.targets),
    ]
    if boxes:
        yield Section("Going out", "", boxes)


def _box(title: str, box: Outbox, status: Status) -> Entry:
    badge = FAILING if box.failing else WAITING
    return Entry(badge, (title,), lines=(sent(box, status.at),))


def _concluded(one: Concluded, status: Status) -> Entry:
    badge = VERDICTS[one.verdict]
    return Entry(
        Badge(badge.glyph, one.verdict, badge.tone),
        (one.version.model, one.version.version),
        link=report_path(one.audit_id),
        note=f"{one.version.source}, {ago(one.saved_at, status.at)}",
        lines=tuple(line for line in (one.reason, decided(one, status.at)) if line),
    )
