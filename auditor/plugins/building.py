"""From a kind and its settings to a source or a sink."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from auditor.errors import ConfigError
from auditor.plugins.place import Place, problems, unknown
from auditor.plugins.settings import complete

Room = Literal["sources", "sinks"]


def kinds(room: Room) -> tuple[str, ...]:
    """Names of the files in that room, which are the kinds a configuration may use."""
    found = iter_modules(import_module(f"auditor.{room}").__path__)
    return tuple(sorted(module.name for module in found if not module.name.startswith("_")))


def plugin(room: Room, kind: str, place: Place | None = None) -> type:
    """Class behind a kind; its file, and what that needs, is imported now.

    Raises
    ------
    ConfigError
        If there is no such kind, or a package it needs is not installed.
    """
    here = place or Place()
    if kind not in kinds(room):
        nearest = unknown(kind, kinds(room), what="kind")
        raise ConfigError(here.problem(f"kind {kind}: {nearest}"))
    try:
        module = import_module(f"auditor.{room}.{kind}")
    except ModuleNotFoundError as error:
        missing = f"kind {kind} needs the package {error.name}, which is not installed"
        raise ConfigError(here.problem(missing)) from error
    found: type = getattr(module, kind.title().replace("_", ""))
    return found


def build(
    room: Room,
    kind: str,
    settings: Mapping[str, Any],
    *,
    defaults: Mapping[str, Any] | None = None,
    place: Place | None = None,
) -> Any:  # noqa: ANN401 - a Source or a Sink, as the room says; their contract suites hold it
    """Make the source or sink that a part of the configuration describes.

    Parameters
    ----------
    room, kind
        Which class: `kind` ``mlflow`` in `room` ``sources`` is ``Mlflow`` in
        ``auditor/sources/mlflow.py``.
    settings
        Values for the class's fields; ``token_file`` holds the path of a file whose text
        is the value of ``token``.
    defaults
        What the installation knows, for fields the class has and `settings` leaves out.
    place
        Where the settings stand, for messages and relative paths.

    Raises
    ------
    ConfigError
        With one line for each setting that does not fit.
    """
    here = place or Place()
    found = plugin(room, kind, here)
    values, wrong = complete(found, settings, defaults or {}, here)
    if wrong:
        raise ConfigError("\n".join(wrong))
    careful = here.hiding(key for key in values if key not in settings)
    try:
        return TypeAdapter(found).validate_python(values)
    except ValidationError as error:
        raise ConfigError("\n".join(problems(error, careful))) from error
    except ConfigError as error:  # the class refuses a combination of its settings
        raise ConfigError(here.problem(str(error))) from error
