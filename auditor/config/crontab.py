"""Lines of a crontab, read as cron reads them, and when a schedule has its next moment."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from auditor.records import Rhythm

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")  # cron's 0 to 6; 7 is Sunday, too


def trigger(line: str, timezone: str | None) -> "CronTrigger":
    """The moments of a crontab line: minute, hour, day of month, month, day of week.

    Days of the week count from Sunday, 0 or 7, as in every crontab; the library counts from
    Monday. Where both a day of the month and one of the week are given, both have to fit.
    What falls into an hour that a change of the clocks skips comes an hour later; into one
    that there is twice, twice.

    Parameters
    ----------
    line
        Such as ``0 2 * * 1-5``.
    timezone
        Such as Europe/Berlin; None: this machine's.

    Raises
    ------
    ValueError
        If it is no such line, or has no moment at all, as the 31st of February.
    """
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - takes a moment

    fields = line.split()
    if len(fields) == 5:
        fields[4] = _days(fields[4])
    found = CronTrigger.from_crontab(" ".join(fields), timezone=timezone)
    if found.get_next_fire_time(None, datetime.now(UTC)) is None:
        raise ValueError("there is no such day")
    return found


def following(rhythm: Rhythm, after: datetime) -> datetime:
    """The moment, in UTC, of the look that follows one at `after`; jitter is left out."""
    if rhythm.cron is None:
        return after.astimezone(UTC) + timedelta(seconds=rhythm.every or 0.0)
    found, later = trigger(rhythm.cron, rhythm.timezone), after + timedelta(microseconds=1)
    moment: datetime = found.get_next_fire_time(None, later)
    return moment.astimezone(UTC)


def _days(field: str) -> str:
    """Days of the week by name, each by itself: no order of the days is left to differ in."""
    if field == "*":
        return field
    found = {number % 7 for part in field.split(",") for number in _span(part)}
    return ",".join(DAYS[number] for number in sorted(found))


def _span(part: str) -> range:
    """The days that ``2``, ``mon-fri``, ``0-6/2`` or ``*/2`` stand for, as numbers."""
    span, slash, step = part.partition("/")
    first, dash, last = ("0", "-", "6") if span == "*" else span.partition("-")
    start = _day(first)
    end = _day(last) if dash else 6 if slash else start
    if start > end:
        raise ValueError(f"day of week {span}: the week begins with Sunday, 0")
    return range(start, end + 1, int(step) if slash else 1)


def _day(text: str) -> int:
    if text in set("01234567"):
        return int(text)
    if text.lower() not in DAYS:
        raise ValueError(f"day of week {text!r}: expected 0 to 7 or {', '.join(DAYS)}")
    return DAYS.index(text.lower())
