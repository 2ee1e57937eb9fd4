"""What goes out: audits to sinks, messages to people."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from auditor.ledger import deliveries, notices
from auditor.ledger.deliveries import Delivery
from auditor.ledger.door import Door
from auditor.ledger.notices import Notice, Outgoing


class Sending(Door):
    """The outbox."""

    __slots__ = ()

    def due(self, at: datetime) -> list[Delivery]:
        """What may be delivered now, oldest first."""
        with self._read() as session:
            return deliveries.due(session, at)

    def delivered(self, delivery_id: int, at: datetime) -> None:
        """The sink has it."""
        with self._write() as session:
            deliveries.delivered(session, delivery_id, at)

    def undelivered(self, delivery_id: int, reason: str, at: datetime, pause: timedelta) -> None:
        """The sink failed: tried again after `pause`, doubled with each attempt, at most 1 h."""
        with self._write() as session:
            deliveries.undelivered(session, delivery_id, reason, at, pause)

    def notify(self, notices_: Sequence[Notice], at: datetime) -> int:
        """Queue messages; those whose key went to their address before are left out."""
        with self._write() as session:
            return notices.add(session, notices_, at)

    def take_notices(self, at: datetime, lease: timedelta) -> list[Outgoing]:
        """The oldest message of each address, where it is due; nobody else gets it for `lease`.

        One that could not be sent holds up those behind it.
        """
        with self._write() as session:
            return notices.take(session, at, lease)

    def notified(self, notice_id: int, at: datetime) -> None:
        """A message has reached its address."""
        with self._write() as session:
            notices.sent(session, notice_id, at)

    def unnotified(self, notice_id: int, reason: str, at: datetime, pause: timedelta) -> None:
        """A message could not be sent: again after `pause`, doubled each time, at most 1 h."""
        with self._write() as session:
            notices.unsent(session, notice_id, reason, at, pause)
