"""Policies by name or from a file.

A policy file is YAML::

    extends: recommended          # a preset; what is not said here is as there
    baseline: warn                # a version without a baseline is REVIEW
    checks:
      over_trained: {level: error, below: 1.9}
      large_change: warn
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from auditor import checks
from auditor.checks.base import Check, name_of
from auditor.config.text import read
from auditor.errors import ConfigError
from auditor.plugins.place import Place, problems, unknown
from auditor.plugins.settings import complete
from auditor.policy import PRESET_NAMES, Policy, preset
from auditor.records import Level

KEYS = ("extends", "baseline", "checks")


def load_policy(name: str) -> Policy:
    """A preset by name, or the policy in a file.

    Raises
    ------
    ConfigError
        If there is no such preset or file, or the file does not fit; one line a problem.
    """
    if name in PRESET_NAMES:
        return preset(name)
    path = Path(name)
    if not path.is_file():
        there = unknown(name, PRESET_NAMES, what="policy")
        raise ConfigError(f"policy {name}: {there}, and no file of that name either")
    values, place = read(path, os.environ)
    if not isinstance(values, dict):
        raise ConfigError(place.problem("expected the keys extends, baseline, checks"))
    return _policy(values, place)


def _policy(values: Mapping[str, Any], place: Place) -> Policy:
    wrong = [place.inside(key).problem(unknown(key, KEYS)) for key in values if key not in KEYS]
    base = _extended(values.get("extends", "recommended"), place.inside("extends"), wrong)
    levels, made = dict(base.levels), {name_of(type(check)): check for check in base.checks}
    given = values.get("checks") or {}
    for name, settings in given.items():
        here = place.inside("checks", name)
        if name not in made:
            wrong.append(here.problem(unknown(name, made, what="check")))
            continue
        said = dict(settings) if isinstance(settings, dict) else {"level": settings}
        if "level" in said:
            levels[name] = _level(said.pop("level"), here.inside("level"), wrong) or levels[name]
        made[name] = _check(name, said, here, wrong) or made[name]
    baseline = base.baseline
    if "baseline" in values:
        baseline = _level(values["baseline"], place.inside("baseline"), wrong) or baseline
    if wrong:
        raise ConfigError("\n".join(wrong))
    name = place.file.stem if place.file else "policy"
    return Policy(name, tuple(made.values()), levels, baseline)


def _extended(name: object, place: Place, wrong: list[str]) -> Policy:
    if name in PRESET_NAMES:
        return preset(str(name))
    wrong.append(place.problem(unknown(str(name), PRESET_NAMES, what="preset")))
    return preset("recommended")


def _level(value: object, place: Place, wrong: list[str]) -> Level | None:
    text = "off" if value is False else str(value)  # YAML reads a bare `off` as false
    if text in set(Level):
        return Level(text)
    wrong.append(place.problem(unknown(text, Level, what="level")))
    return None


def _check(name: str, settings: Mapping[str, Any], place: Place, wrong: list[str]) -> Check | None:
    """A check with its thresholds; None, with the problem noted, where they do not fit."""
    found = checks.BY_NAME[name]
    values, problem = complete(found, settings, {}, place)
    if problem:
        wrong.extend(problem)
        return None
    try:
        made: Check = TypeAdapter(found).validate_python(values)
    except ValidationError as error:
        wrong.extend(problems(error, place))
        return None
    return made
