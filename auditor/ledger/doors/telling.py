"""What messages to people are made of."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from auditor.ledger import telling
from auditor.ledger.door import Door
from auditor.ledger.notices import Notice
from auditor.ledger.telling import Audited, Before, Stuck
from auditor.records import VersionId


class Telling(Door):
    """What is new for whom."""

    __slots__ = ()

    def newest_audit(self) -> int:
        """Number of the last audit there is; 0 where there is none."""
        with self._read() as session:
            return telling.newest_audit(session)

    def audited(self, after: int, among: Collection[int] = ()) -> list[Audited]:
        """Audits with a number above `after`, and those `among`, in order."""
        with self._read() as session:
            return telling.audited(session, after, among)

    def before(self, audits: Sequence[Audited]) -> list[Before]:
        """What was known when each of these audits was saved."""
        with self._read() as session:
            return [telling.before(session, audit) for audit in audits]

    def first_looks(self) -> set[str]:
        """Sources whose first look has brought versions that still wait for their audit."""
        with self._read() as session:
            return telling.first_looks(session)

    def refused_versions(self) -> Mapping[int, tuple[VersionId, str]]:
        """Versions that may not be fetched and are the newest of their model: which, and why."""
        with self._read() as session:
            return telling.refused(session)

    def gone_models(self) -> Mapping[tuple[str, str], str]:
        """Models of which no version is left: source and name, and why."""
        with self._read() as session:
            return telling.gone_models(session)

    def stuck(self, since: datetime) -> list[Stuck]:
        """Sinks that failed to take an audit saved before `since`, by name."""
        with self._read() as session:
            return telling.stuck(session, since)

    def memory(self, target: str) -> str | None:
        """What a target knows already; None where it was never met."""
        with self._read() as session:
            return telling.memory(session, target)

    def tell(
        self,
        target: str,
        known: tuple[str | None, str],
        notices: Sequence[Notice],
        at: datetime,
    ) -> bool:
        """Queue messages for a target, and what it knows before and after them, all or nothing.

        False, and nothing is written, where it knows something else by now: somebody else has
        told it.
        """
        try:
            with self._write() as session:
                return telling.tell(session, target, known, notices, at)
        except IntegrityError:  # both have met it at the same moment
            return False

    def only_targets(self, targets: Collection[str]) -> None:
        """Forget targets that are not among these, and what waits for them."""
        with self._read() as session:
            if not telling.others(session, targets):
                return
        with self._write() as session:
            telling.only(session, targets)

    def abandon(self, notice_id: int, reason: str) -> None:
        """Give a message up: it is not tried again."""
        with self._write() as session:
            telling.abandon(session, notice_id, reason)
