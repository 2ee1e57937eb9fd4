"""What a service that runs for months remembers: hints, notices, priorities, pauses."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True)
TABLES = (
    *("sources", "versions", "claims", "audits", "layers", "findings"),
    *("decisions", "deliveries", "hints", "notices", "targets"),
)
MADE = """
    UPDATE claims SET made_at =
        (SELECT created_at FROM versions WHERE versions.id = claims.version_id)
"""
FIRST_AUDITS = """
    UPDATE versions SET concluded_at =
        (SELECT min(saved_at) FROM audits WHERE audits.version_id = versions.id)
"""


def upgrade() -> None:
    """Add columns with what they were until now, then the tables."""
    _add("sources", sa.Column("paused", sa.Boolean(), nullable=False), sa.false())
    op.add_column("sources", sa.Column("asked_at", MOMENT, nullable=True))
    _add("sources", sa.Column("troubles", sa.JSON(), nullable=False), "{}")
    _add("sources", sa.Column("remarks", sa.JSON(), nullable=False), "{}")
    _add("versions", sa.Column("fresh", sa.Boolean(), nullable=False), sa.false())
    op.add_column("versions", sa.Column("concluded_at", MOMENT, nullable=True))
    op.execute(FIRST_AUDITS)
    op.create_index("ix_versions_concluded_at", "versions", ["concluded_at"])
    _add("claims", sa.Column("priority", sa.Integer(), nullable=False), "1")
    op.add_column("claims", sa.Column("since", MOMENT, nullable=True))
    op.add_column("claims", sa.Column("waits_since", MOMENT, nullable=True))
    op.create_index("ix_audits_version_id_id_verdict", "audits", ["version_id", "id", "verdict"])
    op.create_index("ix_audits_saved_at", "audits", ["saved_at"])
    order_claims()
    make_hints()
    make_notices()
    make_targets()
    if op.get_context().dialect.name == "postgresql":
        order_by_code_points()


def order_by_code_points() -> None:
    """Texts are compared as SQLite does it, not by the language of the database."""
    found = sa.inspect(op.get_bind())
    for table in TABLES:
        for column in found.get_columns(table):
            if isinstance(column["type"], sa.Text):
                op.execute(f'ALTER TABLE {table} ALTER "{column["name"]}" TYPE text COLLATE "C"')


def _add(table: str, column: sa.Column[Any], before: str | sa.ColumnElement[Any]) -> None:
    """A column that rows already there need a value for; later ones bring their own."""
    column.server_default = sa.DefaultClause(before)
    op.add_column(table, column)
    with op.batch_alter_table(table) as altered:
        altered.alter_column(column.name, server_default=None)


def order_claims() -> None:
    """One index for the order in which versions are audited."""
    op.add_column("claims", sa.Column("made_at", MOMENT, nullable=True))
    op.execute(MADE)
    with op.batch_alter_table("claims") as altered:
        altered.alter_column("made_at", nullable=False)
    op.drop_index("ix_claims_state", table_name="claims")
    op.create_index("ix_claims_state_priority_made_at", "claims", ["state", "priority", "made_at"])


def make_hints() -> None:
    """Make the table hints."""
    op.create_table(
        "hints",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_hints"),
    )
    op.create_index("ix_hints_done_at", "hints", ["done_at"])


def make_notices() -> None:
    """Make the table notices."""
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("delivered_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.UniqueConstraint("key", "target", name="uq_notices_key_target"),
    )
    op.create_index("ix_notices_state", "notices", ["state"])


def make_targets() -> None:
    """Make the table targets."""
    op.create_table(
        "targets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("memory", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_targets"),
    )
