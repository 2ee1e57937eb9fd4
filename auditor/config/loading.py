"""From a file to a `Config`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from auditor.config.models import Config, Plugin
from auditor.config.rhythms import SCHEMA as RHYTHM
from auditor.config.text import read
from auditor.errors import ConfigError
from auditor.plugins import Place, Room, describe
from auditor.plugins.place import problems, unknown

ROOMS: tuple[Room, ...] = ("sources", "sinks")
SECRET = ("notify",)  # an address of people is a secret, wherever in it something is wrong


def load(path: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Read and check a configuration file.

    Relative paths in it, and ``sqlite:///`` URLs, start from the folder the file is in,
    so that it means the same wherever a command is run.

    Parameters
    ----------
    path
        The file.
    environ
        What ``${NAME}`` refers to; the process's own environment where it is None.

    Raises
    ------
    ConfigError
        If it does not fit, with one line for each problem: the file, the line, the key,
        and what fits there. The settings of sources and sinks are checked by `parts`.
    """
    if not path.exists():
        remedy = "name the configuration with --config FILE, or write one (docs/configuration.md)"
        raise ConfigError(f"{path}: there is no such file; {remedy}")
    values, place = read(path, os.environ if environ is None else environ)
    place = place.hiding(SECRET)
    if not isinstance(values, dict):
        raise ConfigError(place.problem("expected keys such as sources:, found a list or a text"))
    try:
        config = Config.model_validate(values, context={"folder": place.folder})
    except ValidationError as error:
        wrong = [*_unknown(Config, values, place), *problems(error, place)]
        raise ConfigError("\n".join(wrong)) from error
    given = [room for room in ROOMS if room in values]
    return config.model_copy(
        update={room: _placed(getattr(config, room), place.inside(room)) for room in given}
    )


def schema() -> dict[str, Any]:
    """JSON Schema of a configuration file, with every kind of source and sink there is."""
    whole = Config.model_json_schema()
    whole["properties"]["sources"]["items"] = describe("sources", more=RHYTHM)
    whole["properties"]["sinks"]["items"] = describe("sinks", given=("uri",))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


def _unknown(section: type[BaseModel], values: Mapping[str, Any], place: Place) -> Iterator[str]:
    """Every key that is no setting, in this section and those below it."""
    known = section.model_fields
    for key, value in values.items():
        if key not in known:
            yield place.inside(key).problem(unknown(key, known))
            continue
        inner = known[key].annotation
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _unknown(inner, value, place.inside(key))


def _placed(plugins: Sequence[Plugin], place: Place) -> tuple[Plugin, ...]:
    return tuple(replace(one, place=place.inside(i)) for i, one in enumerate(plugins))
