"""Opening the database: reach it, set it up, bring its tables up to date.

Schema changes are Alembic revisions in ``migrations/versions``, shipped with the package.
"""

from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from auditor.errors import ConfigError
from auditor.ledger import engines

MIGRATIONS = Path(__file__).with_name("migrations")
VERSION_TABLE = "auditor_schema"  # not alembic's own name: MLflow's database has that one


def open_engine(url: str) -> Engine:
    """Reach the database of a URL and bring its tables up to date.

    Raises
    ------
    ConfigError
        If the URL is none, the database cannot be reached or written, belongs to another
        program, or was written by a newer version of this one.
    """
    return _open(url)[0]


class Upgraded(NamedTuple):
    """A database whose tables are up to date."""

    shown: str  # its URL without secrets
    before: str | None  # the revision its tables had; None where there were none
    after: str


def upgrade_database(url: str) -> Upgraded:
    """As `open_engine`, to say what was done; nothing stays open."""
    engine, before = _open(url)
    engine.dispose()
    return Upgraded(engines.shown(engine.url), before, revisions()[-1])


def _open(url: str) -> tuple[Engine, str | None]:
    where = engines.parse(url)
    engine = engines.make(where)
    try:
        return engine, _update(engine, engines.shown(where))
    except DBAPIError as error:
        engine.dispose()
        raise ConfigError(
            f"ledger {engines.shown(where)} cannot be opened: {engines.first_line(error)};"
            " expected a database of this program, or a place where a new one can be made"
        ) from error
    except ConfigError:
        engine.dispose()
        raise


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


def _update(engine: Engine, shown: str) -> str | None:
    with engine.begin() as connection:
        found = _revision(connection, shown)
        if found == revisions()[-1]:
            return found
    with (
        engine.execution_options(writes=True).connect() as connection,
        engines.replacing_tables(connection),
        connection.begin(),
    ):
        upgrade(connection)  # nothing to do where another process was quicker
        engines.must_refer_to_rows(connection, shown)
    return found


def _revision(connection: Connection, shown: str) -> str | None:
    """Which schema a database has; None: an empty database."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found = context.get_current_revision()
    if found is None:
        _must_be_ours(connection, shown)
    known = revisions()
    if found is not None and found not in known:
        raise ConfigError(
            f"ledger {shown} has schema {found}, newer than {known[-1]} of this program;"
            " install the auditor that wrote it, or a newer one"
        )
    return found


def _must_be_ours(connection: Connection, shown: str) -> None:
    """Whether tables can be made here.

    Raises
    ------
    ConfigError
        If there are any already, or names from outside could not be kept in this database.
    """
    if inspect(connection).get_table_names():
        raise ConfigError(
            f"ledger {shown} holds tables of another program; give the ledger a database of its own"
        )
    if connection.dialect.name == "postgresql":
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise ConfigError(
                f"ledger {shown} is in the encoding {encoding}, which has not every letter; make"
                " the database with ENCODING 'UTF8'"
            )
