"""What sources told, and what is asked of them."""

from collections.abc import Sequence
from datetime import datetime

from auditor.ledger import audits, hints, noting, watching
from auditor.ledger.door import Door
from auditor.ledger.hints import Hint
from auditor.ledger.noting import Noted, Told
from auditor.ledger.watching import SourceState
from auditor.records import Known, ModelVersion, Priority


class Watching(Door):
    """Sources, the versions they told of, and hints."""

    __slots__ = ()

    def cursor(self, source: str) -> str | None:
        """Where the last sweep of a source came to; None before the first."""
        return next((state.cursor for state in self.sources() if state.name == source), None)

    def known(self, source: str) -> Known:
        """What was noted of a source, read when it is asked."""
        return Noted(self._read, source)

    def note(
        self,
        source: str,
        told: Told,
        at: datetime,
        *,
        history: int | None,
        priority: Priority = Priority.REGISTRATION,
        sinks: Sequence[str] = (),
    ) -> int:
        """Add what a look found and how far it came; how many versions now wait for an audit.

        Of a model not announced before only the `history` newest in `told.seen` wait (None:
        all, 0: none), the older ones become history. Later announcements always wait. A
        version announced again changes nothing, unless it was gone and is back. What waited for
        a source that could not be reached, versions and deliveries, is due again.

        What tags say that they did not say before becomes a decision, and goes out to `sinks`
        with the newest audit of its version.
        """
        with self._write() as session:
            pending = noting.note(session, source, told, history=history, priority=priority, at=at)
            audits.hear(session, told.said, sinks, at)
            watching.reached(session, source, told.cursor, told.remarks)
            if told.ended:
                watching.succeeded(session, source, at)
            return pending

    def hinted(
        self,
        source: str,
        told: Told,
        at: datetime,
        *,
        history: int | None,
        priority: Priority = Priority.REGISTRATION,
        sinks: Sequence[str] = (),
    ) -> int:
        """As `note`, of one model: that the source was looked at is not recorded."""
        with self._write() as session:
            pending = noting.note(session, source, told, history=history, priority=priority, at=at)
            audits.hear(session, told.said, sinks, at)
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

    def pause(self, source: str, *, paused: bool) -> None:
        """Whether the schedule leaves the source out from now on."""
        with self._write() as session:
            watching.pause(session, source, paused=paused)

    def ask_look(self, source: str, at: datetime | None) -> None:
        """Somebody wants the source looked at now, paused or not; None: it was."""
        with self._write() as session:
            watching.ask(session, source, at)

    def hint(self, hint: Hint) -> bool:
        """Keep a hint until it was followed; False where the same one came before."""
        with self._write() as session:
            return hints.add(session, hint)

    def hints(self) -> list[Hint]:
        """Hints that nobody has followed yet, oldest first."""
        with self._read() as session:
            return hints.waiting(session)

    def followed(self, source: str, model: str, since: datetime, at: datetime) -> None:
        """A model was looked at: its hints received until `since` are done."""
        with self._write() as session:
            hints.followed(session, source, model, since, at)
