"""What a person says about a version."""

from dataclasses import dataclass
from datetime import date, datetime


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
    via: str = "command"  # how it was said: command, api, MLflow tag

    def holds(self, as_of: date) -> bool:
        """Whether it still counts on a day."""
        return self.until is None or as_of <= self.until
