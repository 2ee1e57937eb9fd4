"""What every source must do, asked of every file in auditor/sources/."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from auditor import plugins
from auditor.errors import GoneError, SourceError
from auditor.records import ModelVersion, Role
from auditor.sources import Source
from auditor.sources.folder import Folder
from auditor.sources.hub import Hub
from auditor.sources.mlflow import Mlflow
from tests import hub_server, told
from tests.hub_server import TOKEN
from tests.mlflow_server import free_port, running

Files = Mapping[str, bytes]
FIRST = {"model.safetensors": b"first", "sub/config.json": b"{}"}
SECOND = {"model.safetensors": b"the second"}


@dataclass(frozen=True)
class Filled:
    """A source that holds two versions of one model, and ways to change what it holds."""

    source: Source
    unreachable: Source  # named "nowhere"
    add: Callable[[Files], str]  # the next version; what it is called
    remove: Callable[[ModelVersion], None]
    names: list[str] = field(default_factory=list)  # of the first two
    resources: ExitStack = field(default_factory=ExitStack)  # what runs as long as it is asked

    def versions(self) -> list[ModelVersion]:
        return [seen.version for seen in told.seen(self.source)]


def folder(tmp_path: Path) -> Filled:
    root = tmp_path / "models"

    def add(files: Files) -> str:
        made = root / "tiny" / str(len(list(root.glob("*/*"))) + 1)
        for name, content in files.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_bytes(content)
            os.utime(made / name, (int(made.name) * 1000, int(made.name) * 1000))
        return made.name

    def remove(version: ModelVersion) -> None:
        shutil.rmtree(version.location)

    nowhere = Folder(tmp_path / "nowhere")
    return Filled(Folder(root, settle=0), nowhere, add, remove)


def mlflow(tmp_path: Path) -> Filled:
    server = running()
    name = server.model()

    def remove(version: ModelVersion) -> None:
        server.client.delete_model_version(name, version.id.version)

    source = Mlflow(server.uri, models=(name,), cache=tmp_path / "files")
    nowhere = Mlflow(f"http://127.0.0.1:{free_port()}/nowhere")
    return Filled(source, nowhere, partial(_register, name), remove)


def _register(name: str, files: Files) -> str:
    return str(running().register(name, files).version)


def hub(tmp_path: Path) -> Filled:
    resources = ExitStack()
    server = resources.enter_context(hub_server.serve())

    def add(files: Files) -> str:
        return server.push("acme/tiny", files).sha

    def remove(version: ModelVersion) -> None:
        assert server.repos["acme/tiny"].commits[-1].sha == version.id.version
        server.rewind("acme/tiny")

    watched = Hub(repos=("acme/tiny",), history=None, token=TOKEN, cache=tmp_path / "files")
    source = replace(watched, endpoint=server.endpoint)
    nowhere = replace(watched, endpoint=f"http://127.0.0.1:{free_port()}/nowhere")
    return Filled(source, nowhere, add, remove, resources=resources)


FILL: dict[str, Callable[[Path], Filled]] = {"folder": folder, "mlflow": mlflow, "hub": hub}


WIDE = {"mlflow"}  # its server takes most of a minute for these; a line of its own is default
KINDS = [
    pytest.param(kind, marks=pytest.mark.wide if kind in WIDE else ())
    for kind in plugins.kinds("sources")
]


@pytest.fixture(params=KINDS, scope="module")
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filled]:
    made = FILL[request.param](tmp_path_factory.mktemp(request.param))
    with made.resources:
        made.names.extend(map(made.add, (FIRST, SECOND)))
        yield made


def test_lists_versions_oldest_first_with_a_time_zone(filled):
    first, second = filled.versions()[:2]
    assert [first.id.version, second.id.version] == filled.names
    assert first.created_at < second.created_at
    assert first.created_at.tzinfo is not None


def test_lists_the_same_versions_every_time(filled):
    assert filled.versions() == filled.versions()
    assert len({version.identity for version in filled.versions()}) == len(filled.versions())


def test_names_itself_in_what_it_lists(filled):
    assert {version.id.source for version in filled.versions()} == {filled.source.name}


def test_finds_a_version_by_the_uri_it_gave(filled):
    for version in filled.versions():
        assert filled.source.resolve(version.uri, None) == version


def test_finds_the_version_made_before(filled):
    first, second = filled.versions()[:2]
    assert filled.source.resolve("previous", second) == first
    assert filled.source.resolve("previous", first) is None


def test_finds_a_number_relative_to_another_version_of_the_model(filled):
    first, second = filled.versions()[:2]
    assert filled.source.resolve(filled.names[0], second) == first
    assert filled.source.resolve("99", second) is None


@pytest.mark.parametrize(
    "ref", ["", "no", "models:/no/1", "models:/no@a", "hf://a/b", "alias:no", "previous", "../.."]
)
def test_knows_no_version_by_another_name(filled, ref):
    assert filled.source.resolve(ref, None) is None


def test_an_alias_nobody_gave_names_no_version(filled):
    assert filled.source.resolve("alias:champion", filled.versions()[0]) is None


def test_lists_files_with_role_and_size_and_opens_them(filled):
    files = {file.name: file for file in filled.source.files(filled.versions()[0])}
    assert {name: file.size for name, file in files.items()} == {
        name: len(content) for name, content in FIRST.items()
    }
    assert files["model.safetensors"].role is Role.WEIGHTS
    assert files["sub/config.json"].role is Role.CONFIG
    for name, content in FIRST.items():
        with files[name].open() as one, files[name].open() as other:
            assert one.read() == content
            assert other.read(1) == content[:1]  # a handle of its own
            assert one.seek(0) == 0
            assert one.read() == content


def test_files_of_versions_do_not_mix(filled):
    for version, content in zip(filled.versions(), (b"first", b"the second"), strict=False):
        with filled.source.files(version)[0].open() as handle:
            assert handle.read() == content


def test_a_cursor_leaves_out_no_later_version(filled):
    steps = told.steps(filled.source)
    third = filled.add({"model.safetensors": b"third"})
    for before in steps:
        later = [found.version.id.version for found in told.seen(filled.source, before)]
        assert third in later


@pytest.mark.parametrize("cursor", ["", "{}", "[1]", "nonsense", '{"newest": "x"}', "\x00"])
def test_a_cursor_it_did_not_write_means_from_the_start(filled, cursor):
    assert [seen.version for seen in told.seen(filled.source, cursor)] == filled.versions()


def test_a_removed_version_is_gone(filled):
    filled.add({"model.safetensors": b"to be removed"})
    last = filled.versions()[-1]
    filled.remove(last)
    assert last not in filled.versions()
    with pytest.raises(GoneError, match=last.id.version):
        filled.source.files(last)


def test_an_unreachable_place_is_a_source_error_that_names_it(filled, monkeypatch):
    monkeypatch.setattr("auditor.sources.hub.PAUSES", ())
    with pytest.raises(SourceError, match="nowhere"):
        list(filled.unreachable.changes(None))
