"""Who audits what, and what became of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from auditor.ledger import claiming, work
from auditor.ledger.claiming import Claim
from auditor.ledger.door import Door
from auditor.ledger.models import State
from auditor.ledger.work import Problem
from auditor.records import ModelVersion, Priority


class Working(Door):
    """The queue of versions."""

    __slots__ = ()

    def claim(
        self, at: datetime, *, lease: timedelta, owner: str, sources: Sequence[str] | None = None
    ) -> Claim | None:
        """Take the most urgent version of these sources that may be audited now; None: no such one.

        That is one that waits and whose pause is over, or one whose lease ran out, with no
        earlier version of its model waiting or running; of the most urgent the oldest. Nobody
        else gets it until the lease runs out or the work is settled.
        """
        with self._write() as session:
            return claiming.claim(session, at, lease, owner, sources)

    def renew(self, version: ModelVersion, owner: str, at: datetime, lease: timedelta) -> bool:
        """Keep a claim for another `lease` from now on; False where it is not the owner's any more.

        So it is where another one has it by now, it was settled, or its model was renamed: then
        the version waits again, by its new name.
        """
        with self._write() as session:
            return work.renew(session, version, owner, at, lease)

    def release(self, version: ModelVersion, owner: str) -> None:
        """Give a claim back after a clean stop; it does not count as an attempt."""
        with self._write() as session:
            work.release(session, version, owner)

    def ask(self, version: ModelVersion, priority: Priority = Priority.ASKED) -> bool:
        """Let a version wait for an audit, also one that has one; False: it is in work.

        The versions of its model that it waits for are hurried with it.
        """
        with self._write() as session:
            return work.ask(session, version, priority)

    def retry(self, version: ModelVersion | None = None, *, source: str | None = None) -> int:
        """Let quarantined and refused versions wait again, attempts forgotten; how many.

        One of them, all of a source, or all.
        """
        with self._write() as session:
            return work.retry(session, version, source)

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
        owner: str,
        reason: str,
        at: datetime,
        *,
        max_attempts: int,
        pause: timedelta,
    ) -> bool:
        """Record an attempt that failed; whether the version is quarantined now.

        Before that it waits `pause`, doubled with each attempt. A version that was settled,
        or given to another owner, in the meantime stays as it is.
        """
        with self._write() as session:
            return work.failed(
                session, version, owner, reason, at, max_attempts=max_attempts, pause=pause
            )

    def postpone(self, version: ModelVersion, owner: str, reason: str, at: datetime) -> None:
        """Let a version wait for what is not its fault, such as a place that is away.

        No attempt is counted. It waits a quarter of what it has waited so far, from one
        minute to fifteen.
        """
        with self._write() as session:
            work.postpone(session, version, owner, reason, at)

    def gone(self, version: ModelVersion, reason: str, owner: str | None = None) -> None:
        """The version was deleted at its source: never tried again.

        Where `owner` is given and the work is another's by now, nothing is written.
        """
        with self._write() as session:
            work.end(session, version, State.GONE, reason, owner)

    def refused(self, version: ModelVersion, reason: str, owner: str | None = None) -> None:
        """The version lies where this installation may not fetch from: not tried again.

        `owner` as for `gone`.
        """
        with self._write() as session:
            work.end(session, version, State.REFUSED, reason, owner)

    def states(self) -> dict[str, int]:
        """How many versions are in which state; a state nobody is in has 0."""
        with self._read() as session:
            return work.states(session)

    def problems(self) -> list[Problem]:
        """Versions that failed, are gone or were refused, oldest first."""
        with self._read() as session:
            return work.problems(session)
