"""Weight files one by one, before they are committed: a line for each, and one exit code."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from auditor.config import Config
from auditor.document import Document
from auditor.errors import AuditorError
from auditor.exits import FailOn, exit_code
from auditor.records import Role
from auditor.single import Request, audit
from auditor.wall.jobs import Progress
from auditor.weights import role_of

NOTHING_LOOKED_AT = 2
MOST_NAMES = 5
GRAVITY = (0, 4, NOTHING_LOOKED_AT, 3, 1)  # exit codes, the worst last


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of one file."""

    file: str
    verdict: str  # "" where there is none
    said: str
    code: int


def look(
    files: Iterable[str],
    config: Config,
    policy: str,
    fail_on: FailOn,
    progress: Progress,
) -> Iterator[Looked]:
    """Audit every file by itself, without a baseline; whatever is wrong with one, the next is.

    A file whose name says that it holds no weights, such as ``optimizer.pt``, is let pass
    without a look.

    Yields
    ------
    Looked
        One for each file, as soon as it is known.
    """
    for file in files:
        if role_of(Path(file).name) is not Role.WEIGHTS:
            yield Looked(file, "", "no weight file by its name, not looked at", 0)
            continue
        request = Request(file, config, baseline="none", policy=policy)
        try:
            _, found = audit(request, progress)
        except AuditorError as error:
            yield Looked(file, "", str(error), NOTHING_LOOKED_AT)
            continue
        verdict = found["verdict"]
        yield Looked(file, verdict, _said(found), exit_code(verdict, fail_on))


def _said(document: Document) -> str:
    """Why it has its verdict, and which code it asks for when it is loaded."""
    asked = [found["name"] for found in document["weights"]["globals"] if found["dangerous"]]
    reason: str = document["reason"]
    return f"{reason}; it asks to import {', '.join(asked[:MOST_NAMES])}" if asked else reason


def worst(codes: Iterable[int]) -> int:
    """The exit code for all of them.

    Examples
    --------
    >>> worst([0, 4, 1, 3]), worst([])
    (1, 0)
    """
    return max(codes, key=GRAVITY.index, default=0)
