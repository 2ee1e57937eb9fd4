"""Where the files of a registered version lie, and whether they may be fetched.

Anybody who may register a version chooses its `source`, and the auditor would fetch it with
its own credentials. So only places that the server itself gives out are fetched from, and
what the configuration allows.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from auditor.errors import RefusedError
from auditor.mlflow_client import Client, existing, redact

DEEPEST = 8  # copies of copies that are followed


class Place(NamedTuple):
    """An address in parts; `path` is decoded and holds no empty steps."""

    scheme: str
    host: str
    path: tuple[str, ...]


def place(uri: str) -> Place:
    """Take an address or a local path apart.

    >>> place("s3://bucket/a//b")
    Place(scheme='s3', host='bucket', path=('a', 'b'))
    """
    split = urlsplit(uri)
    scheme = split.scheme or "file"
    path = split.path if split.scheme else str(Path(uri).absolute())
    return Place(scheme, split.netloc, tuple(step for step in unquote(path).split("/") if step))


def below(uri: str, root: str) -> bool:
    """Whether `uri` is `root` or lies below it; ``s3://`` alone stands for a whole scheme.

    >>> below("s3://bucket/models/1", "s3://bucket/models")
    True
    >>> below("s3://bucket/models-of-others/1", "s3://bucket/models")
    False
    """
    inner, outer = place(uri), place(root)
    if root.endswith("://"):
        return inner.scheme == outer.scheme
    return inner[:2] == outer[:2] and inner.path[: len(outer.path)] == outer.path


def locate(client: Client, version: Any, *, uri: str, allow: Sequence[str] = ()) -> str:  # noqa: ANN401 - mlflow's
    """The address a version's files can be listed and fetched at.

    Parameters
    ----------
    version
        mlflow's own record of a model version.
    uri
        The server's address: its own artifact proxy may be fetched from.
    allow
        Beginnings of addresses that may be fetched from as well.

    Raises
    ------
    RefusedError
        If it lies elsewhere; the text names the line to add to the configuration.
    """
    for _ in range(DEEPEST):
        original = _original(client, version)
        if original is None:
            break
        version = original
    location, given_out = _location(client, version)
    if _may(location, allow) or (
        _own(client, location, uri) and (given_out or _in_experiment(client, version, location))
    ):
        return location
    raise _refused(f"version {version.version} of {version.name}", location)


def locate_logged(client: Client, model: Any, *, uri: str, allow: Sequence[str] = ()) -> str:  # noqa: ANN401
    """The same of a LoggedModel, whose place the server chose."""
    location = str(model.artifact_location)
    if _may(location, allow) or _own(client, location, uri):
        return location
    raise _refused(f"the logged model {model.model_id}", location)


def _may(location: str, allow: Sequence[str]) -> bool:
    """Whether the configuration allows it; it never allows to step out of a folder."""
    if ".." in place(location).path:
        raise RefusedError(f"{redact(location)} steps out of its own folder; it is not fetched")
    return any(below(location, root) for root in allow)


def _refused(what: str, location: str) -> RefusedError:
    return RefusedError(
        f"{what} lies at {redact(location)}, which is not fetched; to fetch it add to its source "
        f'in config.yaml: allow: ["{redact(location)}"]'
    )


def _original(client: Client, version: Any) -> Any | None:  # noqa: ANN401
    """What a ``models:/name/3`` source was copied from, while that is still there."""
    name, _, number = version.source.removeprefix("models:/").rpartition("/")
    if not version.source.startswith("models:/") or not (name and number.isdecimal()):
        return None
    return existing(client.get_model_version, name, number)


def _location(client: Client, version: Any) -> tuple[str, bool]:  # noqa: ANN401
    """The real address, and whether it is the server that chose it."""
    source: str = version.source
    if source.startswith("runs:/"):
        return source, True
    logged = source.startswith("models:/m-")
    found: str = client.get_model_version_download_uri(version.name, version.version)
    if logged and found.startswith("models:/"):
        model = client.get_logged_model(source.removeprefix("models:/"))
        found = str(model.artifact_location)
    return found, logged


def _own(client: Client, location: str, uri: str) -> bool:
    """No foreign host would be sent the credentials that are meant for this server."""
    if location.startswith("runs:/"):
        run = client.get_run(place(location).path[0])
        return _own(client, run.info.artifact_uri, uri)
    found = place(location)
    if found.scheme in {"http", "https", "mlflow-artifacts"}:
        return found.host in {"", place(uri).host}
    return True


def _in_experiment(client: Client, version: Any, location: str) -> bool:  # noqa: ANN401
    """Whether it lies in the server's proxy or below the artifact root of its experiment."""
    if place(location).scheme == "mlflow-artifacts":
        return True
    if not version.run_id:
        return False
    run = client.get_run(version.run_id)
    experiment = client.get_experiment(run.info.experiment_id)
    return below(location, experiment.artifact_location)
