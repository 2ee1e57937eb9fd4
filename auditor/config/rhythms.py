"""When a source is looked at: ``every``, or ``cron`` with ``timezone``, and ``jitter``."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from auditor.config.crontab import trigger
from auditor.config.units import duration
from auditor.errors import ConfigError
from auditor.plugins.place import Place
from auditor.records import Rhythm

LEAST = 5.0  # seconds; a registry that is asked more often than that has webhooks
SCHEMA: Mapping[str, Any] = {
    "every": {"type": "string", "description": "How often it is looked at, such as 60s or 1h."},
    "cron": {"type": "string", "description": "When it is looked at, as in a crontab."},
    "timezone": {"type": "string", "description": "Of `cron`, such as Europe/Berlin."},
    "jitter": {"type": "string", "description": "A look begins up to so much later, at random."},
}


def taken(
    settings: Mapping[str, Any], usual: Rhythm, place: Place
) -> tuple[dict[str, Any], Rhythm]:
    """The settings of a source without those of its rhythm, and the rhythm.

    Raises
    ------
    ConfigError
        With one line for each that does not fit.
    """
    rest = {key: value for key, value in settings.items() if key not in SCHEMA}
    given = {key: value for key, value in settings.items() if key in SCHEMA}
    wrong: list[str] = []

    def read(key: str, parse: Any) -> Any:  # noqa: ANN401 - what `parse` gives
        if key not in given:
            return None
        try:
            return parse(given[key])
        except ValueError as error:
            wrong.append(place.inside(key).problem(str(error)))
            return None

    every, cron = read("every", _every), read("cron", _cron)
    timezone, jitter = read("timezone", _timezone), read("jitter", duration)
    wrong += _clashes(given, place)
    if wrong:
        raise ConfigError("\n".join(wrong))
    if every is None and cron is None:
        every, cron = usual.every, usual.cron
    return rest, Rhythm(every, cron, timezone, usual.jitter if jitter is None else jitter)


def _clashes(given: Mapping[str, Any], place: Place) -> list[str]:
    if {"every", "cron"} <= given.keys():
        return [place.inside("cron").problem("every is set too; keep one of the two")]
    if "timezone" in given and "cron" not in given:
        return [place.inside("timezone").problem("there is no cron that it could be meant for")]
    return []


def _every(value: object) -> float:
    found = duration(value)
    if found < LEAST:
        raise ValueError(f"found {value!r}: expected {LEAST:.0f}s or more")
    return found


def _cron(value: object) -> str:
    try:
        trigger(str(value), "UTC")
    except ValueError as error:
        raise ValueError(
            f"found {value!r}: expected five fields as in a crontab, such as '0 2 * * *' ({error})"
        ) from error
    return str(value)


def _timezone(value: object) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"found {value!r}: expected a time zone such as Europe/Berlin") from error
