"""Versions by the names people give them, and how one is put first in the queue."""

from auditor.errors import GoneError, SourceError, UsageError
from auditor.ledger import Told
from auditor.records import ModelVersion, Priority, Seen
from auditor.web.house import House


def named(house: House, ref: str) -> ModelVersion:
    """The version that a reference names now: of the first source that knows it.

    Raises
    ------
    UsageError
        If none does.
    SourceError
        If none does, and one could not be asked.
    """
    unasked: SourceError | None = None
    for source in house.sources.values():
        try:
            found = source.resolve(ref, None)
        except GoneError:
            continue
        except SourceError as error:
            unasked = unasked or error
            continue
        if found is not None:
            return found
    if unasked is not None:
        raise unasked
    names = ", ".join(house.sources)
    raise UsageError(f"{ref}: no source has such a version; asked were: {names}")


def enqueue(house: House, version: ModelVersion) -> None:
    """Let a version be audited next, also one that has an audit.

    Of a model that was never looked at, all versions are noted first: else the others would
    seem new later, and all be audited.

    Raises
    ------
    SourceError
        If its source cannot be asked for those.
    """
    name, model = version.id.source, version.id.model
    source, known = house.sources[name], house.ledger.known(name)
    if not known.versions(model):
        there = [one.version for one in source.look(model, known) if isinstance(one, Seen)]
        history, priority = source.history, source.priority
        house.ledger.hinted(name, Told(there), house.clock(), history=history, priority=priority)
    house.ledger.hinted(name, Told([version]), house.clock(), history=None, priority=Priority.ASKED)
    house.ledger.ask(version)
    house.nudge()
