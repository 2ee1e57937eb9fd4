"""Sizes and times as people write them: ``8GiB``, ``500MB``, ``10m``."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

from auditor.errors import UsageError

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
BYTES = {"": 1, "b": 1} | {
    f"{letter}{unit}": base**power
    for power, letter in enumerate("kmgt", start=1)
    for unit, base in (("b", 1000), ("ib", 1024))
}
PART = r"(\d+(?:\.\d+)?)\s*([smhd])\s*"
TIME, WHOLE = re.compile(PART, re.IGNORECASE), re.compile(f"({PART})+", re.IGNORECASE)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MOST_DAYS = 36_500  # a date so long ago can still be written


def size(value: object) -> int:
    """Bytes: a number, or one with kB, MB, GB, TB (powers of 1000) or KiB … (of 1024).

    >>> size("8GiB") == 8 * 1024**3, size("1.5MB"), size(4096)
    (True, 1500000, 4096)

    Raises
    ------
    ValueError
        If it is not a size, or less than one byte.
    """
    found = None if isinstance(value, bool) else SIZE.fullmatch(str(value).strip())
    factor = BYTES.get(found[2].lower()) if found else None
    if found is None or factor is None or (count := int(Fraction(found[1]) * factor)) < 1:
        raise ValueError(f"found {value!r}: expected a size such as 8GiB or 500MB")
    return count


def duration(value: object) -> float:
    """Seconds: a number with s, m, h or d, or several of them that are added.

    >>> duration("90s"), duration("10m"), duration("1.5h"), duration("1h30m")
    (90.0, 600.0, 5400.0, 5400.0)

    Raises
    ------
    ValueError
        If it is no duration, none at all, or longer than a century.
    """
    text = value.strip() if isinstance(value, str) else ""
    parts = TIME.findall(text) if WHOLE.fullmatch(text) else []
    if not (count := sum(float(number) * SECONDS[unit.lower()] for number, unit in parts)):
        raise ValueError(f"found {value!r}: expected a time such as 90s, 10m or 1h")
    if count > MOST_DAYS * SECONDS["d"]:
        raise ValueError(f"found {value!r}: expected {MOST_DAYS}d at most")
    return count


T = TypeVar("T")


def asked(text: str | None, option: str, parse: Callable[[str], T]) -> T | None:
    """What was asked for with an option, by `size` or `duration`; None where nothing was.

    Raises
    ------
    UsageError
        If `text` is no size or no duration.
    """
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error
