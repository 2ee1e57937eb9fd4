"""Checks in a policy file: ``checks:``, by name a level, thresholds, or both."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from auditor import checks
from auditor.plugins.place import Place, problems, unknown
from auditor.plugins.settings import complete
from auditor.policies.said import Threshold
from auditor.policies.words import level
from auditor.policy import CheckRule
from auditor.records import Level

LEVEL = "level"


def in_checks(
    given: object, place: Place, source: str, wrong: list[str]
) -> tuple[list[CheckRule], list[Threshold]]:
    """Rules and thresholds; what is wrong with others is noted.

    Parameters
    ----------
    given
        What stands under ``checks:``; None where nothing does.
    place
        Where it stands.
    source
        The file as people see it.
    wrong
        Gets a line for each problem.
    """
    found: list[CheckRule] = []
    changed: list[Threshold] = []
    if given is not None and not isinstance(given, dict):
        wrong.append(place.problem(f"found {place.shown(given)}: expected names of checks as keys"))
        return found, changed
    for name, settings in (given or {}).items():
        here = place.inside(name)
        if name not in checks.BY_NAME:
            wrong.append(here.problem(unknown(name, checks.BY_NAME, what="check")))
            continue
        said = dict(settings) if isinstance(settings, dict) else {LEVEL: settings}
        if LEVEL in said and (asked := level_at(said.pop(LEVEL), here.inside(LEVEL), wrong)):
            line = f"{source}, line {here.inside(LEVEL).line}"
            found.append(CheckRule(check=name, level=asked, source=line))
        changed += _thresholds(name, said, here, source, wrong)
    return found, changed


def level_at(value: object, place: Place, wrong: list[str]) -> Level | None:
    """A level; None, with the problem noted, where there is none of that name."""
    try:
        return level(value)
    except ValueError as error:
        wrong.append(place.problem(str(error)))
        return None


def _thresholds(
    name: str, said: Mapping[str, Any], place: Place, source: str, wrong: list[str]
) -> list[Threshold]:
    """The thresholds that are said, checked as a whole."""
    found = checks.BY_NAME[name]
    values, problem = complete(found, said, {}, place)
    if problem:
        wrong.extend(problem)
        return []
    try:
        made = TypeAdapter(found).validate_python(values)
    except ValidationError as error:
        wrong.extend(problems(error, place))
        return []
    given = []
    for key in values:
        here, value = place.inside(key), getattr(made, key)
        if isinstance(value, float) and not math.isfinite(value):
            wrong.append(here.problem(f"found {value}: expected a number"))
        given.append(Threshold(name, key, value, f"{source}, line {here.line}"))
    return given
