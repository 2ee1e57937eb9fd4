"""A model's modules from its ``config.json``, made in a process that can do no harm."""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import lru_cache

from auditor.errors import WeightsError
from auditor.records import Module

log = logging.getLogger(__name__)

SECONDS = 90.0
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")  # and no token
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}


@lru_cache(maxsize=16)
def build(config: str) -> Mapping[str, Module]:
    """The module of every tensor, by the tensor's name; empty, with a note, if it fails.

    Takes about 5 seconds, most of them for importing transformers, once in a process for
    all versions with the same configuration.

    Parameters
    ----------
    config
        The text of a ``config.json`` with a ``model_type``.
    """
    try:
        return _parsed(_answer(config.encode()))
    except WeightsError as error:
        log.info("architecture not known: %s", error, extra={"event": "architecture.unknown"})
        return {}


def _answer(config: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="auditor-") as home:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-m", "auditor.architecture.meta"],
                input=config,
                capture_output=True,
                timeout=SECONDS,
                cwd=home,
                env={**environment, **OFFLINE, "HOME": home, "HF_HOME": home},
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise WeightsError(f"no model could be made: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise WeightsError(f"no model could be made: {said[-1][:300] if said else 'it ended'}")
    return done.stdout


def _parsed(answer: bytes) -> dict[str, Module]:
    try:
        rows = json.loads(answer)
    except ValueError as error:
        raise WeightsError(f"no model could be made: {error}") from error
    return {name: Module(**{**row, "shape": tuple(row["shape"])}) for name, row in rows.items()}
