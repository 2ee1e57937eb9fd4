"""Sizes as people write them: ``8GiB``, ``500MB``."""

import re
from fractions import Fraction

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
BYTES = {"": 1, "b": 1} | {
    f"{letter}{unit}": base**power
    for power, letter in enumerate("kmgt", start=1)
    for unit, base in (("b", 1000), ("ib", 1024))
}


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
