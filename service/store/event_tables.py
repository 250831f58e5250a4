"""The tables of events: the outbox, the endpoints that are told, and what is owed to each."""

from __future__ import annotations

import sqlalchemy as sa

from service.store.columns import at, count, metadata, not_negative, one_of, own_id, ref, site
from service.store.types import Id, Json, Long

#: Events committed with the change; ids only, never text. Swept after their retention.
#: `seq` grows with the transactions of one comment, `position` is given by the relay in the order in which it sees
#: commits: whoever has read up to a position misses nothing that is committed later.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", Long, primary_key=True, autoincrement=True),
    sa.Column("id", Id, nullable=False),
    site(),
    sa.Column("type", sa.String(60), nullable=False),
    sa.Column("thread_id", Id, nullable=True),
    sa.Column("comment_id", Id, nullable=True),
    sa.Column("revision_id", Id, nullable=True),
    sa.Column("data", Json, nullable=False),
    at("created_at"),
    sa.Column("position", Long, nullable=True),
    sa.UniqueConstraint("id", name="uq_outbox_id"),
    sa.Index("uq_outbox_position", "position", unique=True),
    sa.Index("ix_outbox_site_position", "site_id", "position"),
    sa.Index("ix_outbox_created_at", "created_at"),
    sa.Index("ix_outbox_thread_id", "thread_id"),
    sqlite_autoincrement=True,
)
_UNRELAYED = outbox.c.position.is_(None)
sa.Index("ix_outbox_unrelayed", outbox.c.seq, sqlite_where=_UNRELAYED, postgresql_where=_UNRELAYED)

#: The last position given, in its one row, whose lock lets one relay at a time give the next.
outbox_heads = sa.Table(
    "outbox_heads",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", Long, nullable=False),
)

#: Up to which position a site's events are gone by retention: who asks for an earlier one has missed some.
outbox_ends = sa.Table(
    "outbox_ends",
    metadata,
    sa.Column("site_id", Id, sa.ForeignKey("sites.id"), primary_key=True),
    sa.Column("position", Long, nullable=False),
)

webhook_endpoints = sa.Table(
    "webhook_endpoints",
    metadata,
    own_id(),
    site(),
    sa.Column("url", sa.String(2048), nullable=False),
    sa.Column("description", sa.String(300), nullable=False),
    sa.Column("events", Json, nullable=False),
    # The names are shown; the values are the receiver's secrets.
    sa.Column("header_names", Json, nullable=False),
    sa.Column("headers_sealed", sa.Text, nullable=True),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("reason", sa.String(40), nullable=True),
    # Since its last success.
    count("failures"),
    at("failing_since", nullable=True),
    at("closed_until", nullable=True),
    at("last_success_at", nullable=True),
    at("last_failure_at", nullable=True),
    at("created_at"),
    at("changed_at"),
    one_of("status", ["active", "paused", "disabled"]),
    *not_negative("failures"),
    sa.Index("ix_webhook_endpoints_site_id", "site_id", "id"),
)

webhook_secrets = sa.Table(
    "webhook_secrets",
    metadata,
    own_id(),
    site(),
    ref("endpoint_id", "webhook_endpoints"),
    sa.Column("sealed", sa.Text, nullable=False),
    at("created_at"),
    at("expires_at", nullable=True),
    sa.Index("ix_webhook_secrets_endpoint_id", "endpoint_id"),
)

#: One event owed to one endpoint. Those of one `order_key` go out one after the other, in the order of `seq`.
webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    own_id(),
    site(),
    ref("endpoint_id", "webhook_endpoints"),
    sa.Column("event_id", Id, sa.ForeignKey("outbox.id"), nullable=False),
    sa.Column("event_type", sa.String(60), nullable=False),
    sa.Column("comment_id", Id, nullable=True),
    sa.Column("seq", Long, nullable=False),
    sa.Column("order_key", sa.String(80), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    count("attempts"),
    # Those before the last replay are in the log and count no more.
    count("attempts_before"),
    at("next_attempt_at"),
    sa.Column("lease", Id, nullable=True),
    at("lease_expires_at", nullable=True),
    sa.Column("last_status", sa.Integer, nullable=True),
    sa.Column("last_error", sa.String(40), nullable=True),
    at("created_at"),
    at("finished_at", nullable=True),
    one_of("state", ["pending", "delivered", "dead", "cancelled"]),
    *not_negative("attempts", "attempts_before"),
    sa.UniqueConstraint("endpoint_id", "event_id", name="uq_webhook_deliveries_event"),
    sa.Index("ix_webhook_deliveries_event_id", "event_id"),
    sa.Index("ix_webhook_deliveries_log", "endpoint_id", "seq"),
    sa.Index("ix_webhook_deliveries_finished_at", "site_id", "finished_at"),
)
_LEASED = webhook_deliveries.c.lease.is_not(None)
sa.Index(
    "ix_webhook_deliveries_leased",
    webhook_deliveries.c.endpoint_id,
    webhook_deliveries.c.lease_expires_at,
    sqlite_where=_LEASED,
    postgresql_where=_LEASED,
)
_PENDING = webhook_deliveries.c.state == sa.literal_column("'pending'")
for _name, _columns in {
    "ix_webhook_deliveries_due": ("endpoint_id", "next_attempt_at", "seq"),
    "ix_webhook_deliveries_order": ("endpoint_id", "order_key", "seq"),
}.items():
    sa.Index(
        _name,
        *(webhook_deliveries.c[column] for column in _columns),
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )
#: What is shown with each endpoint: how much it is owed, and how much is dead.
_OPEN = webhook_deliveries.c.state.in_([sa.literal_column("'pending'"), sa.literal_column("'dead'")])
sa.Index(
    "ix_webhook_deliveries_open",
    webhook_deliveries.c.site_id,
    webhook_deliveries.c.endpoint_id,
    webhook_deliveries.c.state,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

#: One POST of a delivery. What the receiver answered is kept as its status alone.
webhook_attempts = sa.Table(
    "webhook_attempts",
    metadata,
    own_id(),
    site(),
    ref("delivery_id", "webhook_deliveries"),
    sa.Column("number", sa.Integer, nullable=False),
    at("started_at"),
    sa.Column("milliseconds", sa.Integer, nullable=False),
    sa.Column("status", sa.Integer, nullable=True),
    sa.Column("error", sa.String(40), nullable=True),
    sa.Index("ix_webhook_attempts_delivery_id", "delivery_id", "number"),
)

#: What is watched on each site and was told of last: the scorer, the queue's backlog.
watched_states = sa.Table(
    "watched_states",
    metadata,
    sa.Column("site_id", Id, sa.ForeignKey("sites.id"), primary_key=True),
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("state", sa.String(20), nullable=False),
    at("since"),
)
