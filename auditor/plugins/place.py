"""Where in a configuration something is said, and sentences that lead a reader there."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

KeyPath = tuple[str | int, ...]

SAID_ELSEWHERE = {"extra_forbidden", "default_factory_not_called"}  # by `unknown`; by its cause
FITS = {  # what fits, where pydantic says it in Python's words
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "model_type": "expected settings and their values",
    "float_parsing": "expected a number",
    "int_parsing": "expected a whole number",
}
LONGEST_SHOWN = 60  # characters of a value repeated in a message


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in a configuration file: ``config.yaml:12: sources[0].models``.

    The default is nowhere: settings given in Python have no file and no lines.
    """

    file: Path | None = None
    path: KeyPath = ()
    lines: Mapping[KeyPath, int] = field(default_factory=dict)  # from 1, of each key and item
    hidden: frozenset[KeyPath] = frozenset()  # values that may be secrets

    def __str__(self) -> str:
        said = "".join(
            f"[{key}]" if isinstance(key, int) else f".{_plain(key)}" for key in self.path
        )
        parts = [str(self.file) if self.file else "", self.line, said.lstrip(".")]
        head = ":".join(part for part in parts[:2] if part)
        return ": ".join(part for part in (head, parts[2]) if part)

    @property
    def folder(self) -> Path:
        """What relative paths start from: the file's folder, else the working directory."""
        return self.file.absolute().parent if self.file else Path.cwd()

    def inside(self, *keys: str | int) -> "Place":
        """The spot further down these keys."""
        return replace(self, path=self.path + keys)

    def hiding(self, keys: Iterable[str]) -> "Place":
        """The same spot; the values of these keys are not to be repeated in messages."""
        return replace(self, hidden=self.hidden | {(*self.path, key) for key in keys})

    def problem(self, sentence: str) -> str:
        """One line that says where and what."""
        return f"{self}: {sentence}" if str(self) else sentence

    def shown(self, value: object) -> str:
        """The value as a message may repeat it: shortened, and nothing that may be a secret."""
        if any(_overlap(self.path, hidden) for hidden in self.hidden):
            return "the value (not shown: it may be a secret)"
        text = repr(value)
        return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"

    def existing(self) -> "Place":
        """The deepest spot on the way here that the file has."""
        ends = range(len(self.path), 0, -1)
        known = (self.path[:end] for end in ends if self.path[:end] in self.lines)
        return replace(self, path=next(known, self.path if not self.lines else ()))

    @property
    def line(self) -> str:
        """Number of the line that says it, from 1; empty where nothing is known."""
        ends = range(len(self.path), -1, -1)
        known = (self.lines[self.path[:end]] for end in ends if self.path[:end] in self.lines)
        return str(next(known, ""))


def _plain(key: str) -> str:
    """A key on one line, whatever is in it."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in key
    )


def unknown(key: str, known: Iterable[str], *, what: str = "setting") -> str:
    """What to say about a name that does not exist: the nearest one, and all there are."""
    there = sorted(known)
    near = get_close_matches(key, there, n=1)
    guess = f"; did you mean {near[0]}?" if near else ""
    listed = ", ".join(there) or "none"
    return f"no such {what} here{guess} (there are: {listed})"


def problems(error: ValidationError, place: Place) -> Iterator[str]:
    """Say each thing that does not fit, where it stands, what was found and what fits."""
    for detail in error.errors(include_url=False):
        here = place.inside(*detail["loc"])
        if detail["type"] in SAID_ELSEWHERE:
            continue
        if detail["type"] == "unexpected_keyword_argument":
            yield here.problem("no such setting here")
            continue
        if detail["type"] == "missing":
            yield here.problem("is required and not there")
            continue
        here = here.existing()
        yield here.problem(_sentence(detail["type"], detail["msg"], detail, here))


def _sentence(kind: str, message: str, detail: Mapping[str, Any], here: Place) -> str:
    if kind == "value_error":  # one of ours, which is a sentence already
        return str(detail["ctx"]["error"]).replace(
            repr(detail["input"]), here.shown(detail["input"])
        )
    fits = FITS.get(kind, message[:1].lower() + message[1:])
    return f"found {here.shown(detail['input'])}: {fits}"


def _overlap(one: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
