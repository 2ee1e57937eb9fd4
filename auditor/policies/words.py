"""What the entries of a policy file are made of: names, levels, patterns, numbers."""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from auditor import changes, checks, metrics
from auditor.plugins.place import unknown
from auditor.policy import Bound, Of
from auditor.records import Level
from auditor.schema import CHANGES
from auditor.spectral.kinds import KINDS, ROLES

PARTS = 5  # of the name of a limit on a metric: metric, of, bound, kind, layer
BEYOND = "a limit on a metric such as alpha:median:max_increase"
OF_LAYERS = tuple(metric.name for metric in metrics.ALL)
OF_CHANGES = (*changes.WEIGHTS, *changes.SPECTRA, *changes.MORE, *CHANGES)  # need a baseline
METRICS = tuple(dict.fromkeys((*OF_LAYERS, *OF_CHANGES)))
ALIASES = {"delta_relative": "relative"}  # as people speak of it
MOST = 1_000_000_000  # findings that may be let pass; more than any model has layers


class Entry(BaseModel):
    """One item of a list in a policy file."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def level(value: object) -> Level:
    """A level as it is written.

    Raises
    ------
    ValueError
        If there is no such level.
    """
    return Level(one_of(Level, "level")("off" if value is False else value))  # YAML 1.1's off


def one_of(known: Iterable[str], what: str) -> Callable[[object], str]:
    """A validator that names the nearest of what there is."""
    there = tuple(str(one) for one in known)

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in there:
            raise ValueError(unknown(value if isinstance(value, str) else "", there, what=what))
        return value

    return check


def metric_named(name: str) -> str:
    """Column that a policy's word for a metric stands for.

    Raises
    ------
    ValueError
        If there is no such metric.
    """
    one_of((*METRICS, *ALIASES), "metric")(name)
    return ALIASES.get(name, name)


def subject(name: str) -> str:
    """What a waiver is for: a check, or a limit on a metric, by the name its findings have.

    Raises
    ------
    ValueError
        If there is no such check, or no limit can have that name.
    """
    if ":" not in name:
        return _check(name)
    first, *rest = name.split(":", PARTS - 1)
    known = set(map(str, Of)), set(map(str, Bound))
    if len(rest) not in {2, PARTS - 1} or rest[0] not in known[0] or rest[1] not in known[1]:
        raise ValueError(f"found {name!r}: expected a check, or {BEYOND}")
    return ":".join((metric_named(first), *rest))


def _check(name: str) -> str:
    if name not in checks.BY_NAME:
        raise ValueError(unknown(name, checks.BY_NAME, what="check"))
    return name


def _kind(pattern: str) -> str:
    """A pattern that some kind of layer has; a misspelt one would fit nothing, and be silent."""
    there = (*KINDS, *ROLES)
    if not any(fnmatchcase(kind, pattern) for kind in there):
        raise ValueError(unknown(pattern, there, what="kind of layer"))
    return pattern


def _pattern(value: str) -> str:
    if not value:
        raise ValueError("is empty; leave it out, or write * for all")
    return value


def _names(*names: Iterable[str]) -> WithJsonSchema:
    return WithJsonSchema({"enum": [str(name) for some in names for name in some]})


LEVELS: Mapping[str, Any] = {"enum": [*map(str, Level), False]}  # an off may be read as false
GivenLevel = Annotated[Level, BeforeValidator(level), WithJsonSchema(dict(LEVELS))]
GivenOf = Annotated[Of, BeforeValidator(one_of(Of, "summary")), _names(Of)]
CheckName = Annotated[str, AfterValidator(_check), _names(checks.BY_NAME)]
MetricName = Annotated[str, AfterValidator(metric_named), _names(METRICS, ALIASES)]
Subject = Annotated[
    str,
    AfterValidator(subject),
    WithJsonSchema({"anyOf": [{"enum": list(checks.BY_NAME)}, {"pattern": "^[^:]+:[^:]+:[^:]+"}]}),
]
TEXT = WithJsonSchema({"type": "string", "minLength": 1})
Pattern = Annotated[str, AfterValidator(_pattern), TEXT]
Kind = Annotated[str, AfterValidator(_pattern), AfterValidator(_kind), TEXT]
Count = Annotated[int, Field(strict=True, ge=0, le=MOST)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Rise = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
