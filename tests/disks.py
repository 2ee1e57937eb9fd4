"""A file system so small that it fills up: a real one, which takes the right to mount it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SIZE = 1 << 20  # bytes


@contextmanager
def small(place: Path) -> Iterator[Path]:
    """One of a megabyte in a new folder; the test is skipped where none can be mounted."""
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603
        pytest.skip("needs the right to mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S603, S607


def fill(place: Path) -> Path:
    """A file that takes what is left there."""
    path = place / "filler"
    with path.open("wb", buffering=0) as handle:
        try:
            while handle.write(bytes(4096)):
                pass
        except OSError:
            return path
    raise AssertionError("it has no end")
