"""The databases a ledger can be kept in: a file of SQLite, or PostgreSQL.

Both promise the same: one writer at a time, who sees what was committed before it began; a
reader sees one moment of the database, however long it reads, and holds nobody up.
"""

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from sqlite3 import Error as SqliteError
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError

from auditor.errors import ConfigError, translate

BUSY_SECONDS = 30  # a writer waits so long for another one
CUT_SECONDS = 2  # and for a reader of what is about to be cut from the log
LARGEST_LOG = 16 << 20  # bytes: some hundred audits
CONNECT_SECONDS = 10
IDLE_SECONDS = 120  # no transaction of ours does nothing for so long: its machine is gone
WRITER = 0x61756469746F72  # "auditor": the advisory lock of the one writer
KEEPALIVE = {  # seconds: a server that vanished is noticed within a minute, not within hours
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds
}
SQLITE = {"check_same_thread": False}  # a connection is one thread's at a time: the pool's rule
SPELLED = re.compile(r"\\\\|\\u0000|\\u001a|[\ud800-\udfff]")
QUOTED = re.compile(r"\\\\|\\u001a([0-9a-f]{4})")


def parse(url: str) -> URL:
    """A database URL, with the driver that is used for it.

    Raises
    ------
    ConfigError
        If it is none, or one of a database that a ledger is not kept in.
    """
    try:
        where = make_url(url)
    except ArgumentError as error:
        # the text itself may hold a password and stays out of the message
        raise ConfigError(
            "ledger is not a database URL; write one such as sqlite:///auditor.db"
        ) from error
    if where.drivername in {"postgresql", "postgres"}:
        return where.set(drivername="postgresql+psycopg")
    if where.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise ConfigError(
            f"ledger {shown(where)} is of a kind that cannot be used; expected"
            " sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"
        )
    return where


def shown(where: URL) -> str:
    """A URL for people, without its password, and without options, which may hold one."""
    return where.set(query={}).render_as_string(hide_password=True)


def first_line(error: DBAPIError) -> str:
    """What the database said, without the statement and the hints below it."""
    said = str(error.orig).strip().splitlines()
    return said[0].strip() if said else type(error.orig).__name__


def make(where: URL) -> Engine:
    """An engine that keeps the promises above; it has not connected yet.

    An engine with the execution option ``writes=True`` makes its transactions the one writer
    when they begin, so that nothing they have read can change before they write.

    Raises
    ------
    ConfigError
        If the driver is not installed, or the folder of a file cannot be made.
    """
    if where.get_backend_name() == "sqlite":
        return _sqlite(where)
    return _postgres(where)


@contextmanager
def replacing_tables(connection: Connection) -> Iterator[None]:
    """Let a migration put a new table in the place of one that others refer to.

    SQLite alters a table by copying it, and dropping the old one would break the references.
    They are checked all the same, by `must_refer_to_rows` before the migration is committed.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")  # inside a transaction this would do nothing
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def must_refer_to_rows(connection: Connection, shown: str) -> None:
    """Check references that were not checked while tables were replaced.

    Raises
    ------
    ConfigError
        If a row refers to one that is not there.
    """
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise ConfigError(
            f"ledger {shown} is damaged: a row of table {broken[0]} refers to one of {broken[2]}"
            " that is not there; go back to a backup"
        )


def _sqlite(where: URL) -> Engine:
    is_file = where.database not in {None, "", ":memory:"}
    options: dict[str, Any] = {"connect_args": SQLITE | {"timeout": BUSY_SECONDS}}
    if not is_file:  # it lives as long as its one connection
        options |= {"pool_size": 1, "max_overflow": 0}
    engine = create_engine(where, poolclass=QueuePool, pool_timeout=BUSY_SECONDS, **options, **JSON)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    if is_file:
        folder = Path(str(where.database)).parent
        with translate(OSError, to=ConfigError, doing=f"making the ledger's folder {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "checkin", _Log(Path(f"{where.database}-wal")).keep_small)
    return engine


def _set_up_sqlite(connection: SqliteConnection, _record: object) -> None:
    """Make SQLite keep its promises: wait for locks, check foreign keys, survive power cuts."""
    connection.isolation_level = None  # the driver would begin transactions too late
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode not in {"wal", "memory"}:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


@dataclass(slots=True)
class _Log:
    """SQLite's log of changes, beside the file.

    SQLite begins it anew when nobody reads, which in a service may be never: with three
    threads that read, 17 MB of audits left a log of 164 MB.
    """

    path: Path
    largest: int = LARGEST_LOG  # bytes, before it is written to the file and cut

    def keep_small(self, connection: SqliteConnection | None, _record: object) -> None:
        """Cut the log where it is too large; what cannot be done now is done later."""
        size = self._size()
        if connection is None or size < self.largest:
            return
        with suppress(SqliteError):
            connection.execute(f"PRAGMA busy_timeout={CUT_SECONDS * 1000}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
        self.largest = LARGEST_LOG if self._size() < size else 2 * size

    def _size(self) -> int:
        """Bytes; none where nobody has written since the last one closed the file."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgres(where: URL) -> Engine:
    wanted = {name: value for name, value in KEEPALIVE.items() if name not in where.query}
    try:
        engine = create_engine(
            where, pool_pre_ping=True, pool_timeout=BUSY_SECONDS, connect_args=wanted, **JSON
        )
    except ImportError as error:
        raise ConfigError(
            f"ledger {shown(where)} needs psycopg; install it: pip install 'auditor[postgres]'"
        ) from error
    event.listen(engine, "connect", _set_up_postgres)
    event.listen(engine, "begin", _begin_postgres)
    return engine


def _set_up_postgres(connection: DBAPIConnection, _record: object) -> None:
    """Let go of the locks of a process whose machine is gone."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
        cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
    connection.commit()


def _begin_postgres(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def to_json(value: object) -> str:
    r"""JSON that every database takes and can look into, whatever names are in it.

    NUL and halves of surrogate pairs, which PostgreSQL refuses, are written as a mark
    (ASCII "substitute") and their number.

    Raises
    ------
    ValueError
        If there is a number that is not finite.

    Examples
    --------
    >>> to_json({"name": "a\0b"})
    '{"name": "a\\u001a0000b"}'
    """
    return SPELLED.sub(_quote, json.dumps(value, allow_nan=False, ensure_ascii=False))


def from_json(text: str | bytes) -> Any:  # noqa: ANN401 - whatever was written
    r"""Undo `to_json`.

    Examples
    --------
    >>> from_json('{"name": "a\\u001a0000b"}')
    {'name': 'a\x00b'}
    """
    return json.loads(QUOTED.sub(_unquote, text if isinstance(text, str) else text.decode()))


def _quote(found: re.Match[str]) -> str:
    text = found.group()
    if text == r"\\":  # a backslash, and not the beginning of what follows
        return text
    return rf"\u001a{text[2:] if len(text) > 1 else f'{ord(text):04x}'}"


def _unquote(found: re.Match[str]) -> str:
    number = found.group(1)
    return found.group() if number is None else rf"\u{number}"


JSON: dict[str, Any] = {"json_serializer": to_json, "json_deserializer": from_json}
