"""From a `Config` to the sources and sinks it names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from auditor.config.models import Config, Plugin, shared
from auditor.errors import ConfigError
from auditor.plugins import Room, build


@dataclass(frozen=True, slots=True)
class Parts:
    """The sources and sinks of a configuration, ready to use.

    They are `Source` and `Sink`, which live a floor below and are known here by kind only;
    their contract suites hold every kind to that.
    """

    sources: tuple[Any, ...]
    sinks: tuple[Any, ...]


def parts(config: Config) -> Parts:
    """Build every source and sink of a configuration.

    What the configuration says elsewhere is not asked again: sources keep fetched files
    below ``data``, file sinks write to ``reports``, and an ``mlflow`` sink without ``uri``
    writes to the first MLflow registry that is watched.

    Raises
    ------
    ConfigError
        With one line for each setting that does not fit, of all of them together, and
        for each name that two sources or two sinks share.
    """
    sinks = [_addressed(sink, config.sources) for sink in config.sinks]
    sources, wrong = _built("sources", config.sources, {"cache": config.data / "files"})
    targets, also = _built("sinks", sinks, {"folder": config.reports})
    if problems := dict.fromkeys([*wrong, *also]):  # a default sink repeats its source's problem
        raise ConfigError("\n".join(problems))
    return Parts(tuple(sources.values()), tuple(targets.values()))


def _addressed(sink: Plugin, sources: Sequence[Plugin]) -> Plugin:
    """An ``mlflow`` sink with no address gets that of the first registry watched."""
    watched = next((source for source in sources if source.kind == "mlflow"), None)
    if sink.kind != "mlflow" or watched is None or {"uri", "uri_file"} & sink.settings.keys():
        return sink
    taken = shared(watched)
    return replace(sink, settings={**taken, **sink.settings}, place=sink.place.hiding(taken))


def _built(
    room: Room, wanted: Sequence[Plugin], defaults: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Those that could be built, by name, and what is wrong with the others."""
    built: dict[str, Any] = {}
    wrong: list[str] = []
    for plugin in wanted:
        try:
            part = build(room, plugin.kind, plugin.settings, defaults=defaults, place=plugin.place)
        except ConfigError as error:
            wrong.append(str(error))
            continue
        if part.name in built:
            twice = f"two {room} are named {part.name}; give each a name of its own with name:"
            wrong.append(plugin.place.problem(twice))
        built[part.name] = part
    return built, wrong
