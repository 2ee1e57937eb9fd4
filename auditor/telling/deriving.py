"""From what changed to what is told: when, together with what, and once."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from auditor.ledger import Audited
from auditor.telling.matters import Matter, matter_over
from auditor.telling.memory import Known, Memory
from auditor.telling.news import Level, News, told

QUIET = timedelta(minutes=10)  # from one message to the next: what comes meanwhile goes together
PATIENCE = timedelta(minutes=5)  # what is wrong for a shorter time is not told
LONGEST_WAIT = timedelta(hours=24)  # news of a first look that takes longer go out in parts


@dataclass(frozen=True, slots=True)
class Seen:
    """How things are now, as far as one target may hear of them."""

    at: datetime
    audits: Sequence[Audited]  # new ones, and those held back
    judge: Callable[..., News | None]  # is an audit news; `awaited`: it was found to be before
    matters: Sequence[Matter]  # it is told of
    wrong: Collection[str]  # subjects of all matters there are
    looks: Collection[str]  # sources whose first look is still being worked through
    least: Level


def derive(memory: Memory, seen: Seen) -> tuple[Memory, list[News]]:
    """What a target is told now, and what it knows then."""
    held = _held(memory, seen)
    after = memory.considered(seen.audits, seen.at)
    noticed = _noticed(memory, seen)
    if _is_quiet(memory.told, seen.at):
        return replace(after, held=sorted(one.id for one in held), noticed=noticed), []
    ripe = [one for one in held if not _held_back(one, seen)]
    judged = (seen.judge(one, awaited=True) for one in ripe)
    come = [one for one in seen.matters if _is_ripe(one, memory, noticed, seen)]
    over = [subject for subject in memory.open if subject not in seen.wrong]
    news = [
        *(one for one in judged if one is not None),
        *(one.news for one in come),
        *_endings(memory.open, over),
    ]
    return replace(
        after,
        held=sorted({one.id for one in held} - {one.id for one in ripe}),
        open=_open(memory, come, over),
        noticed={key: since for key, since in noticed.items() if key not in _subjects(come)},
        told=seen.at.isoformat() if told(news, seen.least) else memory.told,
    ), told(news, seen.least)


def _held(memory: Memory, seen: Seen) -> list[Audited]:
    """News that were held back, and new ones."""
    before = set(memory.held)
    considered = before | set(memory.seen)
    new = [one for one in seen.audits if one.id > memory.audit and one.id not in considered]
    fresh = [one for one in new if _is_told(seen.judge(one, awaited=False), seen.least)]
    return [*(one for one in seen.audits if one.id in before), *fresh]


def _is_told(news: News | None, least: Level) -> bool:
    return news is not None and bool(told([news], least))


def _noticed(memory: Memory, seen: Seen) -> Mapping[str, str]:
    """Since when each matter is there that was not told."""
    new = [one.subject for one in seen.matters if one.subject not in memory.open]
    now = seen.at.isoformat()
    since = {subject: memory.noticed.get(subject, now) for subject in new}
    return {subject: min(moment, now) for subject, moment in since.items()}  # the clock went back


def _is_quiet(last: str | None, at: datetime) -> bool:
    """Whether so little time went by since the last message that what is new waits."""
    return last is not None and timedelta() <= at - datetime.fromisoformat(last) < QUIET


def _held_back(one: Audited, seen: Seen) -> bool:
    return not one.fresh and _waits(one.version.source, one.saved_at, seen)


def _is_ripe(one: Matter, memory: Memory, noticed: Mapping[str, str], seen: Seen) -> bool:
    if one.subject in memory.open:
        return False
    since = datetime.fromisoformat(noticed[one.subject])
    waits = one.source is not None and _waits(one.source, since, seen)
    return seen.at - since >= PATIENCE and not waits


def _waits(source: str, since: datetime, seen: Seen) -> bool:
    """Whether it is part of a first look: hundreds of models, and one message at its end."""
    recent = timedelta() <= seen.at - since < LONGEST_WAIT
    return source in seen.looks and recent


def _endings(known: Mapping[str, Known], over: Iterable[str]) -> list[News]:
    ended = [(subject, known[subject]) for subject in over]
    return [matter_over(subject, one.over, one.rank) for subject, one in ended if one.over]


def _open(memory: Memory, come: Sequence[Matter], over: Sequence[str]) -> dict[str, Known]:
    left = {subject: one for subject, one in memory.open.items() if subject not in over}
    return {**left, **{one.subject: Known(one.over, one.level.rank) for one in come}}


def _subjects(matters: Sequence[Matter]) -> set[str]:
    return {one.subject for one in matters}
