"""One MLflow server or database, spoken to in one way by the source and the sink.

mlflow is imported when a client is first asked for; its retries, telemetry, progress bars
and log lines are turned down for this process unless the environment says otherwise.
"""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import RequestException, Timeout

from auditor.errors import AuditorError, SourceError, UnreachableError

T = TypeVar("T")
Client = Any  # mlflow.MlflowClient, which carries no types

QUIET = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the default of 7 blocks four minutes a call
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
ABSENT = {  # an unknown alias, and a run id of another form, are invalid parameters to mlflow
    "RESOURCE_DOES_NOT_EXIST",
    "NOT_FOUND",
    "INVALID_PARAMETER_VALUE",
}
CATALOG = "databricks-uc"
REFUSALS = {  # an error code -> what the server means, and what helps
    "UNAUTHENTICATED": "does not know its user; set MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    "PERMISSION_DENIED": "refused its user; to watch it needs READ on registered models and "
    "experiments, to write back EDIT on models, their versions and logged models",
}
STRANGER = "Host header"  # in words of a server that refuses a name of its own, not a user
LONGEST = 300  # characters of a server's own words in one of our sentences


def connect(uri: str, *, to: type[AuditorError] = SourceError) -> Client:
    """A client of the tracking server or database at `uri`, registry and runs alike.

    Global state of mlflow (``set_tracking_uri``) is neither read nor changed.

    Raises
    ------
    AuditorError
        Of type `to`, if `uri` cannot be used or names an SQLite file that does not exist:
        MLflow would create an empty registry there, and nobody would notice the typing error.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"  # a second wall
    requests = logging.getLogger("urllib3.connectionpool")
    if requests.level == logging.NOTSET:
        requests.setLevel(logging.ERROR)  # it warns of every retry; the last failure is raised
    if "://" not in uri and not uri.startswith("databricks"):
        raise to(f"uri {uri!r} is no address of MLflow; expected http://… or sqlite:///…")
    file = database(uri)
    if file is not None and not file.exists():
        raise to(f"there is no MLflow database at {file}; check `uri`, or register a model first")
    with translated(uri, "connecting", to=to):
        return _client(uri, file.stat().st_ino if file is not None else None)


@lru_cache(maxsize=8)
def _client(uri: str, inode: int | None) -> Client:
    """One client for each address; a file that was made again is another database."""
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 - after QUIET is set

    client: Client = MlflowClient(tracking_uri=tracking(uri), registry_uri=uri)
    if inode is not None:  # mlflow keeps its connections for good, those to deleted files too
        for store in (client._tracking_client.store, client._get_registry_client().store):
            store.engine.dispose()
    return client


@contextmanager
def inside(workspace: str) -> Iterator[None]:
    """What this thread asks of a server within the block is about that workspace.

    With an empty name it is about the one that MLFLOW_WORKSPACE or the server chooses. Other
    threads, and the environment that mlflow's own `set_workspace` changes, stay as they are.
    """
    if not workspace:
        yield
        return
    from mlflow.utils.workspace_context import (  # noqa: PLC0415 - as slow as mlflow
        set_server_request_workspace,
    )

    token = set_server_request_workspace(workspace)
    try:
        yield
    finally:
        token.var.reset(token)


def is_catalog(uri: str) -> bool:
    """Whether it is Databricks' Unity Catalog: ``databricks-uc`` or ``databricks-uc://profile``."""
    return uri.partition(":")[0] == CATALOG


def tracking(uri: str) -> str:
    """Where the runs and artifacts of a registry are: those of a catalog have an address too."""
    return uri.replace(CATALOG, "databricks", 1) if is_catalog(uri) else uri


def database(uri: str) -> Path | None:
    """The file of an ``sqlite:///`` address, None for any other address."""
    scheme, _, rest = uri.partition(":///")
    path = rest.partition("?")[0]
    if scheme.split("+")[0] != "sqlite" or path in {"", ":memory:"}:
        return None
    return Path(path)


@contextmanager
def translated(uri: str, doing: str, *, to: type[AuditorError] = SourceError) -> Iterator[None]:
    """Turn what mlflow raises into one sentence of ours, without any password in it."""
    try:
        yield
    except _foreign() as error:
        kind = UnreachableError if to is SourceError and _unanswered(error) else to
        raise kind(_sentence(uri, doing, error)) from error


def existing(ask: Callable[..., T], *what: str) -> T | None:
    """What the client's method `ask` answers, None where there is no such thing."""
    try:
        return ask(*what)
    except _foreign() as error:
        if getattr(error, "error_code", None) in ABSENT:
            return None
        raise


def redact(text: str) -> str:
    """The text with the user and password of every address in it removed.

    >>> redact("at https://me:secret@mlflow.example/x")
    'at https://mlflow.example/x'
    """
    return re.sub(r"(?<=://)[^/\s@]*@", "", text)


def _sentence(uri: str, doing: str, error: Exception) -> str:
    place = f"MLflow at {redact(uri)}"
    if _unanswered(error):
        return f"{place} did not answer while {doing}; start it, or check `uri` in config.yaml"
    words = " ".join(redact(str(error)).split())
    refusal = REFUSALS.get(str(getattr(error, "error_code", "")))
    if refusal is not None and STRANGER not in words:
        return f"{place} {refusal} (while {doing})"
    return f"{place} failed while {doing}: {words[:LONGEST]}"


def _foreign() -> tuple[type[Exception], ...]:
    """What mlflow's client raises; a store's package (boto3, ...) may not be installed."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes 1.5 s
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    return MlflowException, SQLAlchemyError, RequestException, OSError, ImportError


def _unanswered(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, NoConnection | Timeout):
            return True
        error = error.__cause__ or error.__context__
    return False
