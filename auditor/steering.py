"""What people tell the service by way of the ledger, whether it runs or not."""

from collections.abc import Collection, Sequence

from auditor.app import now
from auditor.config import Config, parts
from auditor.errors import UsageError
from auditor.ledger import Ledger, State
from auditor.ledger.lead import lead

GIVEN_UP = (State.QUARANTINED, State.REFUSED)
SHOWN = 5  # names in a sentence


def pause(config: Config, source: str, *, paused: bool) -> None:
    """Leave a source out of the schedule from now on, or no more.

    Raises
    ------
    UsageError
        If there is no such source.
    """
    _must_be(source, parts(config).rhythms)
    ledger = Ledger.open(config.ledger)
    try:
        ledger.pause(source, paused=paused)
    finally:
        ledger.close()


def ask(config: Config, source: str | None) -> Sequence[str]:
    """Ask for a look at a source now, or at all of them; which ones.

    Raises
    ------
    UsageError
        If there is no such source.
    """
    there = parts(config).rhythms
    sources = list(there) if source is None else [source]
    for name in sources:
        _must_be(name, there)
    ledger = Ledger.open(config.ledger)
    try:
        for name in sources:
            ledger.ask_look(name, now())
    finally:
        ledger.close()
    return sources


def retry(config: Config, ref: str | None, source: str | None) -> int:
    """Let versions given up or refused wait again: one, those of a source, or all; how many.

    Raises
    ------
    UsageError
        If there is no such source, or no such version is given up or refused.
    """
    if source is not None:
        _must_be(source, parts(config).rhythms)
    ledger = Ledger.open(config.ledger)
    try:
        held = [one.version for one in ledger.problems() if one.state in GIVEN_UP]
        if ref is None:
            return ledger.retry(source=source)
        named = [version for version in held if ref in {version.uri, str(version.id)}]
        if not named:
            uris = ", ".join(version.uri for version in held[:SHOWN]) or "none"
            raise UsageError(f"no version {ref} is in quarantine or refused; there are: {uris}")
        return sum(ledger.retry(version) for version in named)
    finally:
        ledger.close()


def is_served(config: Config) -> bool:
    """Whether a service seems to be at work on the ledger: whoever leads has a lock on it."""
    found = lead(config.ledger)
    if not found.take():
        return True
    found.drop()
    return False


def _must_be(source: str, there: Collection[str]) -> None:
    if source not in there:
        raise UsageError(f"no source {source}; there are: {', '.join(sorted(there))}")
