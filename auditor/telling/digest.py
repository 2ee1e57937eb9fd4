"""Once a day, what happened since the last time; nothing where nothing did."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from auditor.ledger import Audited, Notice, State
from auditor.records import Verdict
from auditor.telling.cleaning import name
from auditor.telling.links import Links
from auditor.telling.matters import Matter
from auditor.telling.memory import Memory
from auditor.telling.news import Level, listed

WORST_FIRST = (Verdict.BLOCK, Verdict.INCOMPLETE, Verdict.REVIEW, Verdict.PASS)


@dataclass(frozen=True, slots=True)
class Day:
    """What happened since the last digest, as far as one target may hear of it."""

    audits: Sequence[Audited]
    matters: Sequence[Matter]
    states: Mapping[str, int]  # how many versions are in which state
    links: Links


def is_due(memory: Memory, time: str | None, at: datetime) -> bool:
    """Whether the day's time of the digest has come, and no digest was thought of since.

    Where the clock went back for less than two days, no day has a second one.
    """
    if time is None or f"{at:%H:%M}" < time:
        return False
    return memory.day is None or not 0 <= (date.fromisoformat(memory.day) - at.date()).days < 2


def digest(memory: Memory, day: Day, target: str, at: datetime) -> tuple[Memory, Notice | None]:
    """The day's digest, None where nothing happened; and what its target knows then."""
    today, wrong = at.date().isoformat(), sorted(one.subject for one in day.matters)
    if not day.audits and wrong == list(memory.wrong):
        return replace(memory, day=today), None
    summed = max((memory.summed, *(audit.id for audit in day.audits)))
    notice = Notice(
        key=f"digest {today} {summed}",
        target=target,
        level=Level.INFO,
        title=f"auditor, {today}: {_counted(day.audits)}",
        body="\n\n".join(_lines(day)),
    )
    return replace(memory, day=today, summed=summed, wrong=wrong), notice


def _counted(audits: Collection[Audited]) -> str:
    counts = Counter(audit.verdict for audit in audits)
    parts = [f"{counts[verdict]} {verdict}" for verdict in WORST_FIRST if counts[verdict]]
    return f"{len(audits)} audited" + (": " + ", ".join(parts) if parts else "")


def _lines(day: Day) -> Iterator[str]:
    bad = [audit for audit in day.audits if audit.verdict != Verdict.PASS]
    if bad:
        ordered = sorted(bad, key=lambda audit: WORST_FIRST.index(Verdict(audit.verdict)))
        yield listed([_line(audit, day.links) for audit in ordered])
    waiting = day.states[State.PENDING] + day.states[State.RUNNING]
    yield f"{waiting} versions wait for their audit, {day.states[State.QUARANTINED]} quarantined."
    if day.matters:
        yield "Wrong now:"
        yield listed([one.title for one in day.matters])


def _line(audit: Audited, links: Links) -> str:
    found = f", {audit.findings_new} new findings" if audit.findings_new else ""
    version = f"{name(audit.version.model)} {name(audit.version.version)}"
    link = links.of(audit.version, audit.audit_id)
    return f"{version}: {audit.verdict}{found} {link}".rstrip()
