"""How far a registry was read: what a cursor of the MLflow source holds."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

MOST_MET = 1000  # models a mark names; more at once are looked at again by the next full look


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one place was read. Times are in ms.

    `newest`, `touched` and `met` are the server's times and names; `full` is this machine's.
    """

    newest: int = 0  # creation of the newest version that was told
    touched: int = 0  # models that changed since are looked at, but for those in `met`
    met: tuple[str, ...] = ()
    full: int | None = None  # when all of it was looked at last; None: never
    page: str | None = None  # where a full look goes on, "" from its start; None: there is none

    def is_due(self, now: int, every: float) -> bool:
        """Whether all of it is to be looked at now, `every` so many seconds."""
        # a clock that was set back makes it due as well
        return self.page is not None or self.full is None or abs(now - self.full) >= every * 1000

    def at(self, page: str | None, now: int) -> "Mark":
        """The same, with a full look that goes on at `page`, or has ended."""
        return replace(self, page=page, full=now if page is None else self.full)


def marks(cursor: str | None, watching: str) -> dict[str, Mark]:
    """The marks in a cursor made for what is watched now, by place; none in any other text."""
    try:
        found = json.loads(cursor or "null")
    except ValueError:
        return {}
    if not isinstance(found, dict) or found.get("watching") != watching:
        return {}
    places = found.get("places")
    read = {key: _mark(value) for key, value in places.items()} if isinstance(places, dict) else {}
    return {key: mark for key, mark in read.items() if mark is not None}


def cursor(marks: Mapping[str, Mark], watching: str) -> str:
    """The text that `marks` reads."""
    places = {key: asdict(mark) for key, mark in marks.items()}
    return json.dumps({"watching": watching, "places": places}, separators=(",", ":"))


def _mark(value: Any) -> Mark | None:  # noqa: ANN401 - whatever a database holds
    try:
        mark = Mark(**{**value, "met": tuple(value["met"])})
    except (TypeError, KeyError):
        return None
    numbers = (mark.newest, mark.touched, 0 if mark.full is None else mark.full)
    fits = all(type(number) is int for number in numbers)
    return mark if fits and isinstance(mark.page, str | None) else None
