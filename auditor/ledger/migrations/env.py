"""What Alembic runs for every command, on the connection it is handed."""

from alembic import context

from auditor.ledger.models import Base
from auditor.ledger.opening import VERSION_TABLE


def run() -> None:
    """Run the revisions asked for, inside the caller's transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        render_as_batch=True,  # SQLite alters a table by copying it
    )
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name Alembic loads this file under; nobody else runs it
    run()
