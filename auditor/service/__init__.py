"""The service: looks at the sources, audits, delivers, tells and answers, for months.

Several may share a ledger: all of them audit, one of them leads. What they do is written in
the ledger, step by step, so that any of them can end at any moment.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial

from auditor.app import assemble, reclaim
from auditor.config import Config
from auditor.ledger.lead import lead
from auditor.pipeline import App, Crew, rejudge
from auditor.service.allocator import few_arenas, give_back
from auditor.service.leading import Leading
from auditor.service.schedule import Chore, Chores
from auditor.service.workers import Workers
from auditor.telling import addresses, meet, tell
from auditor.wall.jobs import Execute
from auditor.web import House, create, listening

RECLAIM = 30.0  # seconds; what another machine's process held is free when its lease ends
TELL = 30.0
TIDY = 600.0
FORGET = 86_400.0
REJUDGE = 3600.0  # a waiver ends with a day: that is noticed within the hour


def serve(
    config: Config,
    stop: threading.Event,
    ready: Callable[[str], object],
    *,
    web: bool = True,
    execute: Execute | None = None,
) -> None:
    """Run until told to end: at most half a minute later nothing of it is left.

    Parameters
    ----------
    config
        What to watch, and where to answer.
    stop
        Set from elsewhere, ends it. Versions in work are given back; finished layers are kept.
    ready
        Told the address that answers once everything runs; without `web` an empty text.
    web
        Whether to answer requests at all.
    execute
        As in `assemble`.

    Raises
    ------
    ConfigError
        Before any work, if the configuration cannot be used, or nobody can share its ledger.
    LedgerError
        If nothing can be locked beside the ledger.
    """
    few_arenas()
    leader, targets = lead(config.ledger), addresses(config)
    with ExitStack() as stack:
        app = stack.enter_context(assemble(config, execute=execute, stop=stop))
        stack.callback(leader.drop)
        leader.take()
        meet(app.ledger, targets, app.rhythms, app.clock())
        crew = Crew(app)
        own = (
            Chore("reclaim", RECLAIM, lambda: reclaim(app.ledger)),
            Chore("tidy", TIDY, app.tidy),
            Chore("memory", TIDY, give_back),
        )
        shared = (
            Chore("tell", TELL, lambda: tell(app.ledger, targets, app.rhythms, app.clock())),
            Chore("rejudge", REJUDGE, partial(_rejudge, app, crew)),
            *_forgetting(config, app),
        )
        address = stack.enter_context(_answering(config, app, crew)) if web else ""
        stack.enter_context(Workers(crew))
        stack.enter_context(Chores(own))
        stack.enter_context(Leading(app, leader, crew.bell, shared))
        ready(address)
        stop.wait()


def _rejudge(app: App, crew: Crew) -> None:
    """What comes of it goes out at once."""
    if rejudge(app):
        crew.bell.ring()


def _forgetting(config: Config, app: App) -> Iterator[Chore]:
    """Once a day what was kept for long enough goes."""
    if config.keep != "forever":
        kept = timedelta(seconds=config.keep)
        yield Chore("forget", FORGET, lambda: app.ledger.forget(app.clock() - kept))


@contextmanager
def _answering(config: Config, app: App, crew: Crew) -> Iterator[str]:
    """The web door of the service."""
    house = House(
        ledger=app.ledger,
        sources=app.sources,
        config=config,
        rhythms=app.rhythms,
        clock=app.clock,
        nudge=crew.bell.ring,
        begun=app.clock(),
        sinks=tuple(app.sinks),
    )
    with listening(create(house), config.server) as address:
        yield address
