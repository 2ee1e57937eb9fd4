"""Looking at sources: what they tell is noted, step by step, so that no look begins anew."""

import logging
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from auditor.errors import SourceError
from auditor.ledger import Hint, Told
from auditor.pipeline.parts import App, Outcome
from auditor.records import Change, Gone, ModelVersion, Reached, Renamed, Said, Seen, Trouble
from auditor.wall.stopping import go_on

log = logging.getLogger(__name__)


def sweep(app: App, outcome: Outcome) -> None:
    """Look at every source; one that cannot be reached does not hide the others."""
    for name in app.sources:
        began = app.clock()
        try:
            look(app, name)
            app.ledger.looked(name, began)
        except SourceError as error:
            outcome.unreachable[name] = str(error)


def look(app: App, name: str, stop: threading.Event | None = None) -> int:
    """Note what a source tells; how many versions wait now that did not before.

    Raises
    ------
    StoppedError
        If `stop` is set before it has come to its end. What was noted until then stays noted.
    SourceError
        If it cannot be reached, which is recorded. What it told until then is noted.
    """
    source, new = app.sources[name], 0
    known = app.ledger.known(name)
    try:
        for told in _steps(source.changes(app.ledger.cursor(name), known)):
            go_on(stop)
            new += app.ledger.note(
                name,
                told,
                app.clock(),
                history=source.history,
                priority=source.priority,
                sinks=list(app.sinks),
            )
        go_on(stop)
        app.ledger.note(name, Told(), app.clock(), history=source.history)  # it came to its end
    except SourceError as error:
        app.ledger.unreachable(name, str(error), app.clock())
        log.warning("%s", error, extra={"event": "source.unreachable", "source": name})
        raise
    log.info("%s: %d new versions", name, new, extra={"event": "source.swept", "source": name})
    return new


def follow(app: App, hint: Hint) -> int:
    """Look at the one model of a hint; how many versions wait now that did not before.

    Raises
    ------
    SourceError
        If the source cannot be reached: the hint stays.
    """
    source, began = app.sources.get(hint.source), app.clock()
    new = 0
    if source is not None:
        (told,) = _steps(source.look(hint.model, app.ledger.known(hint.source)), whole=True)
        new = app.ledger.hinted(
            hint.source,
            told,
            app.clock(),
            history=source.history,
            priority=source.priority,
            sinks=list(app.sinks),
        )
    app.ledger.followed(hint.source, hint.model, began, app.clock())
    return new


@dataclass(slots=True)
class _Step:
    """What was told since the last point from which a look can go on."""

    seen: list[ModelVersion] = field(default_factory=list)
    changes: list[Gone | Renamed | Trouble] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)

    def take(self, change: Seen | Gone | Renamed | Trouble | Said) -> None:
        if isinstance(change, Seen):
            self.seen.append(change.version)
        elif isinstance(change, Said):
            self.said.append(change)
        else:
            self.changes.append(change)


def _steps(changes: Iterable[Change], *, whole: bool = False) -> Iterator[Told]:
    """What was told from one `Reached` to the next; `whole`: all of it, there is none."""
    step = _Step()
    for change in changes:
        if isinstance(change, Reached):
            told = Told(step.seen, step.changes, change.cursor, change.remarks, step.said)
            yield replace(told, ended=False)
            step = _Step()
        else:
            step.take(change)
    if whole:
        yield Told(step.seen, step.changes, said=step.said)
