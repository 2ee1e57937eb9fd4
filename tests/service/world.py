"""An app whose sources and clock do what a test tells them, on a real ledger."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from auditor.app import assemble
from auditor.config import load
from auditor.errors import SourceError
from auditor.pipeline import App
from auditor.records import ModelVersion, Priority, Reached, Rhythm, Seen, VersionId
from auditor.wall.process import here
from tests import models

PATIENCE = 60.0  # seconds until what must happen counts as never happening
HOURLY = Rhythm(every=3600.0)
DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Place:
    """A source that tells of the versions it is given, and notes how it is asked."""

    name: str
    versions: list[ModelVersion] = field(default_factory=list)
    error: Exception | None = None
    open: threading.Event = field(default_factory=threading.Event)  # unset: it does not answer
    looks: int = 0
    asked: list[str] = field(default_factory=list)  # models that hints were about
    inside: int = 0
    most: int = 0  # looks at one time
    history: int | None = None
    usual: ClassVar[Rhythm] = HOURLY
    priority: ClassVar[Priority] = Priority.REGISTRATION

    def __post_init__(self) -> None:
        self.open.set()

    def changes(self, cursor: object, known: object) -> Iterator[Any]:  # noqa: ARG002
        with self._answering():
            self.looks += 1
        yield from (Seen(version) for version in self.versions)
        yield Reached("here")

    def look(self, model: str, known: object) -> Iterator[Any]:  # noqa: ARG002
        self.asked.append(model)
        with self._answering():
            pass
        yield from (Seen(version) for version in self.versions if version.id.model == model)

    def resolve(self, ref: str, of: object) -> None:  # noqa: ARG002
        return None

    def files(self, version: ModelVersion) -> list[Any]:
        raise SourceError(f"{version.id} has no files")

    @contextmanager
    def _answering(self) -> Iterator[None]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            assert self.open.wait(PATIENCE)
            if self.error is not None:
                raise self.error
            yield
        finally:
            self.inside -= 1


def version(model: str, number: int, source: str = "place") -> ModelVersion:
    """A version that was made on a day of January 2026."""
    return ModelVersion(
        VersionId(source, model, str(number)),
        DAY + timedelta(days=number),
        uri=f"{model}/{number}",
        location=f"{model}/{number}",
    )


@dataclass
class Clock:
    """The time, and how far it is set off."""

    off: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.off


@contextmanager
def app(
    root: Path, *places: Place, rhythm: Rhythm = HOURLY, clock: Callable[[], datetime] | None = None
) -> Iterator[App]:
    """An app that watches places; without any, the folder ``models``."""
    (root / "models").mkdir(exist_ok=True)
    with assemble(load(models.config(root)), execute=here) as plain:
        changed: dict[str, Any] = {"clock": clock or plain.clock}
        if places:
            changed["sources"] = {place.name: place for place in places}
            changed["rhythms"] = dict.fromkeys(changed["sources"], rhythm)
        found = replace(plain, **changed)
        try:
            yield found
        finally:
            found.stop.set()


def until(happened: Callable[[], object], what: str) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.005)
