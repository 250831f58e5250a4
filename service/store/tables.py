"""The tables. What the law will ask for is here from the first migration (see docs/decisions)."""

from __future__ import annotations

import sqlalchemy as sa

from moderation.decision import Status
from service.store.audit_tables import audit_events as audit_events
from service.store.audit_tables import audit_heads as audit_heads
from service.store.columns import at, count, flag, not_negative, one_of, own_id, ref, site
from service.store.columns import metadata as metadata
from service.store.event_tables import outbox as outbox
from service.store.event_tables import outbox_ends as outbox_ends
from service.store.event_tables import outbox_heads as outbox_heads
from service.store.event_tables import watched_states as watched_states
from service.store.event_tables import webhook_attempts as webhook_attempts
from service.store.event_tables import webhook_deliveries as webhook_deliveries
from service.store.event_tables import webhook_endpoints as webhook_endpoints
from service.store.event_tables import webhook_secrets as webhook_secrets
from service.store.mail_tables import mail_addresses as mail_addresses
from service.store.mail_tables import mails as mails
from service.store.people_tables import accounts as accounts
from service.store.people_tables import api_tokens as api_tokens
from service.store.people_tables import commenters as commenters
from service.store.people_tables import fingerprint_bands as fingerprint_bands
from service.store.people_tables import fingerprints as fingerprints
from service.store.people_tables import invitations as invitations
from service.store.people_tables import members as members
from service.store.people_tables import network_keys as network_keys
from service.store.people_tables import sanction_marks as sanction_marks
from service.store.people_tables import sanctions as sanctions
from service.store.people_tables import sessions as sessions
from service.store.people_tables import signing_keys as signing_keys
from service.store.review_tables import appeals as appeals
from service.store.review_tables import commenter_notes as commenter_notes
from service.store.review_tables import decisions as decisions
from service.store.review_tables import opinions as opinions
from service.store.review_tables import reports as reports
from service.store.review_tables import review_items as review_items
from service.store.review_tables import review_skips as review_skips
from service.store.suggestion_tables import suggested_scores as suggested_scores
from service.store.types import Id, Json, NullableJson, Path

sites = sa.Table(
    "sites",
    metadata,
    own_id(),
    sa.Column("slug", sa.String(63), nullable=False, unique=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("allowed_origins", Json, nullable=False),
    sa.Column("prompt", sa.String(300), nullable=False),
    sa.Column("guests_allowed", sa.Boolean, nullable=False),
    sa.Column("body_min_characters", sa.Integer, nullable=False),
    sa.Column("body_max_characters", sa.Integer, nullable=False),
    sa.Column("max_depth", sa.Integer, nullable=False),
    sa.Column("edit_window_seconds", sa.Integer, nullable=False),
    sa.Column("duplicate_window_seconds", sa.Integer, nullable=False),
    flag("emergency_pre_moderation"),
    # The word that readers' reaction goes by; null: there is none.
    sa.Column("reaction", sa.String(20), nullable=True, server_default="like"),
    # Whether an author is asked to think again before sending what a model finds insulting.
    flag("second_chance"),
    sa.Column("policy_version", sa.String(40), nullable=False),
    # How the publisher's accounts sign, what is limited, how spam is met and how long things are kept; null: defaults.
    sa.Column("identity", NullableJson, nullable=True),
    sa.Column("limits", NullableJson, nullable=True),
    sa.Column("spam", NullableJson, nullable=True),
    sa.Column("retention", NullableJson, nullable=True),
    sa.Column("alerts", NullableJson, nullable=True),
    # In which order and by whom a site's comments are looked at; null: defaults.
    sa.Column("review", NullableJson, nullable=True),
    # How a Coral asks about its comments, its signing secrets sealed; null: none does.
    sa.Column("coral", NullableJson, nullable=True),
    at("retention_applied_at", nullable=True),
    at("created_at"),
)

#: Append-only: a decision of years ago names its policy by version and it is still here.
policies = sa.Table(
    "policies",
    metadata,
    sa.Column("site_id", Id, sa.ForeignKey("sites.id"), primary_key=True),
    sa.Column("version", sa.String(40), primary_key=True),
    sa.Column("document", Json, nullable=False),
    at("created_at"),
    sa.Column("created_by", sa.String(80), nullable=True),
)

threads = sa.Table(
    "threads",
    metadata,
    own_id(),
    site(),
    sa.Column("page", sa.String(512), nullable=False),
    sa.Column("title", sa.String(300), nullable=True),
    sa.Column("prompt", sa.String(300), nullable=True),
    sa.Column("url", sa.String(2048), nullable=True),
    sa.Column("state", sa.String(10), nullable=False),
    at("closes_at", nullable=True),
    # When it was told that this time had come.
    at("closing_told_at", nullable=True),
    count("published_count"),
    count("version"),
    # From when the likes since the last version make a new one; null: there are none.
    at("likes_turn_at", nullable=True),
    sa.Column("policy_version", sa.String(40), nullable=True),
    at("created_at"),
    one_of("state", ["open", "closed"]),
    *not_negative("published_count", "version"),
    sa.Index("ix_threads_site_id", "site_id", "id"),
)

_TO_CLOSE = sa.and_(threads.c.closes_at.is_not(None), threads.c.closing_told_at.is_(None))
sa.Index("ix_threads_to_close", threads.c.closes_at, sqlite_where=_TO_CLOSE, postgresql_where=_TO_CLOSE)

#: Every page key that leads to a thread: its own, and those it had before a move or a merge.
thread_pages = sa.Table(
    "thread_pages",
    metadata,
    sa.Column("site_id", Id, sa.ForeignKey("sites.id"), primary_key=True),
    sa.Column("page", sa.String(512), primary_key=True),
    ref("thread_id", "threads"),
    sa.Index("ix_thread_pages_thread_id", "thread_id"),
)

comments = sa.Table(
    "comments",
    metadata,
    own_id(),
    site(),
    ref("thread_id", "threads"),
    ref("parent_id", "comments", nullable=True),
    ref("commenter_id", "commenters"),
    sa.Column("path", Path, nullable=False),
    sa.Column("author_name", sa.String(80), nullable=True),
    sa.Column("author_kind", sa.String(10), nullable=False),
    # Badges and avatar as the publisher's token said when the comment was written; null where it said none.
    sa.Column("author_shown", NullableJson, nullable=True),
    # The commenter's own, so that readers can hide an author; erasure takes it.
    sa.Column("author_key", sa.String(16), nullable=True),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("status_by_person", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("shown_revision", sa.Integer, nullable=True),
    sa.Column("latest_revision", sa.Integer, nullable=False),
    # Visible: published, or a tombstone that holds up a visible reply.
    flag("visible"),
    count("visible_replies"),
    count("reply_count"),
    count("likes"),
    # Set by moderators, and only while it is published.
    at("featured_at", nullable=True),
    at("pinned_at", nullable=True),
    at("created_at"),
    at("edited_at", nullable=True),
    at("deleted_at", nullable=True),
    one_of("status", Status),
    *not_negative("visible_replies", "reply_count", "likes"),
)
_ROOTS = sa.and_(comments.c.parent_id.is_(None), comments.c.visible.is_(sa.true()))
for _name, _columns in {
    # By path, which for roots is by time: PostgreSQL would rather walk the primary key than an index ending in `id`.
    "ix_comments_roots_time": (comments.c.thread_id, comments.c.path),
    "ix_comments_roots_replies": (comments.c.thread_id, comments.c.reply_count, comments.c.id),
    "ix_comments_roots_likes": (comments.c.thread_id, comments.c.likes, comments.c.id),
}.items():
    sa.Index(_name, *_columns, sqlite_where=_ROOTS, postgresql_where=_ROOTS)
# Without the roots: SQLite would otherwise walk whole subtrees of this index in search of the next root.
_REPLIES = sa.and_(comments.c.parent_id.is_not(None), comments.c.visible.is_(sa.true()))
sa.Index(
    "ix_comments_tree",
    comments.c.thread_id,
    comments.c.path,
    sqlite_where=_REPLIES,
    postgresql_where=_REPLIES,
)
_PINNED = comments.c.pinned_at.is_not(None)
sa.Index("ix_comments_pinned", comments.c.thread_id, sqlite_where=_PINNED, postgresql_where=_PINNED)
sa.Index("ix_comments_author", comments.c.commenter_id, comments.c.id)
sa.Index("ix_comments_author_thread", comments.c.commenter_id, comments.c.thread_id, comments.c.id)
sa.Index("ix_comments_thread", comments.c.thread_id, comments.c.id)
sa.Index("ix_comments_site_status", comments.c.site_id, comments.c.status, comments.c.id)
#: What readers do not see of a thread; the rest is counted on the thread.
_UNPUBLISHED = comments.c.status != sa.literal_column("'published'")
sa.Index(
    "ix_comments_thread_unpublished",
    comments.c.thread_id,
    comments.c.status,
    comments.c.id,
    sqlite_where=_UNPUBLISHED,
    postgresql_where=_UNPUBLISHED,
)

#: That a reader likes a comment; `comments.likes` is their number.
reactions = sa.Table(
    "reactions",
    metadata,
    own_id(),
    site(),
    ref("thread_id", "threads"),
    ref("comment_id", "comments"),
    ref("commenter_id", "commenters"),
    at("created_at"),
    sa.UniqueConstraint("comment_id", "commenter_id"),
    sa.Index("ix_reactions_commenter_id_thread_id", "commenter_id", "thread_id"),
    sa.Index("ix_reactions_thread_id", "thread_id"),
)

#: One immutable text. `body` and `html` can become null by erasure; `network_hash` is a keyed, rotating hash.
revisions = sa.Table(
    "revisions",
    metadata,
    own_id(),
    site(),
    ref("comment_id", "comments"),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("body", sa.Text, nullable=True),
    sa.Column("html", sa.Text, nullable=True),
    sa.Column("body_hash", sa.String(64), nullable=True),
    sa.Column("language", sa.String(8), nullable=True),
    sa.Column("network_hash", sa.String(64), nullable=True),
    # What was noticed while it was sent: the form's age, near repeats, a burst; never the text.
    sa.Column("submission", NullableJson, nullable=True),
    sa.Column("status", sa.String(10), nullable=False),
    at("created_at"),
    at("scored_at", nullable=True),
    at("superseded_at", nullable=True),
    at("erased_at", nullable=True),
    sa.UniqueConstraint("comment_id", "number"),
    one_of("status", Status),
    sa.Index("ix_revisions_twin", "body_hash", "comment_id"),
    sa.Index("ix_revisions_network", "network_hash", "created_at"),
)
sa.Index(
    "ix_revisions_owed",
    revisions.c.created_at,
    revisions.c.id,
    sqlite_where=revisions.c.scored_at.is_(None),
    postgresql_where=revisions.c.scored_at.is_(None),
)

scores = sa.Table(
    "scores",
    metadata,
    own_id(),
    site(),
    ref("revision_id", "revisions"),
    sa.Column("model_id", sa.String(120), nullable=False),
    sa.Column("calibrated", sa.Boolean, nullable=False),
    sa.Column("attributes", Json, nullable=False),
    # What the model said before a stored calibration changed it, and which one did.
    sa.Column("raw", NullableJson, nullable=True),
    sa.Column("calibration", sa.String(40), nullable=True),
    # Of a text longer than the model: where in the normalised text the highest value was found.
    sa.Column("window", NullableJson, nullable=True),
    at("scored_at"),
    sa.Index("ix_scores_revision_id", "revision_id"),
)

#: Append-only but for retired_at. Without a site it counts for every site that has none of its own.
calibrations = sa.Table(
    "calibrations",
    metadata,
    own_id(),
    sa.Column("site_id", Id, sa.ForeignKey("sites.id"), nullable=True),
    sa.Column("model_id", sa.String(120), nullable=False),
    sa.Column("version", sa.String(40), nullable=False),
    sa.Column("document", Json, nullable=False),
    sa.Column("report", Json, nullable=False),
    sa.Column("source", sa.String(10), nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    at("created_at"),
    sa.Column("created_by", sa.String(80), nullable=True),
    at("retired_at", nullable=True),
    one_of("source", ["labels", "decisions"]),
    *not_negative("rows"),
    sa.Index("ix_calibrations_site_id", "site_id", "id"),
)
#: One in force for each model, of a site and of the installation.
for _name, _columns, _where in (
    (
        "uq_calibrations_in_force_site",
        (calibrations.c.site_id, calibrations.c.model_id),
        sa.text("retired_at IS NULL AND site_id IS NOT NULL"),
    ),
    (
        "uq_calibrations_in_force_installation",
        (calibrations.c.model_id,),
        sa.text("retired_at IS NULL AND site_id IS NULL"),
    ),
):
    sa.Index(_name, *_columns, unique=True, sqlite_where=_where, postgresql_where=_where)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("site_id", Id, sa.ForeignKey("sites.id"), primary_key=True),
    sa.Column("key", sa.String(36), primary_key=True),
    sa.Column("request_hash", sa.String(64), nullable=False),
    ref("comment_id", "comments"),
    at("created_at"),
    sa.Index("ix_idempotency_keys_created_at", "created_at"),
)
