"""The one order that the versions of a model have, and that of their audits.

`ModelVersion.created_at`, then the version as people count (9 before 10), then the identity.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, tuple_
from sqlalchemy.orm import InstrumentedAttribute, aliased
from sqlalchemy.orm.util import AliasedClass

from auditor.ledger.models import AuditRow, VersionRow, natural
from auditor.records import ModelVersion

Versions = type[VersionRow] | AliasedClass[VersionRow]


def position(versions: Versions) -> tuple[InstrumentedAttribute[Any], ...]:
    """The columns that put the versions of a model in order."""
    return versions.created_at, versions.natural, versions.identity


def oldest_first() -> tuple[ColumnElement[Any], ...]:
    """Sort versions by `position`."""
    return tuple(column.asc() for column in position(VersionRow))


def newest_first() -> tuple[ColumnElement[Any], ...]:
    """Sort versions by `position`, backwards."""
    return tuple(column.desc() for column in position(VersionRow))


def position_of(version: ModelVersion) -> tuple[datetime, str, str]:
    """The same as `position`, of a record."""
    return version.created_at, natural(version.id.version), version.identity


def earlier(versions: Versions, than: ModelVersion) -> ColumnElement[bool]:
    """Whether a row is a version of the same model made before `than`."""
    return and_(
        versions.source == than.id.source,
        versions.model == than.id.model,
        tuple_(*position(versions)) < position_of(than),
    )


def is_replaced() -> ColumnElement[bool]:
    """Whether the version of an audit has a newer one."""
    newer = aliased(AuditRow)
    return exists().where(newer.version_id == AuditRow.version_id, newer.id > AuditRow.id)
