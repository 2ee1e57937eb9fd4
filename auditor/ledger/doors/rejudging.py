"""Judging again what was judged."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from auditor.document import Document
from auditor.ledger import audits, rejudging
from auditor.ledger.door import Door
from auditor.ledger.rejudging import Judged
from auditor.records import ModelVersion


class Rejudging(Door):
    """Which versions may have to be judged again, and what came of it."""

    __slots__ = ()

    def judged(self) -> list[Judged]:
        """Every version with an audit, the oldest first; not those that are gone or given up."""
        with self._read() as session:
            return list(rejudging.judged(session))

    def audited_version(self, number: int) -> tuple[ModelVersion, Document] | None:
        """A version by its number, and its newest audit."""
        with self._read() as session:
            return rejudging.audited(session, number)

    def judged_as(self, numbers: Collection[int], under: str) -> None:
        """Note that versions were judged under a policy, given by its hash, with no news."""
        with self._write() as session:
            rejudging.judged_as(session, numbers, under)

    def save_again(
        self, number: int, document: Document, *, sinks: Sequence[str], at: datetime
    ) -> bool:
        """Keep an audit that was judged again, and queue it for the sinks; all or nothing.

        False, and nothing is written, where its version has another newest audit than the one
        it was made from.
        """
        with self._write() as session:
            return audits.save_again(session, number, document, sinks=sinks, at=at)

    def baseline_of(self, audit: Document, as_of: date) -> tuple[Document | None, bool]:
        """The newest audit of the baseline an audit names; whether a person accepts it."""
        with self._read() as session:
            return rejudging.baseline(session, audit, as_of)

    def is_accepted(self, version: ModelVersion, digest: str, as_of: date) -> bool:
        """Whether a person accepts an earlier version of the model with these weights."""
        with self._read() as session:
            return rejudging.is_accepted(session, version, digest, as_of)
