"""What is worth telling, and what becomes one message."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from auditor.ledger import Notice
from auditor.records import Verdict

MOST_LINES = 10  # of one message; what there is more is counted


class Level(StrEnum):
    """How bad news is; as the services that show it know it."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"

    @property
    def rank(self) -> int:
        """Larger is worse; good news is as mild as any."""
        return RANKS[self]


RANKS: Mapping[Level, int] = {
    Level.INFO: 0,
    Level.SUCCESS: 0,
    Level.WARNING: 1,
    Level.FAILURE: 2,
}
BY_VERDICT: Mapping[str, Level] = {
    Verdict.BLOCK: Level.FAILURE,
    Verdict.INCOMPLETE: Level.WARNING,
    Verdict.REVIEW: Level.WARNING,
    Verdict.PASS: Level.SUCCESS,
}
MANY = {  # of words that are another for more than one
    "source": "sources",
    "sink": "sinks",
    "model in trouble": "models in trouble",
    "model gone": "models gone",
}


@dataclass(frozen=True, slots=True)
class News:
    """Something that has changed. Its texts are clean."""

    subject: str  # what it is about: the same change of the same thing has the same
    group: str  # news of one group share a line, such as those of one model
    word: str  # what it counts as among others: BLOCK, source
    level: Level
    rank: int  # who is told of so bad things is told of this: a trouble, and the end of one
    title: str
    text: str
    link: str = ""


def message(news: Sequence[News], target: str, at: datetime) -> Notice:
    """All of it as one message, the worst first; there is some."""
    ordered = sorted(news, key=lambda one: -one.level.rank)
    subjects = "\n".join(sorted(one.subject for one in news))
    return Notice(
        key=f"news {at.isoformat()} {sha256(subjects.encode()).hexdigest()[:12]}",
        target=target,
        level=ordered[0].level,
        title=_title(ordered),
        body=_body(ordered),
    )


def _title(ordered: Sequence[News]) -> str:
    if len(ordered) == 1:
        return f"auditor: {ordered[0].title}"
    counts = Counter(one.word for one in ordered)  # in the order they came, the worst first
    parts = (
        f"{count} {word if count == 1 else MANY.get(word, word)}" for word, count in counts.items()
    )
    return f"auditor: {', '.join(parts)}"


def _body(ordered: Sequence[News]) -> str:
    if len(ordered) == 1:
        return _paragraph(ordered[0])
    groups: dict[str, list[News]] = {}
    for one in ordered:
        groups.setdefault(one.group, []).append(one)
    return listed([_line(some) for some in groups.values()])


def listed(lines: Sequence[str]) -> str:
    """At most `MOST_LINES` of them, and how many there are more."""
    shown = [f"- {line}" for line in lines[:MOST_LINES]]
    more = len(lines) - len(shown)
    return "\n".join([*shown, *([f"- and {more} more"] if more else [])])


def _paragraph(one: News) -> str:
    return "\n".join(part for part in (one.text or one.title, one.link) if part)


def _line(some: Sequence[News]) -> str:
    """The worst of a group, and how many there are beside it."""
    worst, others = some[0], len(some) - 1
    more = f" (and {others} more of this model)" if others else ""
    return " ".join(part for part in (worst.title + more, worst.link) if part)


def told(news: Iterable[News], least: Level) -> list[News]:
    """Those that who is told from `least` on is told of."""
    return [one for one in news if one.rank >= least.rank]
