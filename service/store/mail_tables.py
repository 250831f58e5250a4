"""The tables of mail: who wants to be written to, and what is owed to whom."""

from __future__ import annotations

import sqlalchemy as sa

from service.store.columns import at, count, flag, metadata, not_negative, one_of, own_id, ref, site
from service.store.types import Id

#: The address of a commenter on a site; another address is another row, so that links in old letters lead nowhere.
mail_addresses = sa.Table(
    "mail_addresses",
    metadata,
    own_id(),
    site(),
    ref("commenter_id", "commenters"),
    sa.Column("address_sealed", sa.Text, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    flag("replies"),
    flag("decisions"),
    sa.Column("locale", sa.String(8), nullable=False),
    # Of the link in the confirmation, which may be opened twice.
    sa.Column("token_hash", sa.String(64), nullable=True),
    at("token_expires_at", nullable=True),
    # When something was last begun to be sent, so that all get their turn.
    at("served_at", nullable=True),
    at("created_at"),
    at("confirmed_at", nullable=True),
    one_of("state", ["waiting", "confirmed", "disabled"]),
    sa.UniqueConstraint("commenter_id"),
    sa.UniqueConstraint("token_hash"),
    sa.Index("ix_mail_addresses_state_created_at", "state", "created_at"),
)

#: One thing to be told to a commenter by mail. `key` names what it is about, so that nothing is told twice.
mails = sa.Table(
    "mails",
    metadata,
    own_id(),
    site(),
    ref("commenter_id", "commenters"),
    sa.Column("address_id", Id, nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("key", sa.String(80), nullable=False),
    sa.Column("thread_id", Id, nullable=True),
    sa.Column("comment_id", Id, nullable=True),
    sa.Column("decision_id", Id, nullable=True),
    # The token of a confirmation until it was sent.
    sa.Column("token_sealed", sa.Text, nullable=True),
    sa.Column("state", sa.String(10), nullable=False),
    count("attempts"),
    at("next_attempt_at"),
    sa.Column("lease", Id, nullable=True),
    at("lease_expires_at", nullable=True),
    sa.Column("last_error", sa.String(40), nullable=True),
    at("created_at"),
    at("finished_at", nullable=True),
    one_of("kind", ["confirm", "reply", "decision"]),
    one_of("state", ["owed", "sent", "dropped", "failed"]),
    *not_negative("attempts"),
    sa.UniqueConstraint("commenter_id", "key"),
    # What was sent about a thread lately.
    sa.Index("ix_mails_thread", "address_id", "thread_id", "finished_at"),
    sa.Index("ix_mails_created_at", "created_at"),
)
_OWED = mails.c.state == sa.literal_column("'owed'")
sa.Index("ix_mails_due", mails.c.next_attempt_at, sqlite_where=_OWED, postgresql_where=_OWED)
sa.Index("ix_mails_owed", mails.c.address_id, mails.c.next_attempt_at, sqlite_where=_OWED, postgresql_where=_OWED)
