"""Decisions that end, and under which policy a version was last judged."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Decisions made until now hold for good, and were made by command."""
    op.add_column("versions", sa.Column("judged_as", _text(), nullable=True))
    op.add_column("decisions", sa.Column("until", sa.Date(), nullable=True))
    op.add_column("decisions", sa.Column("via", _text(), nullable=True))
    op.execute("UPDATE decisions SET via = 'command'")
    with op.batch_alter_table("decisions") as altered:
        altered.alter_column("via", nullable=False)


def _text() -> sa.Text:
    """Compared by code points, as every other text of the ledger."""
    postgresql = op.get_context().dialect.name == "postgresql"
    return sa.Text(collation="C") if postgresql else sa.Text()
