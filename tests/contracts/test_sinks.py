"""What every sink must do, asked of every file in auditor/sinks/."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor import plugins
from auditor.document import Document
from auditor.errors import SinkError
from auditor.sinks import Sink
from auditor.sinks.files import Files
from auditor.sinks.mlflow import Mlflow
from tests.mlflow_server import free_port, running
from tests.render import factory
from tests.sinks.test_mlflow import about

State = Mapping[str, object]


@dataclass(frozen=True)
class Place:
    """A sink, one that cannot deliver, an audit that is its to deliver, and what it left."""

    sink: Sink
    broken: Sink
    ours: Callable[[Document], Document]
    state: Callable[[], State]


def files(tmp_path: Path) -> Place:
    folder = tmp_path / "reports"
    (tmp_path / "taken").write_bytes(b"a file where the folder should be")

    def left() -> State:
        found = (path for path in folder.rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).digest() for path in found}

    return Place(Files(folder), Files(tmp_path / "taken"), dict, left)


def mlflow(tmp_path: Path) -> Place:  # noqa: ARG001 - all of it is on the server
    server = running()
    version = server.register(server.model(), {"model.safetensors": b"weights"})
    return Place(
        Mlflow(server.uri),
        Mlflow(f"http://127.0.0.1:{free_port()}"),
        lambda document: about(version, document),
        server.state,
    )


FILL: dict[str, Callable[[Path], Place]] = {"files": files, "mlflow": mlflow}


WIDE = {"mlflow"}  # its server takes most of a minute for these; a line of its own is default
KINDS = [
    pytest.param(kind, marks=pytest.mark.wide if kind in WIDE else ())
    for kind in plugins.kinds("sinks")
]


@pytest.fixture(params=KINDS, scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return FILL[request.param](tmp_path_factory.mktemp(request.param))


def test_has_a_name_for_its_deliveries(place):
    assert place.sink.name


def test_delivering_twice_leaves_what_once_leaves(place):
    place.sink.write(place.ours(factory.reviewed()))
    once = place.state()
    assert once
    place.sink.write(place.ours(factory.reviewed()))
    assert place.state() == once


@pytest.mark.parametrize(
    "make", [factory.blocked, factory.incomplete, factory.hostile], ids=lambda make: make.__name__
)
def test_any_audit_can_be_delivered(place, make):
    tomorrow = datetime(2099, 1, 1, tzinfo=UTC).isoformat()
    document = place.ours(make())
    document = {**document, "timing": {**document["timing"], "started_at": tomorrow}}
    before = place.state()
    place.sink.write(document)
    assert place.state() != before


def test_what_cannot_be_delivered_is_a_sink_error(place):
    with pytest.raises(SinkError):
        place.broken.write(place.ours(factory.passing()))
