"""Sizes and durations as people write them: ``8GiB``, ``500MB``, ``90s``, ``1h30m``."""

import re
from datetime import timedelta
from fractions import Fraction

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
BYTES = {"": 1, "b": 1} | {
    f"{letter}{unit}": base**power
    for power, letter in enumerate("kmgt", start=1)
    for unit, base in (("b", 1000), ("ib", 1024))
}
DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


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


def duration(value: object) -> timedelta:
    """Days, hours, minutes and seconds, largest first: ``90s``, ``15m``, ``1h30m``.

    >>> duration("1h30m")
    datetime.timedelta(seconds=5400)

    Raises
    ------
    ValueError
        If it is not a duration, has no unit, or is zero.
    """
    found = DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    parts = found.groups(default="0") if found else ("0",) * 4
    try:
        days, hours, minutes, seconds = (int(part) for part in parts)
        total = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except (OverflowError, ValueError):  # ValueError: more digits than Python turns into a number
        total = timedelta()
    if not total:
        raise ValueError(f"found {value!r}: expected a duration such as 90s, 15m or 1h30m")
    return total
