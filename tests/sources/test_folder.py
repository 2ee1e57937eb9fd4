"""Folders as registries, and bare paths."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from auditor.errors import GoneError, RefusedError, SourceError, UsageError
from auditor.records import Role
from auditor.sources.folder import Folder, files_at, version_at
from tests import told


def put(path: Path, content: bytes = b"weights", at: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if at is not None:
        os.utime(path, (at, at))
    return path


def listed(source: Folder) -> list[str]:
    return [str(seen.version.id) for seen in told.seen(source)]


def test_versions_written_at_one_moment_come_in_natural_order(tmp_path):
    for version in ("v10", "v9", "v1"):
        put(tmp_path / "m" / version / "w.safetensors", at=1000)
    expected = ["folder:m@v1", "folder:m@v9", "folder:m@v10"]
    assert listed(Folder(tmp_path, settle=0)) == expected


def test_the_version_written_last_is_the_newest_whatever_its_name(tmp_path):
    put(tmp_path / "m" / "ffee" / "w.safetensors", at=1000)
    put(tmp_path / "m" / "00aa" / "w.safetensors", at=2000)
    assert listed(Folder(tmp_path, settle=0)) == ["folder:m@ffee", "folder:m@00aa"]


def test_the_newest_file_dates_a_version(tmp_path):
    put(tmp_path / "m" / "1" / "a.safetensors", at=1000)
    put(tmp_path / "m" / "1" / "deep" / "b.json", at=2000)
    (seen,) = told.seen(Folder(tmp_path, settle=0))
    assert seen.version.created_at.timestamp() == 2000


def test_changed_files_make_another_identity(tmp_path):
    file = put(tmp_path / "m" / "1" / "w.safetensors", at=1000)
    (before,) = told.seen(Folder(tmp_path, settle=0))
    put(file, b"other", at=2000)
    (after,) = told.seen(Folder(tmp_path, settle=0), "")
    assert after.version.identity != before.version.identity


def test_a_copy_that_keeps_old_dates_is_not_missed(tmp_path):
    put(tmp_path / "m" / "2" / "w.safetensors", at=2000)
    assert len(told.seen(Folder(tmp_path, settle=0))) == 1
    put(tmp_path / "m" / "1" / "w.safetensors", at=1000)
    later = [found.version.id.version for found in told.seen(Folder(tmp_path, settle=0), "")]
    assert "1" in later


def test_what_is_being_written_waits_for_the_next_sweep(tmp_path):
    put(tmp_path / "m" / "1" / "w.safetensors", at=1000)
    growing = tmp_path / "m" / "2" / "w.safetensors"
    growing.parent.mkdir()
    script = 'while :; do printf x >> "$0"; sleep 0.05; done'
    writer = subprocess.Popen(["/bin/sh", "-c", script, str(growing)])  # noqa: S603
    try:
        while not growing.exists():
            time.sleep(0.01)
        assert listed(Folder(tmp_path, settle=1.0)) == ["folder:m@1"]
    finally:
        writer.kill()
        writer.wait()
    assert listed(Folder(tmp_path, settle=1.0)) == ["folder:m@1", "folder:m@2"]


def test_hidden_names_and_empty_folders_are_no_versions(tmp_path):
    put(tmp_path / "m" / ".partial" / "w.safetensors")
    put(tmp_path / ".git" / "1" / "w.safetensors")
    put(tmp_path / "m" / "stray.safetensors")
    (tmp_path / "m" / "empty").mkdir()
    put(tmp_path / "m" / "1" / ".w.safetensors.part")
    put(tmp_path / "m" / "1" / "w.safetensors")
    source = Folder(tmp_path, settle=0)
    (seen,) = told.seen(source)
    assert str(seen.version.id) == "folder:m@1"
    assert [file.name for file in source.files(seen.version)] == ["w.safetensors"]


@pytest.mark.parametrize("link", ["1/w.safetensors", "1/deep/w.safetensors", "1", "1/folder"])
def test_a_link_that_leaves_the_root_is_refused(tmp_path, link):
    secret = put(tmp_path / "secret" / "w.safetensors", b"secret")
    put(tmp_path / "root" / "m" / "2" / "fine.safetensors")
    place = tmp_path / "root" / "m" / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(secret if link.endswith("safetensors") else secret.parent)
    if link == "1/folder":
        put(tmp_path / "root" / "m" / "1" / "w.safetensors")
    source = Folder(tmp_path / "root", settle=0)
    version = next(s.version for s in told.seen(source) if s.version.id.version == "1")
    with pytest.raises(RefusedError, match="leads out of"):
        source.files(version)


def test_a_link_within_the_root_is_followed(tmp_path):
    blob = put(tmp_path / "blobs" / "ab" / "blob", b"weights")
    (tmp_path / "m" / "1").mkdir(parents=True)
    (tmp_path / "m" / "1" / "w.safetensors").symlink_to(blob)
    source = Folder(tmp_path, settle=0)
    version = source.resolve(str(tmp_path / "m" / "1"), None)
    assert version is not None
    (file,) = source.files(version)
    assert (file.name, file.size) == ("w.safetensors", 7)


def test_what_is_no_regular_file_is_left_alone(tmp_path):
    put(tmp_path / "m" / "1" / "w.safetensors")
    os.mkfifo(tmp_path / "m" / "1" / "pipe.safetensors")
    (tmp_path / "m" / "1" / "loop").symlink_to(tmp_path / "m" / "1")
    (tmp_path / "m" / "1" / "broken.safetensors").symlink_to(tmp_path / "m" / "nothing")
    source = Folder(tmp_path, settle=0)
    (seen,) = told.seen(source)
    assert [file.name for file in source.files(seen.version)] == ["w.safetensors"]


def test_a_folder_name_that_is_not_utf_8_is_passed_over_with_a_warning(tmp_path, caplog):
    put(tmp_path / "m" / "1" / "w.safetensors")
    bad = os.fsencode(tmp_path / "m") + b"/\xff"
    try:
        os.mkdir(bad)  # noqa: PTH102 - a Path cannot hold it
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    Path(os.fsdecode(bad + b"/w.safetensors")).write_bytes(b"x")
    assert listed(Folder(tmp_path, settle=0)) == ["folder:m@1"]
    assert "rename it in UTF-8" in caplog.text


def test_a_root_that_is_a_file_is_a_source_error(tmp_path):
    with pytest.raises(SourceError, match="is not a folder; check `root`"):
        listed(Folder(put(tmp_path / "file")))


def test_a_path_outside_the_root_is_no_version_of_it(tmp_path):
    put(tmp_path / "elsewhere" / "m" / "1" / "w.safetensors")
    (tmp_path / "root").mkdir()
    source = Folder(tmp_path / "root")
    assert source.resolve(str(tmp_path / "elsewhere" / "m" / "1"), None) is None


def test_a_bare_folder_is_a_version_of_itself(tmp_path):
    put(tmp_path / "net" / "w.safetensors", b"abc", at=86400)
    put(tmp_path / "net" / "config.json", b"{}", at=0)
    version = version_at(tmp_path / "net")
    assert str(version.id) == "path:net@19700102-000000"
    assert {file.name: file.role for file in files_at(tmp_path / "net")} == {
        "w.safetensors": Role.WEIGHTS,
        "config.json": Role.CONFIG,
    }


def test_a_bare_file_is_a_version_of_one_file(tmp_path):
    file = put(tmp_path / "w.safetensors", b"abc")
    put(tmp_path / "other.safetensors")
    assert version_at(file).id.model == "w.safetensors"
    (found,) = files_at(file)
    with found.open() as handle:
        assert handle.read() == b"abc"


def test_an_index_brings_its_shards(tmp_path):
    index = put(tmp_path / "model.safetensors.index.json")
    put(tmp_path / "model-00001-of-00001.safetensors")
    put(tmp_path / "other" / "w.safetensors")
    assert [file.name for file in files_at(index)] == [
        "model-00001-of-00001.safetensors",
        "model.safetensors.index.json",
    ]


@pytest.mark.parametrize(("name", "problem"), [("no", "does not exist"), ("", "holds no files")])
def test_a_path_without_files_says_what_to_name(tmp_path, name, problem):
    with pytest.raises(UsageError, match=f"{problem}; name a file or a folder of weights"):
        version_at(tmp_path / name)


def test_files_of_a_path_that_went_away_are_gone(tmp_path):
    with pytest.raises(GoneError, match="is gone"):
        files_at(tmp_path / "no")


@pytest.mark.parametrize(
    "ref",
    ["../other", "net/..", "../..", ".hidden/1", "net/.1", "net/1/..", "/" + "x" * 300 + "/1"],
)
def test_no_name_leads_out_of_the_root_or_to_what_is_hidden(tmp_path, ref):
    for path in ("models/net/1", "models/.hidden/1", "models/net/.1", "other/1"):
        put(tmp_path / path / "w.safetensors")
    source = Folder(tmp_path / "models", settle=0)
    assert source.resolve(str(tmp_path / "models" / "net" / "1"), None) is not None
    assert source.resolve(f"{tmp_path}/models/{ref}", None) is None
