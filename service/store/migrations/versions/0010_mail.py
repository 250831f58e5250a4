"""Mail to authors: addresses that were typed, sealed, and what is owed to them."""

import sqlalchemy as sa
from alembic import op

from service.store.types import Id, Instant

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    _make_addresses()
    _make_mails()


def _make_addresses() -> None:
    op.create_table(
        "mail_addresses",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("commenter_id", Id, nullable=False),
        sa.Column("address_sealed", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("replies", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("decisions", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("locale", sa.String(8), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=True),
        sa.Column("token_expires_at", Instant, nullable=True),
        sa.Column("served_at", Instant, nullable=True),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("confirmed_at", Instant, nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'confirmed', 'disabled')", name=op.f("ck_mail_addresses_state")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_mail_addresses_site_id"),
        sa.ForeignKeyConstraint(["commenter_id"], ["commenters.id"], name="fk_mail_addresses_commenter_id"),
        sa.PrimaryKeyConstraint("id", name="pk_mail_addresses"),
        sa.UniqueConstraint("commenter_id", name="uq_mail_addresses_commenter_id"),
        sa.UniqueConstraint("token_hash", name="uq_mail_addresses_token_hash"),
    )
    op.create_index("ix_mail_addresses_state_created_at", "mail_addresses", ["state", "created_at"])


def _make_mails() -> None:
    op.create_table(
        "mails",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("commenter_id", Id, nullable=False),
        sa.Column("address_id", Id, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("thread_id", Id, nullable=True),
        sa.Column("comment_id", Id, nullable=True),
        sa.Column("decision_id", Id, nullable=True),
        sa.Column("token_sealed", sa.Text, nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", Instant, nullable=False),
        sa.Column("lease", Id, nullable=True),
        sa.Column("lease_expires_at", Instant, nullable=True),
        sa.Column("last_error", sa.String(40), nullable=True),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("finished_at", Instant, nullable=True),
        sa.CheckConstraint("kind IN ('confirm', 'reply', 'decision')", name=op.f("ck_mails_kind")),
        sa.CheckConstraint("state IN ('owed', 'sent', 'dropped', 'failed')", name=op.f("ck_mails_state")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_mails_attempts")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_mails_site_id"),
        sa.ForeignKeyConstraint(["commenter_id"], ["commenters.id"], name="fk_mails_commenter_id"),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
        sa.UniqueConstraint("commenter_id", "key", name="uq_mails_commenter_id_key"),
    )
    op.create_index("ix_mails_thread", "mails", ["address_id", "thread_id", "finished_at"])
    op.create_index("ix_mails_created_at", "mails", ["created_at"])
    owed = sa.text("state = 'owed'")
    for name, columns in (("ix_mails_due", ["next_attempt_at"]), ("ix_mails_owed", ["address_id", "next_attempt_at"])):
        op.create_index(name, "mails", columns, sqlite_where=owed, postgresql_where=owed)


def downgrade() -> None:
    op.drop_table("mails")
    op.drop_table("mail_addresses")
