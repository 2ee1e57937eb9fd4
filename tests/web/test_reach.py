"""What a token reaches: what configured sources watch, and nothing else their rights would."""

from collections.abc import Iterator

import pytest
from safetensors.numpy import save

from auditor.ledger import Told
from auditor.sources.hub import Hub
from tests import hub_server
from tests.models import weights
from tests.web.houses import Asked, house, models, served

TOKEN = hub_server.TOKEN  # it opens more than is watched


@pytest.fixture
def private() -> Iterator[hub_server.Hub]:
    with hub_server.serve() as made:
        for name in ("org/watched", "org/private"):
            made.push(name, {"model.safetensors": save(weights(1))})
        yield made


@pytest.fixture
def asked(private: hub_server.Hub, tmp_path) -> Iterator[Asked]:
    source = Hub(
        repos=("org/watched",),
        endpoint=private.endpoint,
        token=TOKEN,
        settle=0,
        cache=tmp_path / "files",
    )
    with house(tmp_path, source, models(tmp_path)) as found, served(found) as running:
        yield running


@pytest.mark.parametrize(
    "ref", ["hf://org/private", "hf://org/private/sub", "{root}/../other", "{root}/net/.."]
)
def test_what_nobody_watches_is_not_there(asked, private, tmp_path, ref):
    (tmp_path / "other" / "1").mkdir(parents=True)
    ref = ref.format(root=tmp_path / "models")
    for answer in (
        asked.get("/api/v1/verdict", params={"ref": ref}),
        asked.post("/api/v1/audits", {"ref": ref}),
    ):
        assert answer.status_code == 404
        assert "no source has such a version" in answer.json()["error"]
    assert asked.house.ledger.queue(9) == []
    assert private.requests("cdn") == []


def test_what_is_watched_is_audited_also_before_the_first_look(asked):
    answer = asked.post("/api/v1/audits", {"ref": "hf://org/watched"})
    assert (answer.status_code, answer.json()["priority"]) == (202, "asked")


def test_what_was_noted_once_may_be_asked_for_without_a_look(asked):
    """A search found it: no name in the configuration covers it."""
    source = asked.house.sources["hub"]
    version = source.resolve("hf://org/private", None)
    assert version is not None
    asked.house.ledger.note("hub", Told([version]), asked.house.clock(), history=None)
    answer = asked.post("/api/v1/audits", {"ref": "hf://org/private"})
    assert (answer.status_code, answer.json()["priority"]) == (202, "asked")
