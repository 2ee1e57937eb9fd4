"""Settings as people write them, turned into the fields of a plug-in's class."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from auditor.plugins.place import Place, unknown

SECRET = "_file"  # noqa: S105 - the ending of a key: `token_file` holds the value of `token`
SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:)(.+)", re.DOTALL)


def names(found: type) -> list[str]:
    """Settings of a plug-in: the fields of its class."""
    return [field.name for field in fields(found) if field.init]


def complete(
    found: type, settings: Mapping[str, Any], defaults: Mapping[str, Any], place: Place
) -> tuple[dict[str, Any], list[str]]:
    """Settings with secrets read, words understood and paths resolved, and what is wrong.

    Parameters
    ----------
    found
        A plug-in's class.
    settings
        As written in the configuration.
    defaults
        What the installation knows; used for fields that were not set.
    place
        Where they were written.
    """
    known = names(found)
    wrong = [
        place.inside(key).problem(unknown(key, known))
        for key in settings
        if key not in known and _secret_of(key, known) is None
    ]
    values = {key: value for key, value in settings.items() if key in known}
    for key, file in settings.items():
        if (target := _secret_of(key, known)) is not None:
            wrong += _read(target, file, values, place.inside(key))
    for key, value in values.items():
        try:
            values[key] = _understood(key, value, found, place)
        except ValueError as error:
            wrong.append(place.inside(key).problem(str(error)))
    given = {key: value for key, value in defaults.items() if key in known and key not in values}
    return {**values, **given}, wrong


def history(value: object) -> int | None:
    """How many of the newest versions of a newly watched model are audited.

    A number, ``none`` (0) or ``all``, which is None in Python: no limit.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if value == "all":
        return None
    if value == "none":
        return 0
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise ValueError(f"found {value!r}: expected a number of versions, none or all")
    return int(text)


def from_folder(text: str, folder: Path) -> Path:
    """A path as meant in a file of that folder: relative ones start there.

    Raises
    ------
    ValueError
        If it is a URL, or no path at all.
    """
    if "://" in text:
        raise ValueError(f"found a URL ({text.partition('://')[0]}://…): expected a path on disk")
    if not text or "\0" in text:
        raise ValueError("found an empty text or a NUL in it: expected a path on disk")
    try:
        return folder / Path(text).expanduser()
    except RuntimeError as error:  # ~name of nobody known here
        raise ValueError(f"cannot find the home folder in {text!r}: expected a path") from error


def located(url: str, folder: Path) -> str:
    """A ``sqlite:///file`` URL with the file's path absolute; any other text as it is."""
    found = SQLITE.fullmatch(url)
    return f"{found[1]}{folder / found[2]}" if found else url


def _secret_of(key: str, known: list[str]) -> str | None:
    target = key.removesuffix(SECRET)
    return target if key not in known and target != key and target in known else None


def _read(target: str, file: object, values: dict[str, Any], place: Place) -> Iterator[str]:
    """Put a file's text where its key says; yields what is wrong."""
    if target in values:
        yield place.problem(f"{target} is set too; keep one of the two")
        return
    try:
        path = from_folder(str(file), place.folder)
        values[target] = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        yield place.problem(f"cannot read {error.filename}: {error.strerror}")
    except UnicodeDecodeError:
        yield place.problem(f"{path} is not a text file in UTF-8")
    except ValueError as error:
        yield place.problem(str(error))


def _understood(key: str, value: object, found: type, place: Place) -> object:
    if key == "history":
        return history(value)
    is_path = _is_path(get_type_hints(found)[key])
    if is_path and isinstance(value, list):
        return [_path(item, place) for item in value]
    if not isinstance(value, str):
        return value
    return _path(value, place) if is_path else located(value, place.folder)


def _path(value: object, place: Place) -> object:
    return from_folder(value, place.folder) if isinstance(value, str) else value


def _is_path(hint: object) -> bool:
    return hint is Path or Path in get_args(hint)
