"""Versions audited side by side, by threads that each take one after the other."""

import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from queue import SimpleQueue

from auditor.ledger import Claim
from auditor.pipeline.bell import Bell
from auditor.pipeline.parts import App, Outcome
from auditor.pipeline.visiting import claim, visit


@dataclass(slots=True)
class Crew:
    """What this process is at work on."""

    app: App
    bell: Bell = field(default_factory=Bell)  # rung after every version
    running: set[str] = field(default_factory=set)  # ids of versions
    _taking: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> Claim | None:
        """Claim the next version for this process; None: there is none that may be audited.

        Raises
        ------
        LedgerError
            If the ledger cannot be used now.
        """
        with self._taking:
            found = claim(self.app)
            if found is not None:
                self.running.add(str(found.version.id))
            return found

    def visit(self, claimed: Claim) -> Outcome:
        """Examine one version; what that came to.

        Raises
        ------
        LedgerError
            If the outcome cannot be written down: `recover` gives the version back later.
        """
        outcome = Outcome()
        try:
            visit(claimed, self.app, outcome)
        finally:
            with self._taking:
                self.running.discard(str(claimed.version.id))
            self.bell.ring()
        return outcome

    def recover(self) -> None:
        """Give back what is claimed for this process and nobody here is at work on.

        That happens when the ledger cannot be written for a while: a lease of one's own that
        runs out is never taken from oneself.

        Raises
        ------
        LedgerError
            If the ledger cannot be used yet.
        """
        with self._taking:
            for version in self.app.ledger.held(self.app.owner):
                if str(version.id) not in self.running:
                    self.app.ledger.release(version, self.app.owner)

    def is_idle(self) -> bool:
        """Whether nobody is at work."""
        with self._taking:
            return not self.running


def drain(app: App) -> Generator[Outcome]:
    """Audit until nothing may be audited any more, several at once; what each came to.

    Raises
    ------
    LedgerError
        If the ledger cannot be used: what else is in work is given back first.
    """
    crew, found = Crew(app), SimpleQueue[Outcome | None]()
    errors: list[BaseException] = []
    threads = [
        threading.Thread(target=_drain, args=(crew, found, errors), daemon=True)
        for _ in range(app.audits)
    ]
    for thread in threads:
        thread.start()
    working = len(threads)
    try:
        while working:
            outcome = found.get()
            if outcome is None:
                working -= 1
            else:
                yield outcome
    finally:
        if working:  # interrupted, or nobody wants to know more
            _end(crew)
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


def _drain(crew: Crew, found: SimpleQueue[Outcome | None], errors: list[BaseException]) -> None:
    """One thread: until nothing is left and nobody is at work who could make room for more."""
    try:
        while not crew.app.stop.is_set():
            since = crew.bell.rung
            if (claimed := crew.take()) is not None:
                found.put(crew.visit(claimed))
            elif crew.is_idle():
                break
            else:
                crew.bell.wait(since, threading.TIMEOUT_MAX)
    except BaseException as error:  # noqa: BLE001 - raised where the outcomes are awaited
        errors.append(error)
        _end(crew)
    finally:
        found.put(None)


def _end(crew: Crew) -> None:
    """Let everybody at work give back what they have."""
    crew.app.stop.set()
    crew.bell.ring()
