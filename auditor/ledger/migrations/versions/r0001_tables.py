"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make them, in an order that foreign keys allow."""
    make_measurements()
    make_sources()
    make_versions()
    make_audits()
    make_claims()
    make_decisions()
    make_deliveries()
    make_findings()
    make_layers()


def make_measurements() -> None:
    """Make the table measurements."""
    op.create_table(
        "measurements",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_measurements"),
    )
    op.create_index("ix_measurements_digest", "measurements", ["digest"])


def make_sources() -> None:
    """Make the table sources."""
    op.create_table(
        "sources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("last_success", MOMENT, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("failed_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_sources"),
    )


def make_versions() -> None:
    """Make the table versions."""
    op.create_table(
        "versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("natural", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("noted_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_versions"),
        sa.UniqueConstraint("identity", name="uq_versions_identity"),
    )
    op.create_index("ix_versions_created_at", "versions", ["created_at"])
    op.create_index(
        "ix_versions_source_model_created_at", "versions", ["source", "model", "created_at"]
    )


def make_audits() -> None:
    """Make the table audits."""
    op.create_table(
        "audits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("metric_set", sa.Integer(), nullable=False),
        sa.Column("policy_hash", sa.Text(), nullable=False),
        sa.Column("weights_digest", sa.Text(), nullable=True),
        sa.Column("alpha_median", sa.Double(), nullable=True),
        sa.Column("log_spectral_norm_mean", sa.Double(), nullable=True),
        sa.Column("distance_mean", sa.Double(), nullable=True),
        sa.Column("findings_new", sa.Integer(), nullable=False),
        sa.Column("saved_at", MOMENT, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_audits_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_audits"),
        sa.UniqueConstraint("version_id", "document_id", name="uq_audits_version_id_document_id"),
    )
    op.create_index("ix_audits_document_id", "audits", ["document_id"])
    op.create_index("ix_audits_weights_digest", "audits", ["weights_digest"])


def make_claims() -> None:
    """Make the table claims."""
    op.create_table(
        "claims",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_claims_version_id"),
        sa.PrimaryKeyConstraint("version_id", name="pk_claims"),
    )
    op.create_index("ix_claims_state", "claims", ["state"])


def make_decisions() -> None:
    """Make the table decisions."""
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_decisions_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )
    op.create_index("ix_decisions_version_id", "decisions", ["version_id"])


def make_deliveries() -> None:
    """Make the table deliveries."""
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("sink", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("delivered_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["audit_id"], ["audits.id"], name="fk_deliveries_audit_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_audit_id", "deliveries", ["audit_id"])
    op.create_index("ix_deliveries_state", "deliveries", ["state"])


def make_findings() -> None:
    """Make the table findings."""
    op.create_table(
        "findings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("check", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("waiver", sa.Text(), nullable=True),
        sa.Column("first_seen", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["audit_id"], ["audits.id"], name="fk_findings_audit_id"),
        sa.PrimaryKeyConstraint("id", name="pk_findings"),
    )
    op.create_index("ix_findings_audit_id", "findings", ["audit_id"])


def make_layers() -> None:
    """Make the table layers."""
    op.create_table(
        "layers",
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=True),
        sa.Column("alpha_lo", sa.Double(), nullable=True),
        sa.Column("alpha_hi", sa.Double(), nullable=True),
        sa.Column("log_spectral_norm", sa.Double(), nullable=True),
        sa.Column("stable_rank", sa.Double(), nullable=True),
        sa.Column("num_traps", sa.Double(), nullable=True),
        sa.Column("distance", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["audit_id"], ["audits.id"], name="fk_layers_audit_id"),
        sa.PrimaryKeyConstraint("audit_id", "index", name="pk_layers"),
    )
    op.create_index("ix_layers_digest", "layers", ["digest"])
