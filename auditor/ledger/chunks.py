"""Many values, some in each statement."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

CHUNK = 500  # values in one statement; some databases take no more than 999


def chunks(values: Collection[str]) -> Iterator[Sequence[str]]:
    """The values in their order, `CHUNK` at a time."""
    left = iter(values)
    while some := list(islice(left, CHUNK)):
        yield some
