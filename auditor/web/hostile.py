"""JSON from strangers, read strictly."""

import json
from typing import Any, NoReturn, TypeVar

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, ValidationError


class Told(BaseModel):
    """A part of an event: only what is asked about, of exactly that type; the rest is not read."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


T = TypeVar("T", bound=Told)


def parsed(body: bytes) -> object:
    """The value that a JSON text in UTF-8 stands for.

    Raises
    ------
    HTTPException
        400, if it is none, is nested without end, says a key twice, or holds NaN.
    """
    try:
        value: object = json.loads(
            body.decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise HTTPException(400, "the body is no JSON in UTF-8 with each key once") from error
    return value


def read(kind: type[T], value: object) -> T:
    """A parsed value as the event it should be.

    Raises
    ------
    HTTPException
        422, if it is of another form; its text names the first key that is wrong.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise HTTPException(422, f"{where}: {first['msg']}") from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
