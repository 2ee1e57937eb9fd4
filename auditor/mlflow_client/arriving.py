"""Whether the files of a version that was registered before its upload are all there."""

import time
from collections.abc import Sequence

from auditor.mlflow_client import Client, existing
from auditor.mlflow_client.artifacts import Artifacts, Listed
from auditor.mlflow_client.places import place
from auditor.records import Role
from auditor.weights import role_of
from auditor.weights.shards import missing_shards

APART = 1.0  # seconds between two looks at files that grow while they are uploaded
RUNNING = "RUNNING"
RUNS = "runs:/"


def is_uploading(client: Client, location: str) -> bool:
    """Whether it lies in a run that has not ended: only such versions can grow.

    What mlflow's ``log_model`` makes is registered after its upload.
    """
    if not location.startswith(RUNS):
        return False
    run = existing(client.get_run, place(location).path[0])
    return run is not None and run.info.status == RUNNING


def unfinished(store: Artifacts, found: Sequence[Listed], *, uploading: bool) -> str | None:
    """Why what was listed cannot be all of a version; None where nothing says so."""
    names = [file.name for file in found]
    reason = None
    if missing := missing_shards(names):
        reason = f"{missing[0].name} is not there"
    elif any(role_of(name) is Role.INDEX for name in names) and not _weighs(names):
        reason = "its index is there, but none of the files that it names"
    elif uploading and not _weighs(names):
        reason = "there is no weight file in it, and its run has not ended"
    elif uploading and _grows(store, found):
        reason = "its files are changing"
    return reason


def _grows(store: Artifacts, found: Sequence[Listed]) -> bool:
    time.sleep(APART)
    return {file.name: file.size for file in found} != {
        file.name: file.size for file in store.files()
    }


def _weighs(names: Sequence[str]) -> bool:
    return any(role_of(name) is Role.WEIGHTS for name in names)
