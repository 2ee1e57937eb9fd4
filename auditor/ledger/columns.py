"""Column types that give back exactly what was put in, on every database."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from auditor import stored

REFUSED = re.compile("[\0\ud800-\udfff]")
BINARY = Text(collation="C")
QUOTED = "\x1a"  # ASCII "substitute": what follows is the text in JSON's spelling


class Utc(TypeDecorator[datetime]):
    """A moment, with its time zone going in and in UTC coming out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a time zone: it would mean another one elsewhere."""
        del dialect
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; the ledger keeps moments in UTC")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite forgets the zone; it is UTC, as written above."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class AnyText(TypeDecorator[str]):
    """Text from outside, also where it is no text a database takes.

    A file or model name may hold NUL or half of a surrogate pair (bytes that are no UTF-8
    arrive that way). Such a text is kept in JSON's spelling behind a mark, so that it still
    equals itself in a query and comes back unchanged. Texts are in the order of their code
    points, whatever order the database was made with.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """SQLite has that order anyway."""
        return BINARY if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Spell out what a database refuses."""
        del dialect
        if value is None or _storable(value):
            return value
        return QUOTED + json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Undo the spelling."""
        del dialect
        if value is None or not value.startswith(QUOTED):
            return value
        text: str = json.loads(value[len(QUOTED) :])
        return text


class AuditDocument(TypeDecorator[Mapping[str, Any]]):
    """An audit document; one of another time comes out with every key that documents have today."""

    impl = JSON
    cache_ok = True

    def process_result_value(
        self, value: Mapping[str, Any] | None, dialect: Dialect
    ) -> Mapping[str, Any] | None:
        """What it would say, as far as it is known; a part of one is left as it is."""
        del dialect
        if isinstance(value, Mapping) and "schema" in value:
            return stored.completed(value)
        return value


def _storable(text: str) -> bool:
    return REFUSED.search(text) is None and not text.startswith(QUOTED)
