"""Reports as files."""

import json
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.document import Document
from auditor.errors import ConfigError, SinkError
from auditor.render import FORMATS, TABLE
from auditor.sinks.files import Files, file_name
from tests.render import factory


def renamed(**given: str) -> Document:
    made = factory.passing()
    return {**made, "model": {**made["model"], **given}}


def test_writes_every_format_under_source_model_and_version(tmp_path):
    sink = Files(tmp_path, FORMATS)
    made = factory.passing()
    sink.write(made)
    there = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert there == sorted(sink.paths(made))
    assert [path.relative_to(tmp_path).as_posix() for path in sink.paths(made)] == [
        f"mlflow/digits/4.{TABLE[fmt].ending}" for fmt in FORMATS
    ]
    assert json.loads((tmp_path / "mlflow/digits/4.json").read_text("utf-8")) == made


def test_writing_twice_leaves_the_bytes_of_once(tmp_path):
    sink = Files(tmp_path, FORMATS)
    sink.write(factory.reviewed())
    once = [path.read_bytes() for path in sink.paths(factory.reviewed())]
    sink.write(factory.reviewed())
    assert [path.read_bytes() for path in sink.paths(factory.reviewed())] == once


@pytest.mark.parametrize(
    "name", [*factory.HOSTILE, "../../etc/passwd", "..", ".", "", "/etc", "a\\b"]
)
def test_hostile_names_stay_inside_the_folder(tmp_path, name):
    sink = Files(tmp_path / "reports", ("json",))
    made = renamed(source=name, name=name, version=name)
    sink.write(made)
    (path,) = sink.paths(made)
    assert path.is_file()
    assert path.resolve().is_relative_to(tmp_path / "reports")
    assert len(path.relative_to(tmp_path / "reports").parts) == 3


@given(st.lists(st.text(), unique=True, min_size=2, max_size=20))
def test_different_names_get_different_files_even_without_case(names):
    assert len({file_name(name).lower() for name in names}) == len(names)


@pytest.mark.parametrize("name", ["Digits", "a/b", "x" * 500])
def test_a_name_cannot_pretend_to_be_the_file_of_another(name):
    assert file_name(file_name(name)) != file_name(name)


@given(st.text(max_size=300))
def test_file_names_are_portable(name):
    made = file_name(name)
    assert 0 < len(made) <= 100
    assert made.isascii()
    assert not set(made) & set('/\\:*?"<>|\0 ')
    assert not made.startswith(".")
    assert not made.endswith(".")


@pytest.mark.parametrize("name", ["con", "NUL", "com1", "aux.json"])
def test_names_of_devices_are_changed(name):
    assert file_name(name) != name


def test_a_folder_that_cannot_be_made_is_a_sink_error_and_names_it(tmp_path):
    (tmp_path / "reports").write_text("in the way")
    with pytest.raises(SinkError, match="reports"):
        Files(tmp_path / "reports").write(factory.passing())


def test_a_failed_write_leaves_the_old_report_and_no_part_of_a_new_one(tmp_path):
    sink = Files(tmp_path, ("json",))
    made = factory.passing()
    (path,) = sink.paths(made)
    path.mkdir(parents=True)  # no file can take the place of a folder
    with pytest.raises(SinkError):
        sink.write(made)
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_and_what_is_being_written_is_not(tmp_path):
    sink = Files(tmp_path, ("json",))
    (path,) = sink.paths(factory.passing())
    path.parent.mkdir(parents=True)
    left, held, other = (
        path.with_name(f".{name}.tmp") for name in ("4.json.0a1b", "4.json.2c3d", "5.json.4e5f")
    )
    for file in (left, held, other):
        file.write_text("{")
    with held.open("rb") as writing:
        flock(writing, LOCK_EX)
        sink.write(factory.passing())
    assert sorted(path.parent.iterdir()) == sorted([path, held, other])


def test_an_unknown_format_is_refused_before_any_audit():
    with pytest.raises(ConfigError, match="pdf"):
        Files(Path("reports"), ("html", "pdf"))
