"""The one door to the database."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from auditor.document import Document
from auditor.errors import LedgerError
from auditor.ledger import audits, deliveries, history, watching, work
from auditor.ledger.deliveries import Delivery
from auditor.ledger.history import Decision
from auditor.ledger.models import State
from auditor.ledger.opening import open_engine
from auditor.ledger.watching import SourceState
from auditor.ledger.work import Claim, Problem
from auditor.records import ModelVersion, Trend


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was seen, measured, concluded, decided and delivered.

    Each method is one transaction: it happened wholly or not at all. Threads and processes
    may share a ledger. Moments come in as arguments, with a time zone, and go out in UTC.
    The versions of a model are in order of creation, then of their name as people count.

    Raises
    ------
    LedgerError
        By every method, if the database cannot be used now: full, locked, gone.
    UsageError
        By what concerns one version's work, if the ledger has never met that version.
    """

    engine: Engine

    @classmethod
    def open(cls, url: str) -> "Ledger":
        """Reach a database, make it if it is a file that is not there, update its tables.

        Raises
        ------
        ConfigError
            If the URL is none, the place cannot be used, it holds something else, or it was
            written by a newer version of this program.
        """
        return cls(open_engine(url))

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()

    # --- watching -------------------------------------------------------------------------

    def cursor(self, source: str) -> str | None:
        """Where the last sweep of a source came to; None before the first."""
        return next((state.cursor for state in self.sources() if state.name == source), None)

    def note(
        self,
        source: str,
        seen: Sequence[ModelVersion],
        cursor: str | None,
        history: int | None,
        at: datetime,
    ) -> int:
        """Add what a sweep found and how far it came; how many versions now wait for an audit.

        Of a model not announced before only the `history` newest in `seen` wait (None: all,
        0: none), the older ones become history. Later announcements always wait. A version
        announced again changes nothing, and a `cursor` of None leaves the old one.
        """
        with self._write() as session:
            pending = watching.note(session, source, seen, history=history, at=at)
            watching.reached(session, source, cursor, at)
            return pending

    def unreachable(self, source: str, error: str, at: datetime) -> None:
        """Record that a source could not be read."""
        with self._write() as session:
            watching.unreachable(session, source, error, at)

    def sources(self) -> list[SourceState]:
        """Every source met so far, by name."""
        with self._read() as session:
            return watching.sources(session)

    def backfill(self, source: str, model: str | None, versions: int | None) -> int:
        """Let the newest `versions` of each model's history wait for an audit; how many do now.

        None as `model`: of all models of the source. None as `versions`: the whole history.
        """
        with self._write() as session:
            return watching.backfill(session, source, model, versions)

    def older(self, source: str, model: str | None, versions: int | None) -> list[ModelVersion]:
        """What `backfill` would let wait, newest first."""
        with self._read() as session:
            return watching.older(session, source, model, versions)

    # --- work -----------------------------------------------------------------------------

    def claim(
        self, at: datetime, *, lease: timedelta, owner: str, sources: Sequence[str] | None = None
    ) -> Claim | None:
        """Take the oldest version of these sources that may be audited now; None if there is none.

        That is one that waits and whose pause is over, or one whose lease ran out, with no
        earlier version of its model waiting or running. Nobody else gets it until the lease
        runs out or the work is settled.
        """
        with self._write() as session:
            return work.claim(session, at, lease, owner, sources)

    def renew(self, version: ModelVersion, at: datetime, lease: timedelta) -> None:
        """Keep a claim for another `lease` from now on."""
        with self._write() as session:
            work.renew(session, version, at, lease)

    def release(self, version: ModelVersion) -> None:
        """Give a claim back after a clean stop; it does not count as an attempt."""
        with self._write() as session:
            work.release(session, version)

    def owners(self) -> list[str]:
        """Who holds claims now, expired ones included: to find those who died."""
        with self._read() as session:
            return work.owners(session)

    def release_owner(self, owner: str) -> int:
        """Give back what an owner known to be dead holds, without waiting for the leases."""
        with self._write() as session:
            return work.release_owner(session, owner)

    def failed(
        self,
        version: ModelVersion,
        reason: str,
        at: datetime,
        *,
        max_attempts: int,
        pause: timedelta,
    ) -> bool:
        """Record an attempt that failed; whether the version is quarantined now.

        Before that it waits `pause`, doubled with each attempt. A version that was settled
        in the meantime stays as it is.
        """
        with self._write() as session:
            return work.failed(session, version, reason, at, max_attempts=max_attempts, pause=pause)

    def gone(self, version: ModelVersion, reason: str) -> None:
        """The version was deleted at its source: never tried again."""
        with self._write() as session:
            work.end(session, version, State.GONE, reason)

    def refused(self, version: ModelVersion, reason: str) -> None:
        """The version lies where this installation may not fetch from: not tried again."""
        with self._write() as session:
            work.end(session, version, State.REFUSED, reason)

    def states(self) -> dict[str, int]:
        """How many versions are in which state; a state nobody is in has 0."""
        with self._read() as session:
            return work.states(session)

    def problems(self) -> list[Problem]:
        """Versions that failed, are gone or were refused, oldest first."""
        with self._read() as session:
            return work.problems(session)

    # --- audits ---------------------------------------------------------------------------

    def save(
        self,
        version: ModelVersion,
        document: Document,
        *,
        sinks: Sequence[str],
        at: datetime,
        quarantine: str | None = None,
    ) -> None:
        """Keep an audit, queue it for the sinks and settle the version, all or nothing.

        The same document of the same version again adds no audit and no delivery. What was
        not delivered of the version's older audits is superseded. The version is done; with
        a reason as `quarantine` it is quarantined, which counts as an attempt, and a
        quarantined version stays so when the audit is INCOMPLETE. A version the ledger has
        not met is added.
        """
        with self._write() as session:
            audits.save(session, version, document, sinks=sinks, at=at, quarantine=quarantine)

    def latest(self, version: ModelVersion) -> Document | None:
        """The newest audit of a version; None where there is none."""
        with self._read() as session:
            return audits.latest(session, version)

    def audit(self, audit_id: str) -> Document | None:
        """The audit whose document has this id."""
        with self._read() as session:
            return audits.by_id(session, audit_id)

    def may_be_baseline(self, version: ModelVersion) -> bool:
        """Whether a version can be compared with.

        It has an audit, and its newest decision accepts it, or nobody decided and the
        verdict of its newest audit is neither BLOCK nor INCOMPLETE.
        """
        with self._read() as session:
            return history.may_be_baseline(session, version)

    def previous(self, version: ModelVersion) -> ModelVersion | None:
        """The newest earlier version of the model that may be a baseline."""
        with self._read() as session:
            return history.previous(session, version)

    def same_weights(self, version: ModelVersion, digest: str) -> Document | None:
        """The newest audit of an earlier version of the model with these weights.

        An audit in which no weight file was read has no weights in common with any.
        """
        with self._read() as session:
            return history.same_weights(session, version, digest)

    def trend(self, version: ModelVersion, limit: int) -> list[Trend]:
        """The newest `limit` earlier versions of the model with an audit, oldest first."""
        with self._read() as session:
            return history.trend(session, version, limit)

    # --- decisions ------------------------------------------------------------------------

    def decide(
        self, version: ModelVersion, *, accept: bool, by: str, reason: str, at: datetime
    ) -> None:
        """Record a person's accept or reject; earlier decisions stay on record."""
        with self._write() as session:
            history.decide(session, version, Decision(accept, by, reason, at))

    def decision(self, version: ModelVersion) -> Decision | None:
        """The newest decision on a version; None where nobody decided."""
        with self._read() as session:
            return history.decision(session, version)

    # --- deliveries -----------------------------------------------------------------------

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

    # --- transactions ---------------------------------------------------------------------

    def _read(self) -> AbstractContextManager[Session]:
        return self._transaction(self.engine)

    def _write(self) -> AbstractContextManager[Session]:
        return self._transaction(self.engine.execution_options(writes=True))

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Session]:
        try:
            with Session(engine) as session, session.begin():
                yield session
        except OperationalError as error:
            shown = self.engine.url.render_as_string(hide_password=True)
            sentence = f"ledger {shown} cannot be used now: {error.orig}; nothing was changed"
            raise LedgerError(sentence) from error
