"""What was looked at, and how it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.errors import AuditorError

CLOCKS = timedelta(seconds=60)  # webhooks are refused that are five minutes old; others err, too


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that was looked at."""

    what: str
    found: str  # one sentence; of what is wrong also what to do
    fine: bool = True


def tried(what: str, look: Callable[[], str]) -> Symptom:
    """What a look found, or why it could not be had."""
    try:
        return Symptom(what, look())
    except AuditorError as error:
        return Symptom(what, str(error), fine=False)


def clock(whose: str, theirs: datetime, ours: datetime) -> Symptom:
    """Two clocks, held against each other."""
    apart = ours - theirs
    seconds = abs(apart.total_seconds())
    if abs(apart) <= CLOCKS:
        return Symptom("clock", f"{seconds:.0f} s from that of {whose}")
    which = "ahead of" if apart > timedelta(0) else "behind"
    return Symptom(
        "clock",
        f"{seconds:.0f} s {which} that of {whose}, expected {CLOCKS.seconds} s at most; webhooks "
        "are refused and versions seem too new or too old: set both machines by NTP",
        fine=False,
    )
