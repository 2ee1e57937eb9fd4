"""What a source told, by kind of change."""

import re

from auditor.records import NOTHING, Change, Known, Reached, Seen
from auditor.sources import Source


def seen(source: Source, cursor: str | None = None, known: Known = NOTHING) -> list[Seen]:
    """The versions it announced, in order."""
    return [found for found in source.changes(cursor, known) if isinstance(found, Seen)]


def others(source: Source, cursor: str | None, known: Known) -> list[Change]:
    """What else it told of versions: gone, renamed, in trouble."""
    told = source.changes(cursor, known)
    return [found for found in told if not isinstance(found, Seen | Reached)]


def steps(source: Source, cursor: str | None = None, known: Known = NOTHING) -> list[str]:
    """The cursors it gave."""
    told = source.changes(cursor, known)
    return [found.cursor for found in told if isinstance(found, Reached)]


def quiet(cursor: str) -> str:
    """The cursor of an MLflow source as it is when nothing new has come for long."""
    return re.sub(r'"at":\d+', '"at":0', cursor)
