"""Whatever happens on the Hub between two looks, in the end the ledger knows what is there."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tests import hub_server
from tests.hub_server import DATE
from tests.hub_watch import Watched, watched

NAMES = ("acme/a", "acme/b")
HAPPENS = ("push", "words", "lie", "rewind", "rewind", "squash", "rename", "delete", "hide")
LOOKS = ("look", "look", "look", "reconcile")
MOMENTS = 30


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with hub_server.serve() as made:
        yield made


class World:
    """An author's repositories, and what befalls them."""

    def __init__(self, server: hub_server.Hub) -> None:
        self.server = server
        self.count = 0
        for name in NAMES:
            self.push(name)

    def happen(self, what: str, which: int) -> None:
        """One of `HAPPENS`, to one of the repositories that are there."""
        self.count += 1
        there = sorted(self.server.repos)
        name = there[which % len(there)] if there else NAMES[0]
        if name not in self.server.repos or what == "push":
            self.push(name)
        else:
            getattr(self, what)(name)

    def push(self, name: str, weights: bytes | None = None, late: int = 0) -> None:
        content = {"model.safetensors": weights or b"%d" % self.count}
        date = DATE + timedelta(minutes=self.count - late)
        self.server.push(name, content, date=date)
        self.touch(name)

    def touch(self, name: str) -> None:
        self.server.repos[name].modified = DATE + timedelta(minutes=self.count)

    def words(self, name: str) -> None:
        last = self.server.repos[name].commits[-1]
        self.server.push(name, {**last.files, "README.md": b"%d" % self.count}, date=last.date)
        self.touch(name)

    def lie(self, name: str) -> None:
        self.push(name, late=60 * (self.count % 5 - 2))

    def rewind(self, name: str) -> None:
        if len(self.server.repos[name].commits) > 1:
            self.server.rewind(name)

    def squash(self, name: str) -> None:
        last = self.server.repos[name].commits[-1]
        self.server.repos[name].commits.clear()
        self.server.push(name, last.files)
        self.touch(name)

    def rename(self, name: str) -> None:
        self.server.rename(name, f"acme/new{self.count}")

    def delete(self, name: str) -> None:
        del self.server.repos[name]

    def hide(self, name: str) -> None:
        self.server.repos[name].private = not self.server.repos[name].private


def check(hub: Watched) -> None:
    """The ledger knows every newest commit, no commit that is gone, and all in order."""
    there = {name: repo for name, repo in hub.server.repos.items() if not repo.private}
    assert set(hub.app.ledger.known("hub").models()) == set(there)
    for name, repo in there.items():
        history = [commit.sha for commit in reversed(repo.commits[-1].history())]
        versions = hub.versions(name)
        assert versions[-1] == history[-1]
        assert versions == [sha for sha in history if sha in versions]
        dates = [version.created_at for version in hub.records(name)]
        assert dates == sorted(set(dates))


@pytest.mark.wide  # some hundred looks
@pytest.mark.parametrize("seed", range(15))
def test_in_the_end_the_ledger_knows_what_is_there(
    server: hub_server.Hub, tmp_path: Path, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    world = World(server)
    with watched(server, tmp_path, authors=["acme"]) as hub:
        hub.look()
        for _ in range(MOMENTS):
            what, which = str(chance.choice(HAPPENS + LOOKS)), int(chance.integers(2))
            if what == "look":
                hub.look()
            elif what == "reconcile":
                hub.reconcile()
                check(hub)
            else:
                world.happen(what, which)
        hub.reconcile()
        check(hub)
        states = hub.app.ledger.states()
        assert len(hub.reconcile()) == 1  # and there is nothing more to ask
        assert hub.app.ledger.states() == states
