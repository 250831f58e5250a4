"""Signed commenters, accounts and sessions, sanctions, fingerprints of removed texts, and a chained audit."""

import sqlalchemy as sa
from alembic import op

from service.store.types import Id, Instant, Json, NullableJson

revision = "0003"
down_revision = "0002"

_CHAIN = ("chain", "sequence", "salt", "data_hash", "previous_hash", "hash", "erased_at")
_SITE_SETTINGS = ("identity", "limits", "spam", "retention")


def upgrade() -> None:
    _accounts()
    _sanctions()
    _fingerprints()
    op.create_table(
        "network_keys",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_keys")),
    )
    _audit_chain()
    op.add_column("commenters", sa.Column("avatar_url", sa.String(length=2048), nullable=True))
    op.add_column("commenters", sa.Column("verified", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("commenters", sa.Column("badges", Json, server_default="[]", nullable=False))
    op.add_column("commenters", sa.Column("trusted", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("commenters", sa.Column("last_seen_at", Instant(), nullable=True))
    op.add_column("commenters", sa.Column("erasure", sa.String(length=10), nullable=True))
    unfinished = sa.text("erasure IS NOT NULL")
    op.create_index("ix_commenters_erasure", "commenters", ["id"], sqlite_where=unfinished, postgresql_where=unfinished)
    op.add_column("comments", sa.Column("author_shown", NullableJson, nullable=True))
    op.add_column("revisions", sa.Column("submission", NullableJson, nullable=True))
    op.create_index("ix_revisions_network", "revisions", ["network_hash", "created_at"])
    op.add_column("sites", sa.Column("retention_applied_at", Instant(), nullable=True))
    for name in _SITE_SETTINGS:
        op.add_column("sites", sa.Column(name, NullableJson, nullable=True))


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", Id, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("totp_sealed", sa.Text(), nullable=True),
        sa.Column("totp_confirmed_at", Instant(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("recovery_hashes", Json, server_default="[]", nullable=False),
        sa.Column("oidc_issuer", sa.String(length=300), nullable=True),
        sa.Column("oidc_subject", sa.String(length=300), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("email", name=op.f("uq_accounts_email")),
        sa.UniqueConstraint("oidc_issuer", "oidc_subject", name="uq_accounts_oidc"),
    )
    # Written out, since SQLite adds a foreign key with its column only.
    collation = ' COLLATE "C"' if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(
        f"ALTER TABLE members ADD COLUMN account_id VARCHAR(36){collation} "
        "CONSTRAINT fk_members_account_id REFERENCES accounts (id)"
    )
    op.create_index("ix_members_account_id", "members", ["account_id"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", Id, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_invitations_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_index("ix_invitations_account_id", "invitations", ["account_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", Id, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("last_used_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_sessions_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"], unique=False)
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], unique=False)


def _sanctions() -> None:
    op.create_table(
        "sanctions",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("commenter_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("imposed_by", sa.String(length=80), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=True),
        sa.Column("lifted_at", Instant(), nullable=True),
        sa.Column("lifted_by", sa.String(length=80), nullable=True),
        sa.Column("swept", Json, server_default="[]", nullable=False),
        sa.CheckConstraint("kind IN ('ban', 'suspension', 'pre_moderation')", name=op.f("ck_sanctions_kind")),
        sa.ForeignKeyConstraint(["commenter_id"], ["commenters.id"], name=op.f("fk_sanctions_commenter_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_sanctions_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sanctions")),
    )
    op.create_index("ix_sanctions_commenter_id", "sanctions", ["commenter_id", "id"], unique=False)
    op.create_index("ix_sanctions_site_id", "sanctions", ["site_id", "id"], unique=False)


def _fingerprints() -> None:
    op.create_table(
        "fingerprints",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("comment_id", Id, nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("sketch", Json, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("lifted_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], name=op.f("fk_fingerprints_comment_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_fingerprints_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fingerprints")),
    )
    op.create_index("ix_fingerprints_comment_id", "fingerprints", ["comment_id"], unique=False)
    op.create_index("ix_fingerprints_text_hash", "fingerprints", ["site_id", "text_hash"], unique=False)
    op.create_table(
        "fingerprint_bands",
        sa.Column("site_id", Id, nullable=False),
        sa.Column("band", sa.String(length=40), nullable=False),
        sa.Column("fingerprint_id", Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["fingerprint_id"], ["fingerprints.id"], name=op.f("fk_fingerprint_bands_fingerprint_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_fingerprint_bands_site_id")),
        sa.PrimaryKeyConstraint("site_id", "band", "fingerprint_id", name=op.f("pk_fingerprint_bands")),
    )
    op.create_index("ix_fingerprint_bands_fingerprint_id", "fingerprint_bands", ["fingerprint_id"], unique=False)


def _audit_chain() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("chain", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_heads")),
    )
    op.add_column("audit_events", sa.Column("chain", sa.String(length=36), nullable=True))
    op.add_column("audit_events", sa.Column("sequence", sa.Integer(), nullable=True))
    op.add_column("audit_events", sa.Column("salt", sa.String(length=32), nullable=True))
    op.add_column("audit_events", sa.Column("data_hash", sa.String(length=64), nullable=True))
    op.add_column("audit_events", sa.Column("previous_hash", sa.String(length=64), nullable=True))
    op.add_column("audit_events", sa.Column("hash", sa.String(length=64), nullable=True))
    op.add_column("audit_events", sa.Column("erased_at", Instant(), nullable=True))
    op.create_index("uq_audit_events_chain_sequence", "audit_events", ["chain", "sequence"], unique=True)


def downgrade() -> None:
    for name in _SITE_SETTINGS:
        op.drop_column("sites", name)
    op.drop_index("ix_revisions_network", table_name="revisions")
    op.drop_column("comments", "author_shown")
    op.drop_column("revisions", "submission")
    op.drop_column("sites", "retention_applied_at")
    op.drop_index("ix_commenters_erasure", table_name="commenters")
    for name in ("erasure", "last_seen_at", "trusted", "badges", "verified", "avatar_url"):
        op.drop_column("commenters", name)
    op.drop_index("uq_audit_events_chain_sequence", table_name="audit_events")
    for name in _CHAIN:
        op.drop_column("audit_events", name)
    op.drop_table("audit_heads")
    op.drop_table("network_keys")
    op.drop_table("fingerprint_bands")
    op.drop_table("fingerprints")
    op.drop_table("sanctions")
    op.drop_table("sessions")
    op.drop_table("invitations")
    op.drop_index("ix_members_account_id", table_name="members")
    op.drop_column("members", "account_id")
    op.drop_table("accounts")
