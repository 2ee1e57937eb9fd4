"""A Hub that means harm: dates beyond the calendar, listings without an end."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from auditor.errors import SourceError
from tests import hub_server
from tests.hub_watch import Watched, watched

REPOS = ("org/first", "org/net", "org/zlast")
WEIGHTS = {"model.safetensors": b"weights"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("auditor.sources.hub.PAUSES", (0.0,))
    with hub_server.serve() as made:
        yield made


@pytest.fixture
def hub(server: hub_server.Hub, tmp_path: Path) -> Iterator[Watched]:
    with watched(server, tmp_path, authors=["org"], history="all") as made:
        yield made


@pytest.mark.parametrize(
    "date",
    [
        datetime.max.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=14))),
        datetime(1000, 1, 1, tzinfo=UTC),
    ],
    ids=["last", "after the last", "before all clocks"],
)
def test_no_date_of_one_repository_ends_the_look_at_all(server, hub, date):
    """A commit after the last moment of the calendar was an error of ours."""
    for repo in REPOS:
        server.push(repo, WEIGHTS)
    server.push("org/net", {"model.safetensors": b"others"}, date=date)
    server.push("org/net", {"model.safetensors": b"more"})
    hub.look()
    assert [len(hub.versions(repo)) for repo in REPOS] == [1, 3, 1]
    shas = [commit.sha for commit in server.repos["org/net"].commits]
    assert [found.id.version for found in hub.records("org/net")] == shas


def test_a_listing_without_an_end_is_a_sentence(server, hub, monkeypatch):
    for repo in REPOS:
        server.push(repo, WEIGHTS)
    monkeypatch.setattr("auditor.hub_client.looking.FULL_PAGE", 1)
    monkeypatch.setattr("auditor.hub_client.access.MOST_PAGES", 2)
    with pytest.raises(SourceError, match="lists more than 2 pages"):
        hub.look()
    monkeypatch.setattr("auditor.hub_client.access.MOST_PAGES", 3)
    hub.look()
    assert all(hub.versions(repo) for repo in REPOS)
