"""How long things are kept, and how the database is looked after."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from auditor.ledger import retention, upkeep
from auditor.ledger.door import Door
from auditor.ledger.retention import Forgotten
from auditor.ledger.upkeep import Row, Sizes


class Keeping(Door):
    """The upkeep of the tables."""

    __slots__ = ()

    def forget(self, before: datetime) -> Forgotten:
        """Remove what was over before then; how many rows of which kind.

        Audits that a newer one of the same version replaced, with their layers and findings,
        unless a decision was made on them or they still have to be delivered; deliveries that
        arrived or were superseded, hints that were followed, messages that were sent or given
        up. Versions, decisions and the newest audit of each version stay, and so does an audit
        that alone tells since when its model has a finding. In many short transactions: what
        was removed until an error stays removed.
        """
        count, after = 0, 0
        while True:
            with self._read() as session:
                among = retention.audits_before(session, before, after)
            if not among:
                break
            with self._write() as session:
                count += retention.forget_audits(session, among)
            after = among[-1]
        with self._write() as session:
            return replace(retention.forget_messages(session, before), audits=count)

    def vacuum(self) -> Sizes:
        """Give back the space of what was removed, and renew what the database knows of itself.

        SQLite writes its file anew, which takes as much space again, and nobody else can
        write meanwhile; PostgreSQL does it beside all other work.
        """
        with self._translated():
            return upkeep.vacuum(self.engine)

    def rows(self) -> Iterator[Row]:
        """Every row of every table, as of one moment, one at a time."""
        with self._read() as session:
            yield from upkeep.rows(session)
