"""What a person types to name a version, and where to find it.

REF is a path, ``models:/name/3``, ``models:/name@alias``, ``models:/name/latest``,
``runs:/<run id>/<path>`` or ``hf://org/name@revision/folder``. Registry references are
looked up in the first MLflow source of the configuration, else at ``MLFLOW_TRACKING_URI``;
those of the Hub at ``HF_ENDPOINT``, else at the public one.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from auditor.config import Config, parts
from auditor.config.models import Plugin
from auditor.errors import GoneError, UsageError
from auditor.examining import Files
from auditor.hub_client import Hub
from auditor.plugins import build
from auditor.plugins.place import unknown
from auditor.records import ModelVersion, SourceFile
from auditor.sources import Finder, Source
from auditor.sources.folder import files_at, version_at

SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):/")
PATHS = (".", "/", "~")  # how one begins that may not be there
REGISTRY = ("models", "runs")
EXPECTED = (
    "expected a path, models:/name/version, models:/name@alias, runs:/run/path or hf://org/name"
)


@dataclass(frozen=True, slots=True)
class Named:
    """A version somebody named, and how to get at its files."""

    version: ModelVersion
    source: Finder | None  # None for a path

    @property
    def files(self) -> Files:
        """Lists its files when called."""
        return lambda: files_of(self.version, self.source)


def files_of(version: ModelVersion, source: Finder | None) -> Sequence[SourceFile]:
    """The files of a version, from its source or from this machine."""
    return source.files(version) if source else files_at(Path(version.location))


def find(ref: str, config: Config | None) -> Named:
    """The version that a reference names.

    Raises
    ------
    UsageError
        If the reference is of no known form, or nothing is there.
    SourceError
        If the registry or the Hub cannot be reached.
    """
    if not ref:
        raise UsageError(f"REF is empty; {EXPECTED}")
    scheme = SCHEME.match(ref)
    if scheme is None:
        return _watched(ref, config) or Named(version_at(Path(ref)), None)
    if scheme[1] == "hf":
        return _on_the_hub(ref, config)
    if scheme[1] not in REGISTRY:
        raise UsageError(f"{ref}: there is no reader for {scheme[1]}:/ references; {EXPECTED}")
    source = registry(config)
    version = source.resolve(ref, None)
    if version is None:
        raise UsageError(
            f"{ref} is not in the registry {source.name}; "
            "check the model's name and version, or the run, in its user interface"
        )
    return Named(version, source)


def series(name: str, config: Config) -> str:
    """The model that somebody names, as policies know it: ``source:name``.

    Parameters
    ----------
    name
        ``source:name``; the name alone, where one source is configured; or a REF.
    config
        Whose sources are meant.

    Raises
    ------
    UsageError
        If no source has that name, the name alone may be of several, or the REF names
        nothing.
    SourceError
        If the registry or the Hub of a REF cannot be reached.
    """
    if SCHEME.match(name) or _is_path(name):
        return find(name, config).version.id.series
    known = [source.name for source in parts(config).sources]
    source, colon, _ = name.partition(":")
    if colon and source in known:
        return name
    if colon:
        raise UsageError(f"{name}: {unknown(source, known, what='source')}")
    if len(known) > 1:
        several = " or ".join(f"{one}:{name}" for one in known)
        raise UsageError(f"{name} may be a model of several sources; say {several}")
    return f"{known[0]}:{name}"


def _is_path(name: str) -> bool:
    """Whether a text is meant as a path; a plain word is a model, whatever lies in the folder."""
    return name.startswith(PATHS) or ("/" in name and os.path.exists(name))  # noqa: PTH110 - of any text


def _on_the_hub(ref: str, config: Config | None) -> Named:
    hub = Hub(cache=config.data / "files") if config else Hub()
    try:
        return Named(hub.find(ref), hub)
    except GoneError as error:  # nothing was here before: the name is wrong
        raise UsageError(str(error)) from error


def _watched(path: str, config: Config | None) -> Named | None:
    """The version of a folder source that a path is, if the configuration watches it."""
    for plugin in config.sources if config else ():
        if plugin.kind == "folder" and plugin.place.file:
            source: Source = build("sources", "folder", plugin.settings, place=plugin.place)
            if version := source.resolve(path, None):
                return Named(version, source)
    return None


def registry(config: Config | None) -> Source:
    """The first MLflow source of the configuration, else the one the environment names."""
    plugins = config.sources if config else ()
    found = next((plugin for plugin in plugins if plugin.kind == "mlflow"), None)
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if found is None and not uri:
        raise UsageError(
            "no MLflow registry is known: set MLFLOW_TRACKING_URI, or name one under sources: "
            "in config.yaml"
        )
    plugin = found or Plugin("mlflow", {"uri": uri})
    defaults = {"cache": config.data / "files"} if config else {}
    source: Source = build(
        "sources", plugin.kind, plugin.settings, defaults=defaults, place=plugin.place
    )
    return source
