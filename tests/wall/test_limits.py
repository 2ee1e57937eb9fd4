"""What a child may take and do, tried in a process of its own."""

import subprocess
import sys

import pytest

from auditor.wall import limits

LIMITED = """
import os, resource, socket, subprocess, sys
from pathlib import Path
from auditor.wall.limits import limit, refuse
{0}
"""
REFUSED = {
    "a socket": "socket.socket()",
    "a connection": "socket.create_connection(('127.0.0.1', 9))",
    "a file to write": "open('/tmp/auditor-was-here', 'w')",
    "a file to append to": "os.open('/tmp/auditor-was-here', os.O_WRONLY | os.O_APPEND)",
    "a program": "subprocess.run(['true'])",
    "a shell": "os.system('true')",
    "a copy of itself": "os.fork()",
    "another program": "os.execv('/bin/true', ['true'])",
    "a folder": "os.mkdir('/tmp/auditor-was-here')",
    "an end of a file": "os.remove('/tmp/auditor-was-here')",
    "a signal": "os.kill(os.getppid(), 0)",
}


def tried(code: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", LIMITED.format(code)]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.mark.parametrize("code", REFUSED.values(), ids=REFUSED.keys())
def test_no_library_reaches_out_by_python(code):
    done = tried(f"refuse()\n{code}")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("PermissionError: a process that reads")


def test_reading_and_importing_go_on():
    done = tried(
        "refuse()\nimport decimal, threading\n"
        "print(len(Path(decimal.__file__).read_bytes()) > 0, open(os.devnull, 'w').write('x'))\n"
        "thread = threading.Thread(target=print, args=['thread'])\nthread.start()\nthread.join()"
    )
    assert done.stdout.split() == ["True", "1", "thread"]


def test_memory_has_an_end_and_files_cannot_be_written_at_all(tmp_path):
    file = str(tmp_path / "file")
    done = tried(
        "limit(1 << 20)\n"
        "held = bytearray(64 << 20)\n"
        "try:\n    bytearray(2 << 40)\nexcept MemoryError:\n    print('memory')\n"
        f"try:\n    Path({file!r}).write_text('x')\n"
        "except OSError as error:\n    print(error.errno)\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    assert done.stdout.split() == ["memory", "27", "0"]  # EFBIG
    allowed = limits.BASE + (1 << 20)
    done = tried("limit(1 << 20)\nprint(resource.getrlimit(resource.RLIMIT_DATA)[0])")
    assert int(done.stdout) >= allowed


def test_a_gpus_driver_reserves_what_it_likes():
    done = tried("limit(None)\nprint(resource.getrlimit(resource.RLIMIT_DATA)[0])")
    assert done.stdout.split() == ["-1"]


def test_the_environment_is_what_libraries_need():
    own = {"PATH": "/bin", "HF_TOKEN": "x", "MLFLOW_TRACKING_URI": "x", "OMP_NUM_THREADS": "2"}
    found = limits.environment(own)
    assert found.items() >= {"PATH": "/bin", "OMP_NUM_THREADS": "2"}.items()
    assert set(found) == {"PATH", "OMP_NUM_THREADS"} | set(limits.SET)
