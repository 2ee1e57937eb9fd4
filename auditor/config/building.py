"""From a `Config` to the sources and sinks it names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from auditor.config.models import Config, Plugin, shared
from auditor.config.rhythms import taken
from auditor.errors import ConfigError
from auditor.plugins import Room, build, plugin
from auditor.records import Rhythm

SEPARATOR = ":"  # of source and model, in policies and on the command line


@dataclass(frozen=True, slots=True)
class Parts:
    """The sources and sinks of a configuration, ready to use.

    They are `Source` and `Sink`, which live a floor below and are known here by kind only;
    their contract suites hold every kind to that.
    """

    sources: tuple[Any, ...]
    sinks: tuple[Any, ...]
    rhythms: Mapping[str, Rhythm]  # when each source is looked at, by its name


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
    plain, rhythms, early = _rhythms(config.sources)
    sources, wrong = _built("sources", plain, {"cache": config.data / "files"})
    targets, also = _built("sinks", sinks, {"folder": config.reports})
    # a default sink repeats its source's problem
    if problems := dict.fromkeys([*early, *wrong, *also]):
        raise ConfigError("\n".join(problems))
    named = dict(zip(sources, rhythms, strict=True))
    return Parts(tuple(sources.values()), tuple(targets.values()), named)


def _rhythms(sources: Sequence[Plugin]) -> tuple[list[Plugin], list[Rhythm], list[str]]:
    """The sources without what says when they are looked at; that; and what is wrong with it."""
    plain, rhythms, wrong = [], [], []
    for one in sources:
        try:
            kind: Any = plugin("sources", one.kind, one.place)
            rest, rhythm = taken(one.settings, kind.usual, one.place)
        except ConfigError as error:
            wrong.append(str(error))
            continue
        plain.append(replace(one, settings=rest))
        rhythms.append(rhythm)
    return plain, rhythms, wrong


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
    for one in wanted:
        try:
            part = build(room, one.kind, one.settings, defaults=defaults, place=one.place)
        except ConfigError as error:
            wrong.append(str(error))
            continue
        if part.name in built:
            twice = f"two {room} are named {part.name}; give each a name of its own with name:"
            wrong.append(one.place.problem(twice))
        if room == "sources" and SEPARATOR in part.name:
            named = f"found {part.name[:80]!r}: expected a name without {SEPARATOR}"
            reason = "what comes before the first one is the source of a model"
            wrong.append(one.place.inside("name").problem(f"{named}; {reason}"))
        built[part.name] = part
    return built, wrong
