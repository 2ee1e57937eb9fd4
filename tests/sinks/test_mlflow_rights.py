"""A server that knows its users: what they may not do ends in a sentence that says what helps."""

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from auditor.errors import SinkError, SourceError
from auditor.sinks.mlflow import Mlflow as Sink
from auditor.sources.mlflow import Mlflow
from tests import told
from tests.mlflow_server import Server, serve
from tests.render import factory
from tests.sinks.test_mlflow import about

pytestmark = [
    pytest.mark.wide,  # a server of its own
    pytest.mark.skipif(
        importlib.util.find_spec("flask_wtf") is None,
        reason="mlflow's basic-auth needs Flask-WTF (pip install 'mlflow[auth]')",
    ),
]
ADMIN, READER = "admin:a-long-password", "reader:another-password"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with an administrator, and a user who may read everything."""
    folder = tmp_path_factory.mktemp("rights")
    with serve(folder, "--app-name", "basic-auth", environment=_settings(folder)) as found:
        name, _, password = READER.partition(":")
        made = requests.post(
            f"{of(found, ADMIN)}/api/2.0/mlflow/users/create",
            json={"username": name, "password": password},
            timeout=60,
        )
        made.raise_for_status()
        yield found


def _settings(folder: Path) -> dict[str, str]:
    name, _, password = ADMIN.partition(":")
    ini = folder / "auth.ini"
    ini.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/auth.db\n"
        f"admin_username = {name}\nadmin_password = {password}\n"
    )
    return {"MLFLOW_FLASK_SERVER_SECRET_KEY": "for a test", "MLFLOW_AUTH_CONFIG_PATH": str(ini)}


def of(server: Server, user: str) -> str:
    """The server's address with a user's name and password."""
    return server.uri.replace("://", f"://{user}@")


@pytest.fixture(scope="module")
def version(server: Server) -> Any:
    admin = replace(server, uri=of(server, ADMIN))
    return admin.register(admin.model(), {"model.safetensors": b"weights"})


@pytest.mark.usefixtures("version")
def test_who_may_read_can_watch(server, tmp_path):
    source = Mlflow(of(server, READER), cache=tmp_path)
    (seen,) = told.seen(source)
    (file,) = source.files(seen.version)
    with file.open() as handle:
        assert handle.read() == b"weights"


def test_who_may_only_read_is_told_what_writing_needs(server, version):
    for _ in range(2):  # tried again, it ends the same way
        with pytest.raises(SinkError, match=r"refused its user.*to write back EDIT") as problem:
            Sink(of(server, READER)).write(about(version, factory.passing()))
        assert READER.partition(":")[2] not in str(problem.value)
    tags = replace(server, uri=of(server, ADMIN)).client.get_model_version(version.name, "1").tags
    assert tags == {}


@pytest.mark.parametrize("user", ["", "reader:wrong-password@"])
def test_who_is_not_known_is_told_how_to_say_who_they_are(server, user):
    uri = server.uri.replace("://", f"://{user}")
    with pytest.raises(SourceError, match="does not know its user; set MLFLOW_TRACKING_USERNAME"):
        told.seen(Mlflow(uri))
