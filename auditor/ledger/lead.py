"""One process of all that share a ledger leads: it looks, delivers and tells.

A lead ends with its process, however that ends: the system, or the database, takes it back.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from auditor.errors import ConfigError, LedgerError
from auditor.ledger import engines

KEY = 0x61756469746F724C  # of the lock in a database: "auditorL"; another program will not take it
DEAD = 6  # seconds without a sign of life until a connection counts as lost
WATCHED: Mapping[str, Any] = {  # how we notice that; the server notices it by the options
    "connect_timeout": DEAD,
    "keepalives_idle": 2,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": DEAD * 1000,
    "options": "-c tcp_keepalives_idle=2 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=2",
}


class Lead(Protocol):
    """The right to lead, which one process has at a time."""

    def take(self) -> bool:
        """Whether it is ours now.

        Raises
        ------
        LedgerError
            If that cannot be found out now.
        """

    def held(self) -> bool:
        """Whether it is still ours."""

    def drop(self) -> None:
        """Give it back."""


def is_shared(url: str) -> bool:
    """Whether several processes can share a ledger: it does not live in the memory of one.

    Raises
    ------
    ConfigError
        If it is no URL of a ledger.
    """
    where = engines.parse(url)
    return where.get_backend_name() != "sqlite" or where.database not in {None, "", ":memory:"}


def lead(url: str) -> Lead:
    """The lead of those who share a ledger.

    Raises
    ------
    ConfigError
        If nobody can share it: it lives in the memory of one process.
    """
    where = engines.parse(url)
    if not is_shared(url):
        raise ConfigError(
            f"ledger {engines.shown(where)} is gone when the program ends; name a file, such as "
            "sqlite:///auditor.db, or a PostgreSQL database"
        )
    if where.get_backend_name() != "sqlite":
        return SessionLead(where)
    return FileLead(Path(f"{where.database}.lead"))


class FileLead:
    """A lock on a file beside the ledger's; the system takes it back when the process ends."""

    def __init__(self, path: Path) -> None:
        # fallback_to_soft: a lock that outlives its process would leave nobody in the lead
        self._lock = FileLock(path, thread_local=False, fallback_to_soft=False)

    def take(self) -> bool:
        """As `Lead.take`."""
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        except (OSError, NotImplementedError) as error:
            path = self._lock.lock_file
            raise LedgerError(f"the file {path} cannot be locked: {error}") from error
        return True

    def held(self) -> bool:
        """As `Lead.held`; nobody can take the lock of a file away."""
        return self._lock.is_locked

    def drop(self) -> None:
        """As `Lead.drop`."""
        self._lock.release(force=True)


class SessionLead:
    """An advisory lock of PostgreSQL, on a connection of its own: lost with it."""

    def __init__(self, url: URL) -> None:
        self._shown = engines.shown(url)
        self._engine = create_engine(
            url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=dict(WATCHED)
        )
        self._connection: Connection | None = None

    def take(self) -> bool:
        """As `Lead.take`."""
        if self._connection is not None:
            return self.held()
        try:
            connection = self._engine.connect()
        except DBAPIError as error:
            raise LedgerError(
                f"ledger {self._shown} cannot be reached: {engines.first_line(error)}"
            ) from error
        try:
            mine = bool(connection.scalar(text(f"SELECT pg_try_advisory_lock({KEY})")))
        except DBAPIError as error:
            connection.invalidate()
            raise LedgerError(
                f"ledger {self._shown} cannot be reached: {engines.first_line(error)}"
            ) from error
        if mine:
            self._connection = connection
        else:
            connection.close()
        return mine

    def held(self) -> bool:
        """As `Lead.held`: the lock lives as long as the connection that took it."""
        if self._connection is None:
            return False
        try:
            self._connection.scalar(text("SELECT 1"))
        except DBAPIError:
            self.drop()
            return False
        return True

    def drop(self) -> None:
        """As `Lead.drop`; the server frees the lock when the connection ends."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
