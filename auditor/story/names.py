"""Many names as few: those that differ in the number of their block only are one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from auditor.naming import natural

NUMBER = re.compile(r"(?<![0-9])(?:0|[1-9][0-9]{0,8})(?![0-9])")
MOST = 6  # ranges in a name


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
    groups: dict[tuple[str, str], list[int]] = {}
    alone = []
    for name in names:
        if found := NUMBER.search(name):
            ends = name[: found.start()], name[found.end() :]
            groups.setdefault(ends, []).append(int(found.group()))
        else:
            alone.append(Names(name, 1))
    grouped = [
        Names(f"{front}{_ranges(numbers)}{behind}", len(numbers))
        for (front, behind), numbers in groups.items()
    ]
    every = (*grouped, *alone)
    return tuple(sorted(every, key=lambda one: (-one.count, natural(one.text), one.text)))


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers as ranges: 0–2,5."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    told = [str(a) if a == b else f"{a}–{b}" for a, b in runs[:MOST]]
    return ",".join([*told, "…"] if len(runs) > MOST else told)
