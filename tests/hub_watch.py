"""A Hub that is watched as config.yaml says, with a real ledger."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from auditor.app import assemble
from auditor.config import load
from auditor.ledger import SourceState, Told
from auditor.pipeline import App, look
from auditor.records import ModelVersion
from auditor.wall.process import here
from tests import hub_server, models

NAME = "acme/tiny"
LONG_AGO = 1.0  # seconds since 1970


@dataclass(frozen=True)
class Watched:
    """A Hub, and what is known of it."""

    server: hub_server.Hub
    app: App

    def look(self) -> list[str]:
        """Look once; what the API was asked meanwhile."""
        before = len(self.server.requests())
        look(self.app, "hub")
        return self.server.requests()[before:]

    def reconcile(self) -> list[str]:
        """Look as when everything was compared last a long time ago."""
        cursor = {**json.loads(self.state.cursor or "{}"), "reconciled": LONG_AGO}
        self.set(cursor)
        return self.look()

    def set(self, cursor: Mapping[str, object]) -> None:
        """Go on from there."""
        self.app.ledger.note("hub", Told(cursor=json.dumps(cursor)), self.app.clock(), history=1)

    def versions(self, name: str = NAME) -> list[str]:
        """The commits that are known and not gone, oldest first."""
        return [version.id.version for version in self.records(name)]

    def records(self, name: str = NAME) -> list[ModelVersion]:
        """The same, whole."""
        return list(self.app.ledger.known("hub").versions(name))

    @property
    def state(self) -> SourceState:
        """The source, as the ledger has it."""
        [state] = self.app.ledger.sources()
        return state

    @property
    def troubles(self) -> Mapping[str, str]:
        """What cannot be looked at, and why."""
        return self.state.troubles

    @property
    def gone(self) -> Mapping[str, str]:
        """The commits that are gone, and why."""
        return {found.version.id.version: found.reason for found in self.app.ledger.problems()}


@contextmanager
def watched(
    server: hub_server.Hub,
    folder: Path,
    baseline: Sequence[str] = ("previous",),
    **settings: object,
) -> Iterator[Watched]:
    """A Hub source with these settings, and a ledger in that folder."""
    source = {"kind": "hub", "endpoint": server.endpoint, **settings}
    selectors, sources = json.dumps(list(baseline)), json.dumps([source])
    config = models.config(folder, sources=sources, baseline=selectors)
    with assemble(load(config), execute=here) as app:
        yield Watched(server, app)
