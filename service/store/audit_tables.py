"""The tables of what was done by whom, hash-chained."""

from __future__ import annotations

import sqlalchemy as sa

from service.store.columns import at, metadata, own_id
from service.store.types import Id, Json

#: Append-only, each row chained to the one before it in its chain: a site's own, or the installation's.
audit_events = sa.Table(
    "audit_events",
    metadata,
    own_id(),
    sa.Column("site_id", Id, sa.ForeignKey("sites.id"), nullable=True),
    sa.Column("actor_kind", sa.String(12), nullable=False),
    sa.Column("actor", sa.String(80), nullable=True),
    sa.Column("action", sa.String(60), nullable=False),
    sa.Column("subject", sa.String(600), nullable=True),
    # Empty once it was erased; `data_hash`, taken with a salt that is erased with it, stays in the chain.
    sa.Column("data", Json, nullable=False),
    at("created_at"),
    # Null in rows from before there were chains.
    sa.Column("chain", sa.String(36), nullable=True),
    sa.Column("sequence", sa.Integer, nullable=True),
    sa.Column("salt", sa.String(32), nullable=True),
    sa.Column("data_hash", sa.String(64), nullable=True),
    sa.Column("previous_hash", sa.String(64), nullable=True),
    sa.Column("hash", sa.String(64), nullable=True),
    at("erased_at", nullable=True),
    sa.Index("uq_audit_events_chain_sequence", "chain", "sequence", unique=True),
    sa.Index("ix_audit_events_site_id", "site_id", "id"),
    # An erasure finds what is about somebody by it.
    sa.Index("ix_audit_events_subject", "subject"),
)

#: The end of each chain, so that a missing last row is noticed too.
audit_heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("chain", sa.String(36), primary_key=True),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
