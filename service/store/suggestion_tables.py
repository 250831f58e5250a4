"""The table of what people said a text should have scored, told by systems that score through us."""

from __future__ import annotations

import sqlalchemy as sa

from service.store.columns import at, metadata, own_id, ref, site

#: One attribute of one text, as a person judged it, beside what our model said of it then; append-only.
suggested_scores = sa.Table(
    "suggested_scores",
    metadata,
    own_id(),
    site(),
    ref("token_id", "api_tokens"),
    # The client's own words for where the text is from and which it is.
    sa.Column("community_id", sa.String(256), nullable=True),
    sa.Column("client_token", sa.String(256), nullable=True),
    # SHA-256 of the text, null where nothing may be stored of it; the text itself where the key allows it.
    sa.Column("text_hash", sa.String(64), nullable=True),
    sa.Column("text", sa.Text, nullable=True),
    sa.Column("attribute", sa.String(24), nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    # As the model gave it, under no calibration and on no other scale; null where nobody answered in time.
    sa.Column("our_score", sa.Float, nullable=True),
    sa.Column("model_id", sa.String(120), nullable=True),
    sa.Column("language", sa.String(8), nullable=True),
    at("created_at"),
    sa.CheckConstraint("value >= 0 AND value <= 1", name="value"),
    sa.Index("ix_suggested_scores_community", "site_id", "community_id", "attribute", "id"),
    sa.Index("ix_suggested_scores_client_token", "site_id", "client_token"),
    sa.Index("ix_suggested_scores_created_at", "site_id", "created_at"),
)
