"""Run the reference tool: a request a line on standard input, an answer a line on output.

Started in the environment of the tool, ``.reference``, by `tests.reference.client`. A request
is an object of JSON: ``analyze`` or ``distances`` as ``call``, the ``models`` as names of npz
files, ``options``, and the ``seed`` of numpy's global generator. An answer has the ``rows`` of
the tool's table, or ``error``, a traceback.
"""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping
from typing import Any, TextIO

import numpy as np
import torch

MODULES = {  # by the number of dimensions of a weight
    2: lambda: torch.nn.Linear(1, 1, bias=False),
    3: lambda: torch.nn.Conv1d(1, 1, 1, bias=False),
    4: lambda: torch.nn.Conv2d(1, 1, 1, bias=False),
}


def model(tensors: Mapping[str, np.ndarray]) -> torch.nn.Module:
    """A model with these tensors as weights; an embedding has that in its name."""
    root = torch.nn.Module()
    for name, array in tensors.items():
        *path, last = name.removesuffix(".weight").split(".")
        parent = root
        for part in path:
            if not hasattr(parent, part):
                parent.add_module(part, torch.nn.Module())
            parent = getattr(parent, part)
        layer = torch.nn.Embedding(1, 1) if "embed" in last else MODULES[array.ndim]()
        layer.weight = torch.nn.Parameter(torch.from_numpy(array), requires_grad=False)
        parent.add_module(last, layer)
    return root


def answer(tool: Any, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table that the tool makes of one request."""
    models = [model(np.load(path)) for path in request["models"]]
    np.random.seed(request["seed"])  # noqa: NPY002 - the generator that the tool draws from
    if request["call"] == "distances":
        *_, table = tool.WeightWatcher().distances(*models, **request["options"])
    else:
        table = tool.WeightWatcher(model=models[0]).analyze(**request["options"])
    rows: list[dict[str, Any]] = table.to_dict("records")
    return rows


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer until the requests end."""
    import weightwatcher  # noqa: PLC0415 - takes seconds; the default environment lacks it

    for line in requests:
        said: dict[str, Any]
        try:
            said = {"rows": answer(weightwatcher, json.loads(line))}
        except Exception:  # noqa: BLE001 - whatever the tool raises is its answer
            said = {"error": traceback.format_exc()}
        answers.write(json.dumps(said, default=float) + "\n")
        answers.flush()


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w") as pipe, tempfile.TemporaryDirectory() as pictures:
        os.dup2(2, 1)  # what the tool prints is no answer
        os.chdir(pictures)
        serve(sys.stdin, pipe)
