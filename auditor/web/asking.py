"""Versions by the names people give them, and how one is put first in the queue."""

from auditor.errors import GoneError, SourceError, UsageError
from auditor.ledger import Told
from auditor.records import ModelVersion, Priority, Seen
from auditor.web.house import House


def named(house: House, ref: str) -> ModelVersion:
    """The version that a reference names now: of the first source that watches it.

    A source could fetch more than it watches, any repository of the Hub for one, with its own
    rights: whoever asks here has those of a token.

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
            if found is not None and _is_watched(house, found):
                return found
        except GoneError:
            continue
        except SourceError as error:
            unasked = unasked or error
    if unasked is not None:
        raise unasked
    names = ", ".join(house.sources)
    raise UsageError(
        f"{ref}: no source has such a version; asked were: {names}; name it as models:/name/3, "
        "hf://org/name@commit, or by the path of its folder"
    )


def _is_watched(house: House, version: ModelVersion) -> bool:
    """Whether its source was told to look at its model, or somebody had it audited by hand."""
    name, model = version.id.source, version.id.model
    known = house.ledger.known(name)
    if house.ledger.stand(version) is not None or known.versions(model):
        return True
    return any(isinstance(one, Seen) for one in house.sources[name].look(model, known))


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
