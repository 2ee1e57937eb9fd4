"""A file is there wholly or not at all."""

import stat
import subprocess
import sys

import pytest

from auditor.whole_files import whole

KILLED = """
import os, signal, sys
from pathlib import Path
from auditor.whole_files import whole
with whole(Path(sys.argv[1])) as file:
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_it_is_put_in_place_when_the_block_ends(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    with whole(path) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert names(tmp_path) == ["a.json"]


def test_where_the_block_fails_what_was_there_stays_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    with pytest.raises(TypeError), whole(path) as file:
        file.writelines([b"half", "no bytes"])  # type: ignore[list-item]
    assert (path.read_bytes(), names(tmp_path)) == (b"before", ["a.json"])


def test_what_a_killed_process_left_goes_when_the_file_is_written_again(tmp_path):
    path, other = tmp_path / "a[1].json", tmp_path / "b.json"
    for one in (path, other):
        subprocess.run([sys.executable, "-c", KILLED, str(one)], check=False)  # noqa: S603
    assert len(names(tmp_path)) == 2
    with whole(path) as file:
        file.write(b"all")
    assert [name for name in names(tmp_path) if not name.startswith(".b.json.")] == ["a[1].json"]
    assert len(names(tmp_path)) == 2, "what was left of another file is not this one's"


def test_what_somebody_else_is_writing_is_left_to_them(tmp_path):
    path = tmp_path / "a.json"
    with whole(path) as slow:
        slow.write(b"slow")
        with whole(path) as quick:
            quick.write(b"quick")
        assert path.read_bytes() == b"quick"
    assert path.read_bytes() == b"slow"
    assert names(tmp_path) == ["a.json"]


def test_it_may_be_for_its_owners_eyes_only(tmp_path):
    with whole(tmp_path / "a", mode=0o600) as file:
        file.write(b"secret")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
