"""What a service asks besides work."""

from datetime import datetime, timedelta

from auditor.ledger import serving
from auditor.ledger.deliveries import Delivery
from auditor.ledger.door import Door
from auditor.records import ModelVersion


class Serving(Door):
    """The queue, as a program sees it that runs for months."""

    __slots__ = ()

    def next_due(self, at: datetime) -> datetime | None:
        """When a version may be audited next that may not be now; None: nobody knows.

        That is when the first pause ends, or the first lease.
        """
        with self._read() as session:
            return serving.next_due(session, at)

    def held(self, owner: str) -> list[ModelVersion]:
        """The versions an owner has claimed."""
        with self._read() as session:
            return serving.held(session, owner)

    def looked(self, source: str, since: datetime) -> None:
        """A source was looked at: what was asked for until `since`, when that began, is done."""
        with self._write() as session:
            serving.looked(session, source, since)

    def take_next(self, sink: str, at: datetime, lease: timedelta) -> Delivery | None:
        """The oldest delivery to a sink that is due; nobody else gets it for `lease`."""
        with self._write() as session:
            return serving.take_next(session, sink, at, lease)

    def pace(self) -> float | None:
        """Seconds that a byte of weights took in the latest audits; None: there are none."""
        with self._read() as session:
            return serving.pace(session)

    def hand_over(self, at: datetime) -> None:
        """Somebody else delivers from now on: what was on its way and did not fail is due."""
        with self._write() as session:
            serving.hand_over(session, at)

    def end_pauses(self, at: datetime) -> None:
        """Nothing has to wait any longer; for when the clock was set back."""
        with self._write() as session:
            serving.end_pauses(session, at)
