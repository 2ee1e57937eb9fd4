"""Measurements are files beside their spectra, no rows: one key, one place, one limit."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Drop the table; what it held is measured again when it is wanted."""
    op.drop_index("ix_measurements_digest", table_name="measurements")
    op.drop_table("measurements")
