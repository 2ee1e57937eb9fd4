"""What a database needs now and then: its space back, and a copy of what is in it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from auditor.ledger.models import Base

AT_ONCE = 10  # rows in memory: a document may have some megabytes
SQLITE = ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA optimize")
PAGES = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"


class Sizes(NamedTuple):
    """Bytes that the tables took before and after."""

    before: int
    after: int


class Row(NamedTuple):
    """A row of a table: its columns, with moments in UTC and documents as they were saved."""

    table: str
    values: dict[str, Any]


def vacuum(engine: Engine) -> Sizes:
    """Give back the space of what was removed."""
    tables = [table.name for table in Base.metadata.sorted_tables]
    if engine.dialect.name == "sqlite":
        statements, size = list(SQLITE), PAGES
    else:
        statements = [f"VACUUM ANALYZE {table}" for table in tables]
        parts = (f"pg_total_relation_size('{table}')" for table in tables)
        size = f"SELECT {' + '.join(parts)}"
    pooled = engine.raw_connection()
    driver: Any = pooled.driver_connection
    pooled.detach()  # it is set up differently from all others: not for anybody else
    try:
        if engine.dialect.name != "sqlite":  # whose driver begins no transactions, see `engines`
            driver.autocommit = True
        return _run(driver, statements, size)
    except engine.dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance("VACUUM", None, error, Exception) from error
    finally:
        pooled.close()


def rows(session: Session) -> Iterator[Row]:
    """Every row, those that others refer to before those that refer to them."""
    for table in Base.metadata.sorted_tables:
        query = select(table).order_by(*table.primary_key.columns)
        for found in session.execute(query.execution_options(yield_per=AT_ONCE)).mappings():
            yield Row(table.name, {str(name): value for name, value in found.items()})


def _run(driver: Any, statements: list[str], size: str) -> Sizes:  # noqa: ANN401 - any driver's
    """Run the statements outside of any transaction."""
    (before,) = driver.execute(size).fetchone()
    for statement in statements:
        driver.execute(statement)
    (after,) = driver.execute(size).fetchone()
    return Sizes(int(before), int(after))
