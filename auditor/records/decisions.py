"""What a person says about a version."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

COMMAND, API, TAG = "command", "api", "MLflow tag"  # how a decision is said


@dataclass(frozen=True, slots=True)
class Decision:
    """A person accepts or rejects a version; its verdict stays what it was.

    An accepted version may be a baseline, and its findings do not gate later versions; a
    rejected one is never a baseline.
    """

    accept: bool
    by: str
    reason: str
    at: datetime
    until: date | None = None  # the last day it holds, in UTC; None: for good
    via: str = COMMAND

    @classmethod
    def withdrawn(cls, by: str, reason: str, at: datetime, via: str) -> "Decision":
        """What was said before that way does not hold any more; nothing is said instead."""
        return cls(accept=False, by=by, reason=reason, at=at, until=_day_before(at), via=via)

    @property
    def is_withdrawal(self) -> bool:
        """Whether it only ends what was said before: it holds on no day."""
        return self.until is not None and self.until < self.at.date()

    def holds(self, as_of: date) -> bool:
        """Whether it still counts on a day."""
        return self.until is None or as_of <= self.until


def _day_before(at: datetime) -> date:
    return at.date() - timedelta(days=1)
