"""Scores for other systems: what their keys may, and the labels that they send back."""

import sqlalchemy as sa
from alembic import op

from service.store.types import Id, Instant

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    with op.batch_alter_table("api_tokens") as table:
        table.add_column(sa.Column("per_minute", sa.Integer, nullable=False, server_default="600"))
        table.add_column(sa.Column("may_store", sa.Boolean, nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("scale", sa.String(12), nullable=False, server_default="perspective"))
        table.create_check_constraint(op.f("ck_api_tokens_scale"), "scale IN ('perspective', 'probability')")
        table.create_check_constraint(op.f("ck_api_tokens_per_minute"), "per_minute >= 0")
    _make_suggested_scores()


def _make_suggested_scores() -> None:
    op.create_table(
        "suggested_scores",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("token_id", Id, nullable=False),
        sa.Column("community_id", sa.String(256), nullable=True),
        sa.Column("client_token", sa.String(256), nullable=True),
        sa.Column("text_hash", sa.String(64), nullable=True),
        sa.Column("text", sa.Text, nullable=True),
        sa.Column("attribute", sa.String(24), nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("our_score", sa.Float, nullable=True),
        sa.Column("model_id", sa.String(120), nullable=True),
        sa.Column("language", sa.String(8), nullable=True),
        sa.Column("created_at", Instant, nullable=False),
        sa.CheckConstraint("value >= 0 AND value <= 1", name=op.f("ck_suggested_scores_value")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_suggested_scores_site_id"),
        sa.ForeignKeyConstraint(["token_id"], ["api_tokens.id"], name="fk_suggested_scores_token_id"),
        sa.PrimaryKeyConstraint("id", name="pk_suggested_scores"),
    )
    op.create_index("ix_suggested_scores_community", "suggested_scores", ["site_id", "community_id", "attribute", "id"])
    op.create_index("ix_suggested_scores_client_token", "suggested_scores", ["site_id", "client_token"])
    op.create_index("ix_suggested_scores_created_at", "suggested_scores", ["site_id", "created_at"])


def downgrade() -> None:
    op.drop_table("suggested_scores")
    with op.batch_alter_table("api_tokens") as table:
        table.drop_constraint(op.f("ck_api_tokens_per_minute"), type_="check")
        table.drop_constraint(op.f("ck_api_tokens_scale"), type_="check")
        for column in ("scale", "may_store", "per_minute"):
            table.drop_column(column)
