"""Ask the reference tool, which runs in an interpreter of its own."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

PYTHON = Path(__file__).parents[2] / ".reference" / "bin" / "python"
CHILD = Path(__file__).with_name("child.py")

Tensors = Mapping[str, NDArray[Any]]
Row = Mapping[str, Any]  # column -> value of one layer


class ToolError(RuntimeError):
    """The tool raised; the message is its traceback."""


class Reference:
    """The reference tool in a child process, which lives as long as the ``with`` block."""

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory()
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [PYTHON, CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
                "MPLBACKEND": "Agg",
                "MPLCONFIGDIR": self._folder.name,
            },
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.communicate()
        self._folder.cleanup()

    def analyze(self, tensors: Tensors, *, seed: int = 0, **options: Any) -> list[Row]:
        """The tool's ``details``: a row a layer or slice, in its order.

        Raises
        ------
        ToolError
            If the tool raises.
        """
        return self._ask("analyze", (tensors,), seed, options)

    def distances(self, before: Tensors, after: Tensors, **options: Any) -> list[Row]:
        """Rows of the tool's ``distances``; it raises as `analyze` does."""
        return self._ask("distances", (before, after), 0, options)

    def _ask(
        self, call: str, models: tuple[Tensors, ...], seed: int, options: dict[str, Any]
    ) -> list[Row]:
        paths = [f"{self._folder.name}/{number}.npz" for number in range(len(models))]
        for path, tensors in zip(paths, models, strict=True):
            np.savez(path, **tensors)  # type: ignore[arg-type]  # the stub takes a tensor for a flag
        request = {"call": call, "models": paths, "seed": seed, "options": options}
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(json.dumps(request) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        answer = json.loads(line or '{"error": "the child ended without an answer"}')
        if "error" in answer:
            raise ToolError(answer["error"])
        rows: list[Row] = answer["rows"]
        return rows
