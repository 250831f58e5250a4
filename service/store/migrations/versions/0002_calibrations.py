"""Calibrations as data, what a model said before one, the window that made a score, and the words that did."""

import sqlalchemy as sa
from alembic import op

from service.store.types import Id, Instant, Json, NullableJson

revision = "0002"
down_revision = "0001"

_IN_FORCE_SITE = sa.text("retired_at IS NULL AND site_id IS NOT NULL")
_IN_FORCE_INSTALLATION = sa.text("retired_at IS NULL AND site_id IS NULL")


def upgrade() -> None:
    op.create_table(
        "calibrations",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=True),
        sa.Column("model_id", sa.String(length=120), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("report", Json, nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=True),
        sa.Column("retired_at", Instant(), nullable=True),
        sa.CheckConstraint("source IN ('labels', 'decisions')", name=op.f("ck_calibrations_source")),
        sa.CheckConstraint("rows >= 0", name=op.f("ck_calibrations_rows")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_calibrations_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
    )
    op.create_index("ix_calibrations_site_id", "calibrations", ["site_id", "id"], unique=False)
    op.create_index(
        "uq_calibrations_in_force_site",
        "calibrations",
        ["site_id", "model_id"],
        unique=True,
        sqlite_where=_IN_FORCE_SITE,
        postgresql_where=_IN_FORCE_SITE,
    )
    op.create_index(
        "uq_calibrations_in_force_installation",
        "calibrations",
        ["model_id"],
        unique=True,
        sqlite_where=_IN_FORCE_INSTALLATION,
        postgresql_where=_IN_FORCE_INSTALLATION,
    )
    op.add_column("scores", sa.Column("raw", NullableJson, nullable=True))
    op.add_column("scores", sa.Column("calibration", sa.String(length=40), nullable=True))
    op.add_column("scores", sa.Column("window", NullableJson, nullable=True))
    op.add_column("review_items", sa.Column("spans", NullableJson, nullable=True))


def downgrade() -> None:
    op.drop_column("review_items", "spans")
    op.drop_column("scores", "window")
    op.drop_column("scores", "calibration")
    op.drop_column("scores", "raw")
    op.drop_table("calibrations")
