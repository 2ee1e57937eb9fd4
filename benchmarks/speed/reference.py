"""The reference tool at work on the same weights, in its own interpreter."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.reference.client import PYTHON

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("child.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}


class Reference:
    """One process of the tool, started when it is first asked."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child:
            self._child.communicate()

    def seconds(self, path: Path, options: Mapping[str, Any]) -> float:
        """How long its analysis of an npz file takes, or its fit to the values in an npy file."""
        if self._child is None:
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and script
                [PYTHON, CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=ENVIRONMENT,
            )
        assert self._child.stdin  # noqa: S101 - for the type checker
        assert self._child.stdout  # noqa: S101 - as above
        request = {"path": str(path.absolute()), "options": dict(options)}
        self._child.stdin.write(json.dumps(request) + "\n")
        self._child.stdin.flush()
        return float(self._child.stdout.readline())


def from_nothing(path: Path) -> None:
    """Start the tool, analyse an npz file, end."""
    subprocess.run(  # noqa: S603 - our own interpreter and script
        [PYTHON, CHILD, path], check=True, env=ENVIRONMENT, capture_output=True
    )
