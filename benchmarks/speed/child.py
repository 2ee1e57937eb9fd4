"""Time the reference tool: a request a line on standard input, seconds a line on output.

Runs in the environment of the tool. A request is an object of JSON with the ``path`` of an npz
file of weights and the ``options`` of the tool's analysis; or with the ``path`` of an npy file
of eigenvalues, for one power-law fit. With a path as argument it analyses that and ends.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import weightwatcher

from tests.reference.child import model

PIPE = os.fdopen(os.dup(1), "w")


def work(path: str, options: dict[str, Any]) -> Callable[[], object]:
    """What is timed; making the model is not."""
    if path.endswith(".npy"):
        values = np.load(path)
        return lambda: weightwatcher.WeightWatcher().fit_powerlaw(values, plot=False)
    made = model(np.load(path))
    return lambda: weightwatcher.WeightWatcher(model=made).analyze(**options)


def main() -> None:
    """Answer until the requests end."""
    os.dup2(2, 1)  # what the tool prints is no answer
    if len(sys.argv) > 1:
        work(str(Path(sys.argv[1]).absolute()), {})()
        return
    for line in sys.stdin:
        go = work(**json.loads(line))
        start = time.perf_counter()
        go()
        PIPE.write(f"{time.perf_counter() - start}\n")
        PIPE.flush()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as pictures, tempfile.TemporaryDirectory() as settings:
        os.environ["MPLCONFIGDIR"] = settings
        os.chdir(pictures)
        main()
