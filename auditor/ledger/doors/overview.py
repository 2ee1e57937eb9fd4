"""How it all stands."""

from datetime import datetime

from auditor.ledger import checkup, overview, tallies
from auditor.ledger.checkup import Checkup
from auditor.ledger.door import Door
from auditor.ledger.standing import Outbox, Overview, Tally


class Overlooking(Door):
    """What those who keep it running look at."""

    __slots__ = ()

    def overview(self, since: datetime) -> Overview:
        """How everything stands, seen at one moment; latencies of what was audited `since`."""
        with self._read() as session:
            return overview.overview(session, since)

    def tally(self, after: int | None) -> Tally:
        """What was audited after the audit number `after`; None: only where to begin."""
        with self._read() as session:
            return tallies.tally(session, after)

    def checkup(self) -> Checkup:
        """Whether the database itself is sound; reads a small file of SQLite whole."""
        with self._read() as session:
            return checkup.checkup(session)

    def last_delivered(self) -> dict[str, datetime]:
        """When each sink took an audit last; one that never did is not in it."""
        with self._read() as session:
            return checkup.delivered(session)

    def outboxes(self) -> list[Outbox]:
        """What waits for each sink; one that nothing waits for is not in it."""
        with self._read() as session:
            return overview.outboxes(session)
