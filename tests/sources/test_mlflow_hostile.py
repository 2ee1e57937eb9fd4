"""A registry that means harm: dates beyond the calendar, answers without an end."""

import pytest

from auditor.errors import SourceError
from auditor.records import Reached, Seen
from auditor.sources.mlflow import Mlflow
from tests.mlflow_server import running

pytestmark = pytest.mark.wide

WEIGHTS = {"model.safetensors": b"weights"}
LAST = 10**17  # ms; no calendar here has a day for it


def test_no_date_of_one_version_ends_the_look_at_all():
    """The year 3,170,843 was an error of ours, and nothing of the source was seen."""
    server = running()
    name = server.model()
    for date in (-(10**15), LAST):
        server.redate(server.register(name, WEIGHTS), date)
    server.register(name, WEIGHTS)
    source = Mlflow(server.uri, models=(name,), history=None)
    found = [one.version for one in source.changes(None) if isinstance(one, Seen)]
    assert [one.id.version for one in found] == ["1", "3", "2"]
    assert [one.created_at.year for one in (found[0], found[2])] == [1970, 9000]
    assert source.files(found[2])
    server.client.delete_registered_model(name)


def test_an_answer_without_an_end_is_a_sentence(monkeypatch):
    server = running()
    source = Mlflow(server.uri, models=("never-*",))
    *_, cursor = (one.cursor for one in source.changes(None) if isinstance(one, Reached))
    name = server.model()
    for _ in range(3):
        server.register(name, WEIGHTS)
    monkeypatch.setattr("auditor.mlflow_client.registry.HEAD", 1)
    monkeypatch.setattr("auditor.mlflow_client.registry.PAGE", 1)
    monkeypatch.setattr("auditor.mlflow_client.registry.MOST_PAGES", 2)
    with pytest.raises(SourceError, match="answers with more than 1000 pages"):
        list(source.changes(cursor))
    monkeypatch.undo()
    list(source.changes(cursor))
    server.client.delete_registered_model(name)
