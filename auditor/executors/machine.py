"""What this machine has for us: also inside a container, whose limits no other count tells.

Limits are read from Linux's control groups, of version 2 and 1; where there are none, the
machine's own numbers count.
"""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
AUDIT = 512 << 20  # bytes of an audit of small layers: its program takes 0.2 GiB, and a block each
LIMIT, TAKEN = ("memory.max", "memory.limit_in_bytes"), ("memory.current", "memory.usage_in_bytes")
KEPT = ("inactive_file", "total_inactive_file")  # of files in memory, which is given up first
QUOTA, PERIOD = "cpu.cfs_quota_us", "cpu.cfs_period_us"  # of version 1


def audits_at_once() -> int:
    """How many versions can be examined side by side: by cores and free memory, at least one."""
    return max(1, min(cores(), free_memory() // AUDIT))


def cores(groups: Path = GROUPS, own: Path = OWN) -> int:
    """Processors this process may use, or the time of so many that it is granted."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [share for folder in _folders(groups, own) if (share := _cores(folder)) is not None]
    return max(1, math.ceil(min([there or 1, *found])))


def free_memory(groups: Path = GROUPS, own: Path = OWN) -> int:
    """Bytes that this process may still take, of the machine's and within its control groups."""
    left = [found for folder in _folders(groups, own) if (found := _left(folder)) is not None]
    return int(min([psutil.virtual_memory().available, *left]))


def _folders(groups: Path, own: Path) -> Iterator[Path]:
    """Of this process's groups and those they are in, of either version.

    Inside a container the path is the host's as often as not, and the container's own group
    lies at the root.
    """
    for line in _text(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        names = {"", controllers, *controllers.split(",")}
        for root in (groups / name for name in names):
            inner = root / path.lstrip("/")
            yield from (inner, *(folder for folder in inner.parents if folder.is_relative_to(root)))


def _left(folder: Path) -> int | None:
    limit, taken = _number(folder, *LIMIT), _number(folder, *TAKEN)
    if limit is None or taken is None:
        return None
    return max(0, limit - taken + _kept(folder))


def _kept(folder: Path) -> int:
    stated = dict(line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines())
    return max((int(stated.get(name, 0)) for name in KEPT), default=0)


def _cores(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if not period:
        quota, period = _text(folder / QUOTA), _text(folder / PERIOD)
    with suppress(ValueError):  # "max", -1, or nothing
        if int(quota) > 0:
            return int(quota) / int(period)
    return None


def _number(folder: Path, *names: str) -> int | None:
    for name in names:
        with suppress(ValueError):
            return int(_text(folder / name))
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
