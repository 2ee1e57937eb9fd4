"""Bytes, seconds and counts as people read them."""

STEPS = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
TIMES = (("h", 3600.0), ("min", 60.0), ("s", 1.0))
COUNTS = (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3))


def as_size(count: float) -> str:
    """Bytes, in a unit of 1024 powers, to three digits.

    >>> as_size(8 * 1024**3), as_size(1500), as_size(12.34 * 1024**3)
    ('8 GiB', '1.46 KiB', '12.3 GiB')
    """
    return next((f"{_three(count / by)} {unit}" for unit, by in STEPS if count >= by), f"{count} B")


def as_time(seconds: float) -> str:
    """A time, in hours, minutes or seconds, to two digits or so.

    >>> as_time(600.0), as_time(90.0), as_time(12345.0), as_time(0.04)
    ('10 min', '1.5 min', '3.4 h', '0.04 s')
    """
    unit, by = next((step for step in TIMES if seconds >= step[1]), TIMES[-1])
    return f"{seconds / by:.2g} {unit}" if seconds < 100.0 * by else f"{seconds / by:.0f} {unit}"


def as_count(count: int) -> str:
    """A number of parameters.

    >>> as_count(999), as_count(8_030_261_248), as_count(124_439_808)
    ('999', '8.03 B', '124 M')
    """
    found = (f"{_three(count / by)} {unit}" for unit, by in COUNTS if count >= by)
    return next(found, str(count))


def _three(number: float) -> str:
    return f"{number:.3g}" if number < 1000.0 else f"{number:.0f}"
