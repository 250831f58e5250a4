"""Events in an order that a reader can rely on, the endpoints that are told of them, and what is owed to each."""

import sqlalchemy as sa
from alembic import op

from service.store.types import Id, Instant, Json, Long, NullableJson

revision = "0004"
down_revision = "0003"

_COPIED = "id, site_id, type, thread_id, comment_id, revision_id, data, created_at"


def upgrade() -> None:
    op.add_column("sites", sa.Column("alerts", NullableJson, nullable=True))
    op.add_column("threads", sa.Column("closing_told_at", Instant(), nullable=True))
    # What closed long ago is no news.
    op.execute("UPDATE threads SET closing_told_at = closes_at WHERE closes_at <= CURRENT_TIMESTAMP")
    to_close = sa.text("closes_at IS NOT NULL AND closing_told_at IS NULL")
    op.create_index("ix_threads_to_close", "threads", ["closes_at"], sqlite_where=to_close, postgresql_where=to_close)
    _outbox()
    _endpoints()
    _deliveries()
    op.create_table(
        "watched_states",
        sa.Column("site_id", Id, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_watched_states_site_id")),
        sa.PrimaryKeyConstraint("site_id", "name", name=op.f("pk_watched_states")),
    )


def _outbox() -> None:
    """Copy the events into a table that numbers them; the order of their ids is the best that is known of it."""
    _put_aside()
    op.create_table(
        "outbox",
        sa.Column("seq", Long, autoincrement=True, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("thread_id", Id, nullable=True),
        sa.Column("comment_id", Id, nullable=True),
        sa.Column("revision_id", Id, nullable=True),
        sa.Column("data", Json, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("position", Long, nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_outbox_site_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
        sa.UniqueConstraint("id", name="uq_outbox_id"),
        sqlite_autoincrement=True,
    )
    op.execute(
        f"INSERT INTO outbox ({_COPIED}, position) "  # noqa: S608
        f"SELECT {_COPIED}, row_number() OVER (ORDER BY id) FROM outbox_before ORDER BY id"
    )
    op.drop_table("outbox_before")
    op.create_index("uq_outbox_position", "outbox", ["position"], unique=True)
    op.create_index("ix_outbox_site_position", "outbox", ["site_id", "position"])
    op.create_index("ix_outbox_created_at", "outbox", ["created_at"])
    op.create_index("ix_outbox_thread_id", "outbox", ["thread_id"])
    unrelayed = sa.text("position IS NULL")
    op.create_index("ix_outbox_unrelayed", "outbox", ["seq"], sqlite_where=unrelayed, postgresql_where=unrelayed)
    op.create_table(
        "outbox_heads",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_heads")),
    )
    op.execute("INSERT INTO outbox_heads (id, position) SELECT 1, coalesce(max(position), 0) FROM outbox")
    op.create_table(
        "outbox_ends",
        sa.Column("site_id", Id, nullable=False),
        sa.Column("position", Long, nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_outbox_ends_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_outbox_ends")),
    )


def _put_aside() -> None:
    for name in ("ix_outbox_created_at", "ix_outbox_thread_id"):
        op.drop_index(name, table_name="outbox")
    op.rename_table("outbox", "outbox_before")
    if op.get_bind().dialect.name == "postgresql":
        # The name of a key is one of the schema there, not of its table.
        op.execute("ALTER TABLE outbox_before DROP CONSTRAINT pk_outbox")


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("description", sa.String(length=300), nullable=False),
        sa.Column("events", Json, nullable=False),
        sa.Column("header_names", Json, nullable=False),
        sa.Column("headers_sealed", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", Instant(), nullable=True),
        sa.Column("closed_until", Instant(), nullable=True),
        sa.Column("last_success_at", Instant(), nullable=True),
        sa.Column("last_failure_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'paused', 'disabled')", name=op.f("ck_webhook_endpoints_status")),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_webhook_endpoints_failures")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_webhook_endpoints_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index("ix_webhook_endpoints_site_id", "webhook_endpoints", ["site_id", "id"])
    op.create_table(
        "webhook_secrets",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("endpoint_id", Id, nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_secrets_endpoint_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_webhook_secrets_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secrets")),
    )
    op.create_index("ix_webhook_secrets_endpoint_id", "webhook_secrets", ["endpoint_id"])


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("endpoint_id", Id, nullable=False),
        sa.Column("event_id", Id, nullable=False),
        sa.Column("event_type", sa.String(length=60), nullable=False),
        sa.Column("comment_id", Id, nullable=True),
        sa.Column("seq", Long, nullable=False),
        sa.Column("order_key", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts_before", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", Instant(), nullable=False),
        sa.Column("lease", Id, nullable=True),
        sa.Column("lease_expires_at", Instant(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(length=40), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'dead', 'cancelled')", name=op.f("ck_webhook_deliveries_state")
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_webhook_deliveries_attempts")),
        sa.CheckConstraint("attempts_before >= 0", name=op.f("ck_webhook_deliveries_attempts_before")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_deliveries_endpoint_id")
        ),
        sa.ForeignKeyConstraint(["event_id"], ["outbox.id"], name=op.f("fk_webhook_deliveries_event_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_webhook_deliveries_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("endpoint_id", "event_id", name="uq_webhook_deliveries_event"),
    )
    op.create_index("ix_webhook_deliveries_event_id", "webhook_deliveries", ["event_id"])
    op.create_index("ix_webhook_deliveries_log", "webhook_deliveries", ["endpoint_id", "seq"])
    op.create_index("ix_webhook_deliveries_finished_at", "webhook_deliveries", ["site_id", "finished_at"])
    leased = sa.text("lease IS NOT NULL")
    op.create_index(
        "ix_webhook_deliveries_leased",
        "webhook_deliveries",
        ["endpoint_id", "lease_expires_at"],
        sqlite_where=leased,
        postgresql_where=leased,
    )
    pending = sa.text("state = 'pending'")
    for name, columns in {
        "ix_webhook_deliveries_due": ["endpoint_id", "next_attempt_at", "seq"],
        "ix_webhook_deliveries_order": ["endpoint_id", "order_key", "seq"],
    }.items():
        op.create_index(name, "webhook_deliveries", columns, sqlite_where=pending, postgresql_where=pending)
    op.create_table(
        "webhook_attempts",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("delivery_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["webhook_deliveries.id"], name=op.f("fk_webhook_attempts_delivery_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_webhook_attempts_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempts")),
    )
    op.create_index("ix_webhook_attempts_delivery_id", "webhook_attempts", ["delivery_id", "number"])


def downgrade() -> None:
    op.drop_column("sites", "alerts")
    op.drop_index("ix_threads_to_close", table_name="threads")
    op.drop_column("threads", "closing_told_at")
    for name in ("watched_states", "webhook_attempts", "webhook_deliveries", "webhook_secrets", "webhook_endpoints"):
        op.drop_table(name)
    op.drop_table("outbox_ends")
    op.drop_table("outbox_heads")
    for name in ("uq_outbox_position", "ix_outbox_site_position", "ix_outbox_unrelayed"):
        op.drop_index(name, table_name="outbox")
    for name in ("ix_outbox_created_at", "ix_outbox_thread_id"):
        op.drop_index(name, table_name="outbox")
    op.rename_table("outbox", "outbox_after")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE outbox_after DROP CONSTRAINT pk_outbox")
    op.create_table(
        "outbox",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("thread_id", Id, nullable=True),
        sa.Column("comment_id", Id, nullable=True),
        sa.Column("revision_id", Id, nullable=True),
        sa.Column("data", Json, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_outbox_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.execute(f"INSERT INTO outbox ({_COPIED}) SELECT {_COPIED} FROM outbox_after")  # noqa: S608
    op.drop_table("outbox_after")
    op.create_index("ix_outbox_created_at", "outbox", ["created_at"], unique=False)
    op.create_index("ix_outbox_thread_id", "outbox", ["thread_id"], unique=False)
