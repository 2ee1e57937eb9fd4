"""Many names as few: those that differ in the number of their block only are one."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.naming import natural

NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Names:
    """Names that only differ in one number."""

    text: str  # with the numbers as ranges: h.0–5.mlp.c_fc.weight
    count: int


def together(names: Iterable[str]) -> tuple[Names, ...]:
    """Names by what is the same in them, the most first.

    Examples
    --------
    >>> together(["h.0.fc", "h.1.fc", "h.2.fc", "h.5.fc", "head"])
    (Names(text='h.0–2,5.fc', count=4), Names(text='head', count=1))
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name in names:
        found = NUMBER.search(name)
        ends = (name[: found.start()], name[found.end() :]) if found else (name, "")
        groups.setdefault(ends, []).append(found.group() if found else "")
    found_names = [
        Names(f"{front}{_ranges(numbers)}{behind}", len(numbers))
        for (front, behind), numbers in groups.items()
    ]
    return tuple(sorted(found_names, key=lambda one: (-one.count, natural(one.text), one.text)))


def _ranges(numbers: Sequence[str]) -> str:
    """Numbers as ranges: 0–2,5; as they are where there is none or one."""
    if len(numbers) == 1:
        return numbers[0]
    runs: list[list[int]] = []
    for number in sorted({int(text) for text in numbers}):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)
