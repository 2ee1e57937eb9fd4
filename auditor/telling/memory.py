"""What a target has been told, and what waits to be."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

from auditor.ledger import Audited
from auditor.telling.matters import Matter

SETTLED = timedelta(minutes=10)  # no audit is still being written that began earlier


@dataclass(frozen=True, slots=True)
class Known:
    """A matter that was told, and what is told when it is over."""

    over: str
    rank: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What one target knows."""

    audit: int  # every audit with a number up to this one was considered
    seen: Sequence[int] = ()  # audits with a larger number that were considered
    held: Sequence[int] = ()  # audits that are news and wait for others to go with
    open: Mapping[str, Known] = field(default_factory=dict)  # matters told of, by subject
    noticed: Mapping[str, str] = field(default_factory=dict)  # others: since when, ISO 8601
    told: str | None = None  # when the last news went out, ISO 8601
    day: str | None = None  # of the last digest, ISO 8601
    summed: int = 0  # the last audit a digest counted
    wrong: Sequence[str] = ()  # matters that digest listed

    @classmethod
    def new(cls, audit: int, matters: Sequence[Matter]) -> "Memory":
        """Of a target just met: it hears of nothing older than itself."""
        known = {one.subject: Known(one.over, one.level.rank) for one in matters}
        return cls(audit, open=known, summed=audit, wrong=sorted(known))

    @classmethod
    def of(cls, text: str) -> "Memory":
        """As it was written."""
        read = json.loads(text)
        known = {subject: Known(**one) for subject, one in read.pop("open").items()}
        return cls(**{**read, "open": known})

    @property
    def text(self) -> str:
        """As it is written."""
        return json.dumps(asdict(self), sort_keys=True)

    def considered(self, audits: Sequence[Audited], at: datetime) -> "Memory":
        """After these audits were looked at.

        Numbers are given when a transaction begins to write, and a later one may be seen
        first: only what is settled is passed over for good.
        """
        later = [audit for audit in audits if audit.id > self.audit]
        audit = self.audit
        for one in later:
            if abs(at - one.saved_at) <= SETTLED:  # in the future: the clock went back
                break
            audit = one.id
        seen = {*self.seen, *(one.id for one in later)}
        return replace(self, audit=audit, seen=sorted(number for number in seen if number > audit))
