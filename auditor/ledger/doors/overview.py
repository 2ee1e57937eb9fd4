"""How it all stands."""

from datetime import datetime

from auditor.ledger import overview, tallies
from auditor.ledger.door import Door
from auditor.ledger.standing import Overview, Tally


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
