"""How long things are kept, and how the database is looked after."""

from dataclasses import replace
from datetime import datetime

from auditor.ledger import retention
from auditor.ledger.door import Door
from auditor.ledger.retention import Forgotten


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
