"""What a person says about a version."""

from dataclasses import dataclass
from datetime import date, datetime

COMMAND, API, TAG = "command", "api", "MLflow tag"  # how a decision is said
NEVER = date(1970, 1, 1)  # the last day of what holds on none


def one_line(text: str) -> str:
    r"""A text without line ends and control characters, as a decision keeps it.

    >>> one_line(" for\n the \x1b pilot")
    'for the pilot'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody says about a version, whenever that was."""

    accept: bool
    by: str
    reason: str
    until: date | None = None  # the last day it holds, in UTC; None: for good


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
    def of(cls, said: Statement, at: datetime, via: str) -> "Decision":
        """A statement that is taken for a decision now."""
        return cls(said.accept, said.by, said.reason, at, said.until, via)

    @classmethod
    def withdrawn(cls, by: str, reason: str, at: datetime, via: str) -> "Decision":
        """What was said before that way does not hold any more; nothing is said instead."""
        return cls(accept=False, by=by, reason=reason, at=at, until=NEVER, via=via)

    @property
    def statement(self) -> Statement:
        """What was said, whenever that was."""
        return Statement(self.accept, self.by, self.reason, self.until)

    @property
    def is_withdrawal(self) -> bool:
        """Whether it only ends what was said before: it holds on no day."""
        return self.until == NEVER

    def holds(self, as_of: date) -> bool:
        """Whether it still counts on a day."""
        return self.until is None or as_of <= self.until
