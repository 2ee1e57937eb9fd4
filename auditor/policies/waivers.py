"""Waivers in a policy file, or in files of their own: ``waivers:`` and ``waivers_file:``."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from auditor.plugins.place import Place, problems, unknown
from auditor.policies.said import Written
from auditor.policies.words import Entry, Subject
from auditor.records import Waiver

LONGEST = timedelta(days=180)  # a waiver may still have to run; then somebody looks again


def _day(value: object) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"found {value!r}: expected a day such as 2026-12-01") from error


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty, and no waiver goes without it")
    return value


Filled = Annotated[str, AfterValidator(_filled), Field(json_schema_extra={"minLength": 1})]
Day = Annotated[date, BeforeValidator(_day)]


class GivenWaiver(Entry):
    """A finding that somebody answers for, until a day."""

    check: Subject = Field(description="A check, or a limit such as alpha:median:max_increase.")
    model: Filled = Field(description="Pattern of models, as source:name.")
    layer: Filled | None = Field(
        default=None,
        description="Pattern of layers; left out: only findings about the whole version.",
    )
    reason: Filled = Field(description="Why this is acceptable.")
    owner: Filled = Field(description="Who answers for it.")
    expires: Day = Field(description="The last day it holds, in UTC; at most 180 days ahead.")


def waivers(
    given: object, place: Place, source: str, today: date, wrong: list[str]
) -> Iterator[Written]:
    """Those that fit; what is wrong with the others is noted.

    Parameters
    ----------
    given
        What stands under ``waivers:``; None where nothing does.
    place
        Where it stands.
    source
        The file as people see it.
    today
        From when on a waiver may hold `LONGEST`.
    wrong
        Gets a line for each problem.
    """
    if given is None:
        return
    if not isinstance(given, list):
        wrong.append(place.problem(f"found {place.shown(given)}: expected a list of waivers"))
        return
    for i, one in enumerate(given):
        here = place.inside(i)
        if not isinstance(one, dict):
            keys = ", ".join(GivenWaiver.model_fields)
            wrong.append(here.problem(f"found {here.shown(one)}: expected the keys {keys}"))
        elif waiver := _waiver(one, here, wrong):
            wrong += _too_long(waiver, here.inside("expires"), today)
            yield Written(waiver, f"{source}, line {here.line}")


def _waiver(given: Mapping[str, Any], place: Place, wrong: list[str]) -> Waiver | None:
    known = GivenWaiver.model_fields
    wrong += [place.inside(key).problem(unknown(key, known)) for key in given if key not in known]
    try:
        return Waiver(**dict(GivenWaiver.model_validate(given)))
    except ValidationError as error:
        wrong.extend(problems(error, place))
        return None


def _too_long(waiver: Waiver, place: Place, today: date) -> Iterator[str]:
    last = today + LONGEST
    if waiver.expires > last:
        most = f"{last:%Y-%m-%d} or earlier, {LONGEST.days} days from now"
        yield place.problem(f"found {waiver.expires:%Y-%m-%d}: expected {most}")
