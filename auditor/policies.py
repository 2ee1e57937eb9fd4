"""Policies by name or from a file.

A policy file is YAML::

    extends: recommended          # a preset; what is not said here is as there
    baseline: warn                # a version without a baseline is REVIEW
    checks:
      over_trained: {level: error, below: 1.9}
      large_change: warn
    waivers:                      # findings a person answers for, until a day
      - check: over_trained
        model: "mlflow:digits"    # patterns: * ? [ab]
        layer: "fc1.*"            # without it: only findings about the whole version
        reason: known since the distillation, retrained in March
        owner: a.ruiz
        expires: 2026-12-01       # its last day; at most 180 days ahead
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, TypeAdapter, ValidationError

from auditor import checks
from auditor.checks.base import Check, name_of
from auditor.config.text import read
from auditor.errors import ConfigError
from auditor.plugins.place import Place, problems, unknown
from auditor.plugins.settings import complete
from auditor.policy import PRESET_NAMES, CheckRule, Policy, preset
from auditor.records import Level, Waiver

KEYS = ("extends", "baseline", "checks", "waivers")
LONGEST_NAME = 4000  # of a path; a file system refuses to look for a longer one
LONGEST = timedelta(days=180)  # a waiver may still have to run; then somebody looks again


def load_policy(name: str, today: date | None = None) -> Policy:
    """A preset by name, or the policy in a file.

    Parameters
    ----------
    name
        Of a preset, or the path of a file.
    today
        From when on a waiver may hold `LONGEST`; the day it is in UTC where it is None.

    Raises
    ------
    ConfigError
        If there is no such preset or file, or the file does not fit; one line a problem.
        A waiver that has expired fits, and does nothing.
    """
    if name in PRESET_NAMES:
        return preset(name)
    path = Path(name)
    if len(name) > LONGEST_NAME or not path.is_file():
        there = unknown(name, PRESET_NAMES, what="policy")
        raise ConfigError(f"policy {name[:80]}: {there}, and no file of that name either")
    values, place = read(path, os.environ)
    if not isinstance(values, dict):
        raise ConfigError(place.problem(f"expected the keys {', '.join(KEYS)}"))
    return _policy(values, place, today or datetime.now(UTC).date())


def _policy(values: Mapping[str, Any], place: Place, today: date) -> Policy:
    wrong = [place.inside(key).problem(unknown(key, KEYS)) for key in values if key not in KEYS]
    base = _extended(values.get("extends", "recommended"), place.inside("extends"), wrong)
    policy = _with_checks(base, values.get("checks") or {}, place.inside("checks"), wrong)
    baseline = base.baseline
    if "baseline" in values:
        baseline = _level(values["baseline"], place.inside("baseline"), wrong) or baseline
    waivers = tuple(_waivers(values.get("waivers"), place.inside("waivers"), today, wrong))
    if wrong:
        raise ConfigError("\n".join(wrong))
    name = place.file.stem if place.file else "policy"
    return replace(policy, name=name, baseline=baseline, waivers=waivers)


def _with_checks(base: Policy, given: object, place: Place, wrong: list[str]) -> Policy:
    """The policy with the levels and thresholds that are said."""
    if not isinstance(given, dict):
        wrong.append(place.problem(f"found {place.shown(given)}: expected names of checks as keys"))
        return base
    rules, made = list(base.rules), {name_of(type(check)): check for check in base.checks}
    for name, settings in given.items():
        here = place.inside(name)
        if name not in made:
            wrong.append(here.problem(unknown(name, made, what="check")))
            continue
        said = dict(settings) if isinstance(settings, dict) else {"level": settings}
        if "level" in said:
            level = _level(said.pop("level"), here.inside("level"), wrong)
            rules += [CheckRule(check=name, level=level)] if level else []
        made[name] = _check(name, said, here, wrong) or made[name]
    return replace(base, checks=tuple(made.values()), rules=tuple(rules))


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


def _day(value: object) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"found {value!r}: expected a day such as 2026-12-01") from error


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty, and no waiver goes without it")
    return value


def _there(name: str) -> str:
    if name not in checks.BY_NAME:
        raise ValueError(unknown(name, checks.BY_NAME, what="check"))
    return name


Text = Annotated[str, AfterValidator(_filled)]


class _Given(BaseModel):
    """A waiver as a policy file says it."""

    check: Annotated[str, AfterValidator(_there)]
    model: Text
    layer: Text | None = None
    reason: Text
    owner: Text
    expires: Annotated[date, BeforeValidator(_day)]


def _waivers(given: object, place: Place, today: date, wrong: list[str]) -> Iterator[Waiver]:
    """Those that fit; what is wrong with the others is noted."""
    if given is None:
        return
    if not isinstance(given, list):
        wrong.append(place.problem(f"found {place.shown(given)}: expected a list of waivers"))
        return
    for i, one in enumerate(given):
        here = place.inside(i)
        if not isinstance(one, dict):
            keys = ", ".join(_Given.model_fields)
            wrong.append(here.problem(f"found {here.shown(one)}: expected the keys {keys}"))
            continue
        if waiver := _waiver(one, here, wrong):
            wrong += _too_long(waiver, here.inside("expires"), today)
            yield waiver


def _waiver(given: Mapping[str, Any], place: Place, wrong: list[str]) -> Waiver | None:
    known = _Given.model_fields
    wrong += [place.inside(key).problem(unknown(key, known)) for key in given if key not in known]
    try:
        return Waiver(**dict(_Given.model_validate(given)))
    except ValidationError as error:
        wrong.extend(problems(error, place))
        return None


def _too_long(waiver: Waiver, place: Place, today: date) -> Iterator[str]:
    last = today + LONGEST
    if waiver.expires > last:
        most = f"{last:%Y-%m-%d} or earlier, {LONGEST.days} days from now"
        yield place.problem(f"found {waiver.expires:%Y-%m-%d}: expected {most}")
