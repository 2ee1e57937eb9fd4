"""How far a registry was read: what a cursor of the MLflow source holds."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

FEW_TAGS = 100  # are asked for at every look
EACH_TAG = 100  # ms; one takes about 2 ms of the server's time: a fiftieth of it
OVERLAP = 10 * 60 * 1000  # ms; concurrent registrations commit in another order than they are dated


@dataclass(frozen=True, slots=True)
class Edge:
    """The latest time that was told of, in ms, and how far before it is to be looked again."""

    top: int = 0  # by the server's clock
    at: int = 0  # when that was, by this machine's

    def since(self, now: int) -> int:
        """From where to look: `OVERLAP` before `top`, later the longer nothing new has come."""
        return self.top - max(0, OVERLAP - max(0, now - self.at))

    def moved(self, times: Iterable[int], now: int) -> "Edge":
        """The edge after these times were told of.

        It is never later than this machine's clock: what is dated in the future must not
        hide what comes until then.
        """
        top = max((min(int(time), now) for time in times), default=0)
        return Edge(top, now) if top > self.top else self


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one place was read."""

    made: Edge = Edge()  # by when versions were made
    touched: Edge = Edge()  # by when models were changed
    met: tuple[str, ...] = ()  # changes near that edge that were looked at
    full: int | None = None  # when all of it was looked at last, ms of this machine; None: never
    page: str | None = None  # where a full look goes on, "" from its start; None: there is none
    said: str = ""  # short for what the tags of its versions said last
    asked: int = 0  # when they were asked for, ms of this machine
    tags: int = 0  # how many there were
    doubts: tuple[str, ...] = ()  # about those that were not understood

    def is_due(self, now: int, every: float) -> bool:
        """Whether all of it is to be looked at now, `every` so many seconds."""
        # a clock that was set back makes it due as well
        return self.page is not None or self.full is None or abs(now - self.full) >= every * 1000

    def on(self, page: str) -> "Mark":
        """The same, with a full look that goes on at `page`."""
        return replace(self, page=page)

    def whole(self, now: int) -> "Mark":
        """The same, after a full look; tags are then told once more, for versions new in it."""
        return replace(self, page=None, full=now, said="", asked=0)

    def is_silent(self, now: int) -> bool:
        """Whether tags are not asked for now: many are asked for the less often."""
        return self.tags > FEW_TAGS and 0 <= now - self.asked < self.tags * EACH_TAG


def marks(cursor: str | None, watching: str) -> dict[str, Mark]:
    """The marks in a cursor made for what is watched now, by place; none in any other text."""
    try:
        found = json.loads(cursor or "null")
        if found["watching"] != watching:
            return {}
        return {key: _mark(value) for key, value in found["places"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def cursor(marks: Mapping[str, Mark], watching: str) -> str:
    """The text that `marks` reads."""
    places = {key: asdict(mark) for key, mark in marks.items()}
    return json.dumps({"watching": watching, "places": places}, separators=(",", ":"))


def _mark(found: Mapping[str, Any]) -> Mark:
    made, touched = (
        Edge(int(edge["top"]), int(edge["at"])) for edge in (found["made"], found["touched"])
    )
    full, page = found["full"], found["page"]
    return Mark(
        made,
        touched,
        met=tuple(map(str, found["met"])),
        full=None if full is None else int(full),
        page=None if page is None else str(page),
        said=str(found.get("said", "")),  # earlier programs wrote none of these
        asked=int(found.get("asked", 0)),
        tags=int(found.get("tags", 0)),
        doubts=tuple(map(str, found.get("doubts", ()))),
    )
