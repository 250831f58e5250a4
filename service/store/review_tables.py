"""The tables of review: what waits for a person and why, what was decided, reported, appealed and noted."""

from __future__ import annotations

import sqlalchemy as sa

from service.store.columns import at, count, flag, metadata, one_of, own_id, ref, site
from service.store.types import Id, Json, NullableJson

review_items = sa.Table(
    "review_items",
    metadata,
    own_id(),
    site(),
    ref("thread_id", "threads"),
    ref("comment_id", "comments"),
    ref("revision_id", "revisions"),
    # held, post_moderation, reported, appealed, sampled, second_opinion or disagreement.
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("queue", sa.String(40), nullable=False, server_default="default"),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("causes", Json, nullable=False),
    sa.Column("spans", NullableJson, nullable=True),
    # When it is to be looked at, in seconds since 1970: the more pressing, the sooner; the lowest comes first.
    sa.Column("order_key", sa.Float(53), nullable=False),
    # What made it so: the parts of the priority, each in [0, 1].
    sa.Column("priority", NullableJson, nullable=True),
    at("due_at", nullable=True),
    # What the queue is filtered by.
    sa.Column("rule", sa.String(64), nullable=True),
    sa.Column("attribute", sa.String(32), nullable=True),
    sa.Column("language", sa.String(8), nullable=True),
    sa.Column("trust", sa.String(10), nullable=True),
    # Its scores, its causes and what was decided are not shown, so that the answer is one of its own.
    flag("blind"),
    # The member who must not decide it, and the decision that is looked at again.
    sa.Column("not_for", sa.String(80), nullable=True),
    sa.Column("decision_id", Id, nullable=True),
    at("escalated_at", nullable=True),
    sa.Column("escalated_by", sa.String(80), nullable=True),
    sa.Column("escalation_note", sa.Text, nullable=True),
    at("opened_at"),
    at("closed_at", nullable=True),
    sa.Column("lease_hash", sa.String(64), nullable=True),
    at("lease_expires_at", nullable=True),
    sa.Column("claimed_by", sa.String(80), nullable=True),
    count("claim_number"),
    one_of("state", ["open", "decided", "superseded"]),
    sa.Index("ix_review_items_comment_id", "comment_id"),
    sa.Index("ix_review_items_thread_id", "thread_id"),
)
sa.Index(
    "ix_review_items_open",
    review_items.c.site_id,
    review_items.c.queue,
    review_items.c.order_key,
    review_items.c.id,
    sqlite_where=review_items.c.state == sa.literal_column("'open'"),
    postgresql_where=review_items.c.state == sa.literal_column("'open'"),
)
sa.Index(
    "uq_review_items_open_revision",
    review_items.c.revision_id,
    review_items.c.kind,
    unique=True,
    sqlite_where=review_items.c.state == sa.literal_column("'open'"),
    postgresql_where=review_items.c.state == sa.literal_column("'open'"),
)

_BARRED = sa.and_(review_items.c.state == sa.literal_column("'open'"), review_items.c.not_for.is_not(None))
sa.Index(
    "ix_review_items_not_for",
    review_items.c.site_id,
    review_items.c.id,
    sqlite_where=_BARRED,
    postgresql_where=_BARRED,
)

#: Append-only: every act that changed a status, with its causes and what a statement of reasons needs.
decisions = sa.Table(
    "decisions",
    metadata,
    own_id(),
    site(),
    ref("thread_id", "threads"),
    ref("comment_id", "comments"),
    ref("revision_id", "revisions"),
    ref("review_item_id", "review_items", nullable=True),
    sa.Column("actor_kind", sa.String(12), nullable=False),
    sa.Column("actor", sa.String(80), nullable=True),
    sa.Column("action", sa.String(12), nullable=False),
    sa.Column("from_status", sa.String(10), nullable=False),
    sa.Column("to_status", sa.String(10), nullable=False),
    sa.Column("reasons", Json, nullable=False),
    sa.Column("causes", Json, nullable=False),
    sa.Column("policy_version", sa.String(40), nullable=True),
    sa.Column("model_id", sa.String(120), nullable=True),
    sa.Column("note", sa.Text, nullable=True),
    sa.Column("ground", sa.String(12), nullable=True),
    sa.Column("ground_clause", sa.String(300), nullable=True),
    sa.Column("guidelines_version", sa.String(40), nullable=True),
    sa.Column("on_notice", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("automated_detection", sa.Boolean, nullable=False),
    sa.Column("automated_decision", sa.Boolean, nullable=False),
    sa.Column("duration_seconds", sa.Integer, nullable=True),
    # Decisions of one act (many at once, or with a sanction) share it; an undone one is named by what undid it.
    sa.Column("act_id", Id, nullable=True),
    sa.Column("undoes_id", Id, nullable=True),
    # Where the comment and the revision stood before a person decided, so that it can be undone exactly.
    sa.Column("stood", NullableJson, nullable=True),
    at("created_at"),
    sa.Index("ix_decisions_comment_id", "comment_id", "id"),
    sa.Index("ix_decisions_site_id", "site_id", "id"),
    sa.Index("ix_decisions_act_id", "act_id", "id"),
    sa.Index("ix_decisions_thread_id", "thread_id"),
)
#: One decision for each review item, whoever asks twice.
sa.Index(
    "uq_decisions_review_item_id",
    decisions.c.review_item_id,
    unique=True,
    sqlite_where=decisions.c.review_item_id.is_not(None),
    postgresql_where=decisions.c.review_item_id.is_not(None),
)

sa.Index(
    "uq_decisions_undoes_id",
    decisions.c.undoes_id,
    unique=True,
    sqlite_where=decisions.c.undoes_id.is_not(None),
    postgresql_where=decisions.c.undoes_id.is_not(None),
)

#: What a second person, who did not know the first decision, would have decided; it changes nothing by itself.
opinions = sa.Table(
    "opinions",
    metadata,
    own_id(),
    site(),
    ref("review_item_id", "review_items"),
    ref("decision_id", "decisions"),
    sa.Column("actor", sa.String(80), nullable=False),
    sa.Column("answer", sa.String(12), nullable=False),
    sa.Column("reasons", Json, nullable=False),
    sa.Column("agrees", sa.Boolean, nullable=False),
    at("created_at"),
    one_of("answer", ["approve", "reject"]),
    sa.UniqueConstraint("review_item_id", name="uq_opinions_review_item_id"),
    sa.Index("ix_opinions_decision_id", "decision_id"),
    sa.Index("ix_opinions_site_id", "site_id", "id"),
)

#: What a member does not want to decide; it is offered to the others.
review_skips = sa.Table(
    "review_skips",
    metadata,
    sa.Column("item_id", Id, sa.ForeignKey("review_items.id"), primary_key=True),
    sa.Column("actor", sa.String(80), primary_key=True),
    site(),
    at("created_at"),
    sa.Index("ix_review_skips_actor", "actor", "item_id"),
)

#: Append-only but for what came of it.
reports = sa.Table(
    "reports",
    metadata,
    own_id(),
    site(),
    ref("comment_id", "comments"),
    ref("revision_id", "revisions"),
    ref("commenter_id", "commenters", nullable=True),
    sa.Column("network_hash", sa.String(64), nullable=True),
    sa.Column("reason", sa.String(40), nullable=False),
    sa.Column("detail", sa.Text, nullable=True),
    # Of a notice of illegal content: which law, and that the reporter believes it to be true.
    sa.Column("law", sa.String(300), nullable=True),
    sa.Column("good_faith", sa.Boolean, nullable=False, server_default=sa.false()),
    # Name and address of the reporter, encrypted with SECRET_KEY.
    sa.Column("contact_sealed", sa.Text, nullable=True),
    # Of the token by which somebody without an account asks what came of it.
    sa.Column("token_hash", sa.String(64), nullable=True),
    sa.Column("outcome", sa.String(20), nullable=True),
    sa.Column("decision_id", Id, nullable=True),
    at("created_at"),
    at("closed_at", nullable=True),
    sa.Index("ix_reports_comment_id", "comment_id", "id"),
    sa.Index("ix_reports_commenter_id", "commenter_id"),
    sa.Index("ix_reports_site_id", "site_id", "id"),
)

_UNANSWERED = reports.c.closed_at.is_(None)
sa.Index("ix_reports_open", reports.c.site_id, reports.c.id, sqlite_where=_UNANSWERED, postgresql_where=_UNANSWERED)

#: An author asks to look again at one decision; answered once, by another member where the site has one.
appeals = sa.Table(
    "appeals",
    metadata,
    own_id(),
    site(),
    ref("comment_id", "comments"),
    ref("revision_id", "revisions"),
    ref("commenter_id", "commenters"),
    ref("decision_id", "decisions"),
    ref("review_item_id", "review_items", nullable=True),
    sa.Column("text", sa.Text, nullable=True),
    sa.Column("outcome", sa.String(12), nullable=True),
    sa.Column("answer", sa.Text, nullable=True),
    sa.Column("answered_by", sa.String(80), nullable=True),
    at("created_at"),
    at("closed_at", nullable=True),
    sa.UniqueConstraint("decision_id", name="uq_appeals_decision_id"),
    one_of("outcome", ["upheld", "overturned", "withdrawn"]),
    sa.Index("ix_appeals_comment_id", "comment_id"),
    sa.Index("ix_appeals_commenter_id", "commenter_id"),
    sa.Index("ix_appeals_site_id", "site_id", "id"),
    sa.Index("ix_appeals_review_item_id", "review_item_id"),
)

#: What members tell each other about a commenter; never shown to the commenter, but in an export of their data.
commenter_notes = sa.Table(
    "commenter_notes",
    metadata,
    own_id(),
    site(),
    ref("commenter_id", "commenters"),
    sa.Column("actor", sa.String(80), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    at("created_at"),
    sa.Index("ix_commenter_notes_commenter_id", "commenter_id", "id"),
)
