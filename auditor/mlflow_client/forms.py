"""MLflow's forms of names, ids and times."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote

from auditor.records import ModelVersion

LATEST = 221_845_392_000_000  # milliseconds: the year 9000, as good as never
NAMES = 3000  # characters of names in one request: they are part of an address


def chunks(names: Iterable[str]) -> Iterator[str]:
    r"""Names, quoted, with commas, as much as fits into one request.

    >>> list(chunks(["it's", "b"]))
    ['"it\'s", \'b\'']
    """
    some: list[str] = []
    for name in map(repr, names):
        if some and len(quote(", ".join([*some, name]))) > NAMES:
            yield ", ".join(some)
            some = []
        some.append(name)
    if some:
        yield ", ".join(some)


def logged_model(source: str) -> str:
    """The id of the LoggedModel that an address ``models:/m-<32 hex>`` names, else ""."""
    found = source.removeprefix("models:/")
    digits = found.removeprefix("m-")
    is_one = source != found != digits and len(digits) == 32
    return found if is_one and not set(digits) - set("0123456789abcdef") else ""


def moment(milliseconds: int) -> datetime:
    """A time as MLflow counts it; one outside of the calendar is the nearest in it.

    >>> moment(1000)
    datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.timezone.utc)
    >>> moment(10**30).year
    9000
    """
    return datetime.fromtimestamp(min(max(milliseconds, 0), LATEST) / 1000, tz=UTC)


def age(version: ModelVersion) -> tuple[datetime, str, int, str]:
    """Sorts versions oldest first; those made in one millisecond by number."""
    number = version.id.version
    return version.created_at, version.id.model, int(number) if number.isdecimal() else 0, number
