"""Audits, and what people decided on them."""

from collections.abc import Sequence
from datetime import date, datetime

from auditor.document import Document
from auditor.ledger import audits, deciding, history
from auditor.ledger.deciding import Decided
from auditor.ledger.door import Door
from auditor.records import Decision, ModelVersion, Trend


class Auditing(Door):
    """Audits and decisions."""

    __slots__ = ()

    def save(
        self,
        version: ModelVersion,
        document: Document,
        *,
        sinks: Sequence[str],
        at: datetime,
        quarantine: str | None = None,
        owner: str | None = None,
    ) -> bool:
        """Keep an audit, queue it for the sinks and settle the version, all or nothing.

        The same document of the same version again adds no audit and no delivery. What was
        not delivered of the version's older audits is superseded. The version is done; with
        a reason as `quarantine` it is quarantined, which counts as an attempt, and a
        quarantined version stays so when the audit is INCOMPLETE. A version the ledger has
        not met is added. Where `owner` is given and the work is another's by now, nothing is
        written, and False is returned. The audit says which decision holds at that time.
        """
        with self._write() as session:
            return audits.save(
                session,
                version,
                document,
                sinks=sinks,
                at=at,
                quarantine=quarantine,
                owner=owner,
            )

    def latest(self, version: ModelVersion) -> Document | None:
        """The newest audit of a version; None where there is none."""
        with self._read() as session:
            return audits.latest(session, version)

    def audit(self, audit_id: str) -> Document | None:
        """The audit whose document has this id."""
        with self._read() as session:
            return audits.by_id(session, audit_id)

    def may_be_baseline(self, version: ModelVersion, as_of: date) -> bool:
        """Whether a version can be compared with on a day.

        It has an audit, and the newest decision that holds accepts it, or none holds and the
        verdict of its newest audit is neither BLOCK nor INCOMPLETE.
        """
        with self._read() as session:
            return history.may_be_baseline(session, version, as_of)

    def previous(
        self, version: ModelVersion, as_of: date, other_than: str = ""
    ) -> ModelVersion | None:
        """The newest earlier version of the model that may be a baseline.

        Where the digest of the version's own weights is known, and given as `other_than`,
        earlier copies of them are passed over: nothing is learned from a comparison with
        oneself.
        """
        with self._read() as session:
            return history.previous(session, version, as_of, other_than)

    def with_weights(self, digest: str) -> list[tuple[ModelVersion, str]]:
        """Audited versions, of any model, whose weights have a digest that begins so.

        The newest first, each with the whole digest of its weights.
        """
        with self._read() as session:
            return history.with_weights(session, digest)

    def same_weights(self, version: ModelVersion, digest: str) -> Document | None:
        """The newest audit of an earlier version of the model with these weights.

        An audit in which no weight file was read has no weights in common with any.
        """
        with self._read() as session:
            return history.same_weights(session, version, digest)

    def passed(self, as_of: date, source: str | None = None) -> list[tuple[ModelVersion, str]]:
        """Versions that passed or that a person accepted, newest first, with their audit's id."""
        with self._read() as session:
            return history.passed(session, as_of, source)

    def trend(self, version: ModelVersion, limit: int) -> list[Trend]:
        """The newest `limit` earlier versions of the model with an audit, oldest first."""
        with self._read() as session:
            return history.trend(session, version, limit)

    def decide(self, version: ModelVersion, decision: Decision, sinks: Sequence[str] = ()) -> None:
        """Record a person's accept or reject; earlier decisions stay on record.

        The version's newest audit is saved once more, with the decision in it, and queued for
        the sinks: the same verdict and findings. Nobody sees one without the other.
        """
        with self._write() as session:
            audits.decide(session, version, decision, sinks)

    def decision(self, version: ModelVersion, as_of: date) -> Decision | None:
        """The newest decision on a version that holds on a day; None where none does.

        What a tag said holds until the tag says something else, or is removed.
        """
        with self._read() as session:
            return deciding.decision(session, version, as_of)

    def decisions(self, source: str, model: str | None = None) -> list[Decided]:
        """Every decision on the versions of a source, or of one model of it, oldest first."""
        with self._read() as session:
            return deciding.decisions(session, source, model)
