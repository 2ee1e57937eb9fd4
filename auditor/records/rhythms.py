"""When a source is looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Every so often, or at the times of a crontab line.

    Exactly one of `every` and `cron` is set.
    """

    every: float | None = None  # seconds from one look to the next
    cron: str | None = None  # five fields: minute, hour, day of month, month, day of week
    timezone: str | None = None  # of `cron`, such as Europe/Berlin; None: this machine's
    jitter: float = 0.0  # seconds; a look begins up to so much later, at random
