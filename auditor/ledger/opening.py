"""Opening the database: reach it, set it up, bring its tables up to date.

Schema changes are Alembic revisions in ``migrations/versions``, shipped with the package.
"""

import json
from functools import partial
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from auditor.errors import ConfigError, translate

MIGRATIONS = Path(__file__).with_name("migrations")
VERSION_TABLE = "auditor_schema"  # not alembic's own name: MLflow's database has that one
BUSY_SECONDS = 30


def open_engine(url: str) -> Engine:
    """Reach the database of a URL and bring its tables up to date.

    An engine with the execution option ``writes=True`` takes the write lock when a
    transaction begins, so that nothing it has read can change before it writes.

    Raises
    ------
    ConfigError
        If the URL is none, the database cannot be reached or written, belongs to another
        program, or was written by a newer version of this one.
    """
    where = _parse(url)
    shown = where.render_as_string(hide_password=True)
    if where.get_backend_name() == "sqlite":
        _make_folder(where)
    try:
        engine = _engine(where)
    except (ArgumentError, ImportError) as error:
        raise ConfigError(f"ledger {shown} needs a driver that is not here: {error}") from error
    try:
        _update(engine, shown)
    except DBAPIError as error:
        engine.dispose()
        raise ConfigError(
            f"ledger {shown} cannot be opened: {error.orig}; expected a database of this"
            " program, or a place where a new one can be made"
        ) from error
    except ConfigError:
        engine.dispose()
        raise
    return engine


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run the revisions a database lacks, in the transaction `connection` is in."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def revisions() -> list[str]:
    """Every revision this program knows, oldest first."""
    script = ScriptDirectory(str(MIGRATIONS))
    return [step.revision for step in script.walk_revisions()][::-1]


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        # the text itself may hold a password and stays out of the message
        raise ConfigError(
            "ledger is not a database URL; write one such as sqlite:///auditor.db"
        ) from error


def _make_folder(where: URL) -> None:
    if where.database and where.database != ":memory:":
        folder = Path(where.database).parent
        with translate(OSError, to=ConfigError, doing=f"making the ledger's folder {folder}"):
            folder.mkdir(parents=True, exist_ok=True)


def _engine(where: URL) -> Engine:
    options: dict[str, Any] = {"json_serializer": partial(json.dumps, allow_nan=False)}
    if where.get_backend_name() != "sqlite":
        return create_engine(where, pool_pre_ping=True, **options)
    if where.database in {None, "", ":memory:"}:  # lives as long as its one connection
        options |= {"pool_size": 1, "max_overflow": 0}
    options["connect_args"] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(where, poolclass=QueuePool, **options)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: SqliteConnection, _record: object) -> None:
    """Make SQLite keep its promises: wait for locks, check foreign keys, survive power cuts."""
    connection.isolation_level = None  # the driver would begin transactions too late
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode not in {"wal", "memory"}:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _update(engine: Engine, shown: str) -> None:
    with engine.begin() as connection:
        if _is_current(connection, shown):
            return
    with engine.execution_options(writes=True).begin() as connection:
        upgrade(connection)  # nothing to do where another process was quicker


def _is_current(connection: Connection, shown: str) -> bool:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found = context.get_current_revision()
    if found is None and inspect(connection).get_table_names():
        raise ConfigError(
            f"ledger {shown} holds tables of another program; give the ledger a database of its own"
        )
    known = revisions()
    if found is not None and found not in known:
        raise ConfigError(
            f"ledger {shown} has schema {found}, newer than {known[-1]} of this program;"
            " install the auditor that wrote it, or a newer one"
        )
    return found == known[-1]
