"""The command, run over and over in fresh processes with little memory and little time.

`Commands` starts one interpreter that has imported everything and forks it for every
command, so that a hundred commands cost a few seconds.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEMORY = 500 << 20  # bytes of data above an idle process
SECONDS = 10
NEVER = 70  # an exit code that no command ends with
KEPT = ("PATH", "LD_LIBRARY_PATH")  # of the environment
LIBRARIES = "scipy.linalg scipy.sparse h5py onnx gguf tflite auditor.cli.auditing auditor.measuring"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int  # negative: the signal
    out: str
    err: str
    seconds: float  # of the processor, its children included
    grown: int  # bytes resident at its peak above the idle process, its children included

    @property
    def document(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


class Commands:
    """An interpreter that is forked for every command."""

    def __init__(self, home: Path) -> None:
        kept = {
            name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ
        }
        one = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", __name__],
            cwd=Path(__file__).parents[2],
            env={**kept, **one, "HOME": str(home), "PYTHONUTF8": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder: Path, *words: str) -> Done:
        """Run ``auditor`` with these words in a folder."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([str(folder), *words]) + "\n")
        self._process.stdin.flush()
        return Done(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the interpreter."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(SECONDS)


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        folder, *words = json.loads(line)
        answers.write(json.dumps(_forked(Path(folder), words)) + "\n")
        answers.flush()


def _forked(folder: Path, words: Sequence[str]) -> dict[str, Any]:
    """Run one command in a copy of this process and wait for it."""
    out, err = (folder.with_name(f"{folder.name}.{stream}") for stream in ("out", "err"))
    child = os.fork()
    if child == 0:
        _become(folder, words, out, err)
    _, status, used = os.wait4(child, 0)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "out": out.read_text(encoding="utf-8"),
        "err": err.read_text(encoding="utf-8"),
        "seconds": used.ru_utime + used.ru_stime,
        "grown": max(0, (used.ru_maxrss - _resident()) << 10),
    }


def _become(folder: Path, words: Sequence[str], out: Path, err: Path) -> None:
    """The forked side: limits, streams, the command, its exit code. Never returns."""
    from auditor.cli import main  # noqa: PLC0415 - the parent process of the tests needs none

    code = NEVER
    try:
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.chdir(folder)
        limit = _data() + MEMORY
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.argv = ["auditor", *words]
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        if code == NEVER:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _status(field: str) -> int:
    """A field of this process's status, in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{field}:")))


def _resident() -> int:
    return _status("VmRSS")


def _data() -> int:
    return _status("VmData") << 10


if __name__ == "__main__":
    for library in LIBRARIES.split():
        importlib.import_module(library)
    _serve()
