"""What is wrong now, beside verdicts: sources, repositories, deliveries."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.ledger import Ledger, SourceState
from auditor.records import Rhythm
from auditor.status import Watched, watched
from auditor.telling.cleaning import clean, name
from auditor.telling.news import Level, News

STUCK = timedelta(hours=1)  # a sink that fails for longer is no passing trouble
LONGEST_REASON = 300
WORDS = {  # by the first word of a matter's subject: what it counts as among others
    "source": "source",
    "trouble": "model in trouble",
    "refused": "refused",
    "gone": "model gone",
    "sink": "sink",
}


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that is wrong as long as it is among the matters."""

    subject: str
    title: str
    text: str
    level: Level
    over: str = ""  # what is said when it is over; empty: nothing is
    model: str | None = None  # None: it concerns no model, but everybody
    source: str | None = None  # whose first look brings many of these

    @property
    def news(self) -> News:
        """That it has come."""
        return News(
            subject=self.subject,
            group=self.subject,
            word=WORDS[self.subject.partition(" ")[0]],
            level=self.level,
            rank=self.level.rank,
            title=self.title,
            text=self.text,
        )


def matter_over(subject: str, said: str, rank: int) -> News:
    """That it is over."""
    return News(f"over {subject}", subject, "solved", Level.SUCCESS, rank, said, said)


def matters(ledger: Ledger, rhythms: Mapping[str, Rhythm], at: datetime) -> list[Matter]:
    """Everything that is wrong now.

    Raises
    ------
    LedgerError
        If the ledger cannot be read now.
    """
    states = [state for state in ledger.sources() if state.name in rhythms]
    sources = _sources(watched(states, rhythms, at))
    troubles = list(_troubles(states))
    told = {(one.source, one.model) for one in troubles}  # a repository that is gone, mostly
    gone = (one for one in _gone(ledger) if (one.source, one.model) not in told)
    return [*sources, *troubles, *_refused(ledger), *gone, *_stuck(ledger, at - STUCK)]


def _sources(found: list[Watched]) -> Iterator[Matter]:
    """Sources that should have been looked at by now, or never answered."""
    for one in found:
        never = one.last_success is None and one.last_error is not None and not one.paused
        if one.overdue_since is None and not never:
            continue
        source = name(one.name)
        title = f"source {source} cannot be read" if one.last_error else f"source {source} overdue"
        reached = f"{one.last_success:%Y-%m-%d %H:%M} UTC" if one.last_success else "never"
        why = f": {clean(one.last_error, LONGEST_REASON)}" if one.last_error else ""
        yield Matter(
            subject=f"source {one.name}",
            title=title,
            text=f"{title}, last looked at {reached}{why}",
            level=Level.WARNING,
            over=f"source {source} is looked at again",
        )


def _troubles(states: list[SourceState]) -> Iterator[Matter]:
    for state in states:
        for model, reason in state.troubles.items():
            title = f"{name(model)}: {clean(reason, LONGEST_REASON)}"
            yield Matter(
                subject=f"trouble {state.name} {model}",
                title=title,
                text=title,
                level=Level.WARNING,
                over=f"{name(model)}: it can be looked at again",
                model=model,
                source=state.name,
            )


def _refused(ledger: Ledger) -> Iterator[Matter]:
    for row, (version, reason) in ledger.refused_versions().items():
        title = f"{name(version.model)} {name(version.version)}: refused"
        yield Matter(
            subject=f"refused {row}",
            title=title,
            text=f"{title}: {clean(reason, LONGEST_REASON)}",
            level=Level.WARNING,
            model=version.model,
            source=version.source,
        )


def _gone(ledger: Ledger) -> Iterator[Matter]:
    for (source, model), reason in ledger.gone_models().items():
        title = f"{name(model)}: gone from {name(source)}"
        yield Matter(
            subject=f"gone {source} {model}",
            title=title,
            text=f"{title}: {clean(reason, LONGEST_REASON)}" if reason else title,
            level=Level.INFO,
            model=model,
            source=source,
        )


def _stuck(ledger: Ledger, since: datetime) -> Iterator[Matter]:
    for one in ledger.stuck(since):
        sink = name(one.sink)
        title = f"sink {sink} takes no audits, {one.waiting} waiting"
        yield Matter(
            subject=f"sink {one.sink}",
            title=title,
            text=f"{title}: {clean(one.reason, LONGEST_REASON)}",
            level=Level.WARNING,
            over=f"sink {sink} takes audits again",
        )
