"""Looks at a source, noted in a ledger as the line notes them."""

from datetime import UTC, datetime

from auditor.ledger import Ledger, Told
from auditor.records import Change, ModelVersion, Reached, Said, Seen
from auditor.sources import Source


def watch(source: Source, ledger: Ledger) -> tuple[list[Change], int]:
    """What one look told, and how many versions wait that did not before."""
    told: list[Change] = []
    since, new = 0, 0
    for change in source.changes(ledger.cursor(source.name), ledger.known(source.name)):
        told.append(change)
        if isinstance(change, Reached):
            new += _note(source, ledger, told[since:-1], change)
            since = len(told)
    return told, new


def news(source: Source, ledger: Ledger) -> list[Change]:
    """What one look told besides versions that are there."""
    return [one for one in watch(source, ledger)[0] if not isinstance(one, Seen | Reached)]


def noted(source: Source, ledger: Ledger) -> list[ModelVersion]:
    """All versions of the source that the ledger takes to be there."""
    known = ledger.known(source.name)
    return [version for model in sorted(known.models()) for version in known.versions(model)]


def _note(source: Source, ledger: Ledger, told: list[Change], end: Reached) -> int:
    seen = [one.version for one in told if isinstance(one, Seen)]
    said = [one for one in told if isinstance(one, Said)]
    others = [one for one in told if not isinstance(one, Seen | Said | Reached)]
    return ledger.note(
        source.name,
        Told(seen, others, end.cursor, end.remarks, said),
        datetime.now(UTC),
        history=source.history,
        priority=source.priority,
    )
