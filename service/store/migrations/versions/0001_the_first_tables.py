"""The first tables: what the law will ask for is in them already."""

import sqlalchemy as sa
from alembic import op

from service.store.types import Id, Instant, Json, Path

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("retired_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
    op.create_table(
        "sites",
        sa.Column("id", Id, nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("allowed_origins", Json, nullable=False),
        sa.Column("prompt", sa.String(length=300), nullable=False),
        sa.Column("guests_allowed", sa.Boolean(), nullable=False),
        sa.Column("body_min_characters", sa.Integer(), nullable=False),
        sa.Column("body_max_characters", sa.Integer(), nullable=False),
        sa.Column("max_depth", sa.Integer(), nullable=False),
        sa.Column("edit_window_seconds", sa.Integer(), nullable=False),
        sa.Column("duplicate_window_seconds", sa.Integer(), nullable=False),
        sa.Column("emergency_pre_moderation", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("policy_version", sa.String(length=40), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
        sa.UniqueConstraint("slug", name=op.f("uq_sites_slug")),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=True),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=600), nullable=True),
        sa.Column("data", Json, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_audit_events_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_site_id", "audit_events", ["site_id", "id"], unique=False)
    op.create_table(
        "commenters",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=True),
        sa.Column("subject", sa.String(length=200), nullable=True),
        sa.Column("token_generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_seen_at", Instant(), nullable=False),
        sa.Column("erased_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_commenters_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commenters")),
        sa.UniqueConstraint("site_id", "subject", name="uq_commenters_site_id_subject"),
    )
    op.create_table(
        "members",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_members_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
    )
    op.create_index("ix_members_site_id", "members", ["site_id"], unique=False)
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
    op.create_index("ix_outbox_created_at", "outbox", ["created_at"], unique=False)
    op.create_index("ix_outbox_thread_id", "outbox", ["thread_id"], unique=False)
    op.create_table(
        "policies",
        sa.Column("site_id", Id, nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_policies_site_id")),
        sa.PrimaryKeyConstraint("site_id", "version", name=op.f("pk_policies")),
    )
    op.create_table(
        "threads",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("page", sa.String(length=512), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=True),
        sa.Column("prompt", sa.String(length=300), nullable=True),
        sa.Column("url", sa.String(length=2048), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("closes_at", Instant(), nullable=True),
        sa.Column("published_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("policy_version", sa.String(length=40), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_threads_site_id")),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_threads_state")),
        sa.CheckConstraint("published_count >= 0", name=op.f("ck_threads_published_count")),
        sa.CheckConstraint("version >= 0", name=op.f("ck_threads_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_threads")),
    )
    op.create_index("ix_threads_site_id", "threads", ["site_id", "id"], unique=False)
    op.create_table(
        "api_tokens",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=True),
        sa.Column("member_id", Id, nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("scopes", Json, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.Column("last_used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_api_tokens_member_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_api_tokens_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    op.create_index("ix_api_tokens_site_id", "api_tokens", ["site_id"], unique=False)
    op.create_table(
        "comments",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("thread_id", Id, nullable=False),
        sa.Column("parent_id", Id, nullable=True),
        sa.Column("commenter_id", Id, nullable=False),
        sa.Column("path", Path, nullable=False),
        sa.Column("author_name", sa.String(length=80), nullable=True),
        sa.Column("author_kind", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("status_by_person", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("shown_revision", sa.Integer(), nullable=True),
        sa.Column("latest_revision", sa.Integer(), nullable=False),
        sa.Column("visible", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("visible_replies", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reply_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("likes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("edited_at", Instant(), nullable=True),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["commenter_id"], ["commenters.id"], name=op.f("fk_comments_commenter_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["comments.id"], name=op.f("fk_comments_parent_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_comments_site_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name=op.f("fk_comments_thread_id")),
        sa.CheckConstraint(
            "status IN ('pending', 'held', 'published', 'rejected', 'removed', 'deleted')",
            name=op.f("ck_comments_status"),
        ),
        sa.CheckConstraint("visible_replies >= 0", name=op.f("ck_comments_visible_replies")),
        sa.CheckConstraint("reply_count >= 0", name=op.f("ck_comments_reply_count")),
        sa.CheckConstraint("likes >= 0", name=op.f("ck_comments_likes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    op.create_index("ix_comments_author", "comments", ["commenter_id", "id"], unique=False)
    op.create_index("ix_comments_author_thread", "comments", ["commenter_id", "thread_id", "id"], unique=False)
    op.create_index(
        "ix_comments_roots_likes",
        "comments",
        ["thread_id", "likes", "id"],
        unique=False,
        sqlite_where=sa.text("parent_id IS NULL AND visible IS 1"),
        postgresql_where=sa.text("parent_id IS NULL AND visible IS true"),
    )
    op.create_index(
        "ix_comments_roots_replies",
        "comments",
        ["thread_id", "reply_count", "id"],
        unique=False,
        sqlite_where=sa.text("parent_id IS NULL AND visible IS 1"),
        postgresql_where=sa.text("parent_id IS NULL AND visible IS true"),
    )
    op.create_index(
        "ix_comments_roots_time",
        "comments",
        ["thread_id", "path"],
        unique=False,
        sqlite_where=sa.text("parent_id IS NULL AND visible IS 1"),
        postgresql_where=sa.text("parent_id IS NULL AND visible IS true"),
    )
    op.create_index("ix_comments_thread", "comments", ["thread_id", "id"], unique=False)
    op.create_index(
        "ix_comments_tree",
        "comments",
        ["thread_id", "path"],
        unique=False,
        sqlite_where=sa.text("parent_id IS NOT NULL AND visible IS 1"),
        postgresql_where=sa.text("parent_id IS NOT NULL AND visible IS true"),
    )
    op.create_table(
        "thread_pages",
        sa.Column("site_id", Id, nullable=False),
        sa.Column("page", sa.String(length=512), nullable=False),
        sa.Column("thread_id", Id, nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_thread_pages_site_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name=op.f("fk_thread_pages_thread_id")),
        sa.PrimaryKeyConstraint("site_id", "page", name=op.f("pk_thread_pages")),
    )
    op.create_index("ix_thread_pages_thread_id", "thread_pages", ["thread_id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("site_id", Id, nullable=False),
        sa.Column("key", sa.String(length=36), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("comment_id", Id, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], name=op.f("fk_idempotency_keys_comment_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_idempotency_keys_site_id")),
        sa.PrimaryKeyConstraint("site_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "revisions",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("comment_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("body_hash", sa.String(length=64), nullable=True),
        sa.Column("language", sa.String(length=8), nullable=True),
        sa.Column("network_hash", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("scored_at", Instant(), nullable=True),
        sa.Column("superseded_at", Instant(), nullable=True),
        sa.Column("erased_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], name=op.f("fk_revisions_comment_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_revisions_site_id")),
        sa.CheckConstraint(
            "status IN ('pending', 'held', 'published', 'rejected', 'removed', 'deleted')",
            name=op.f("ck_revisions_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revisions")),
        sa.UniqueConstraint("comment_id", "number", name=op.f("uq_revisions_comment_id_number")),
    )
    op.create_index(
        "ix_revisions_owed",
        "revisions",
        ["created_at", "id"],
        unique=False,
        sqlite_where=sa.text("scored_at IS NULL"),
        postgresql_where=sa.text("scored_at IS NULL"),
    )
    op.create_index("ix_revisions_twin", "revisions", ["body_hash", "comment_id"], unique=False)
    op.create_table(
        "reports",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("comment_id", Id, nullable=False),
        sa.Column("revision_id", Id, nullable=False),
        sa.Column("commenter_id", Id, nullable=True),
        sa.Column("network_hash", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], name=op.f("fk_reports_comment_id")),
        sa.ForeignKeyConstraint(["commenter_id"], ["commenters.id"], name=op.f("fk_reports_commenter_id")),
        sa.ForeignKeyConstraint(["revision_id"], ["revisions.id"], name=op.f("fk_reports_revision_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_reports_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
    )
    op.create_index("ix_reports_comment_id", "reports", ["comment_id"], unique=False)
    op.create_table(
        "review_items",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("thread_id", Id, nullable=False),
        sa.Column("comment_id", Id, nullable=False),
        sa.Column("revision_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("causes", Json, nullable=False),
        sa.Column("order_key", sa.Float(precision=53), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("lease_hash", sa.String(length=64), nullable=True),
        sa.Column("lease_expires_at", Instant(), nullable=True),
        sa.Column("claimed_by", sa.String(length=80), nullable=True),
        sa.Column("claim_number", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], name=op.f("fk_review_items_comment_id")),
        sa.ForeignKeyConstraint(["revision_id"], ["revisions.id"], name=op.f("fk_review_items_revision_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_review_items_site_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name=op.f("fk_review_items_thread_id")),
        sa.CheckConstraint("state IN ('open', 'decided', 'superseded')", name=op.f("ck_review_items_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_items")),
    )
    op.create_index("ix_review_items_comment_id", "review_items", ["comment_id"], unique=False)
    op.create_index("ix_review_items_thread_id", "review_items", ["thread_id"], unique=False)
    op.create_index(
        "ix_review_items_open",
        "review_items",
        ["site_id", "order_key", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "uq_review_items_open_revision",
        "review_items",
        ["revision_id", "kind"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "scores",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("revision_id", Id, nullable=False),
        sa.Column("model_id", sa.String(length=120), nullable=False),
        sa.Column("calibrated", sa.Boolean(), nullable=False),
        sa.Column("attributes", Json, nullable=False),
        sa.Column("scored_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["revision_id"], ["revisions.id"], name=op.f("fk_scores_revision_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_scores_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scores")),
    )
    op.create_index("ix_scores_revision_id", "scores", ["revision_id"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("thread_id", Id, nullable=False),
        sa.Column("comment_id", Id, nullable=False),
        sa.Column("revision_id", Id, nullable=False),
        sa.Column("review_item_id", Id, nullable=True),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=True),
        sa.Column("action", sa.String(length=12), nullable=False),
        sa.Column("from_status", sa.String(length=10), nullable=False),
        sa.Column("to_status", sa.String(length=10), nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("causes", Json, nullable=False),
        sa.Column("policy_version", sa.String(length=40), nullable=True),
        sa.Column("model_id", sa.String(length=120), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("ground", sa.String(length=12), nullable=True),
        sa.Column("ground_clause", sa.String(length=300), nullable=True),
        sa.Column("guidelines_version", sa.String(length=40), nullable=True),
        sa.Column("on_notice", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("automated_detection", sa.Boolean(), nullable=False),
        sa.Column("automated_decision", sa.Boolean(), nullable=False),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], name=op.f("fk_decisions_comment_id")),
        sa.ForeignKeyConstraint(["review_item_id"], ["review_items.id"], name=op.f("fk_decisions_review_item_id")),
        sa.ForeignKeyConstraint(["revision_id"], ["revisions.id"], name=op.f("fk_decisions_revision_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_decisions_site_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name=op.f("fk_decisions_thread_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_comment_id", "decisions", ["comment_id", "id"], unique=False)
    op.create_index("ix_decisions_thread_id", "decisions", ["thread_id"], unique=False)
    op.create_index(
        "uq_decisions_review_item_id",
        "decisions",
        ["review_item_id"],
        unique=True,
        sqlite_where=sa.text("review_item_id IS NOT NULL"),
        postgresql_where=sa.text("review_item_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_decisions_review_item_id",
        table_name="decisions",
        sqlite_where=sa.text("review_item_id IS NOT NULL"),
        postgresql_where=sa.text("review_item_id IS NOT NULL"),
    )
    op.drop_index("ix_decisions_thread_id", table_name="decisions")
    op.drop_index("ix_decisions_comment_id", table_name="decisions")
    op.drop_table("decisions")
    op.drop_index("ix_scores_revision_id", table_name="scores")
    op.drop_table("scores")
    op.drop_index(
        "uq_review_items_open_revision",
        table_name="review_items",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_index(
        "ix_review_items_open",
        table_name="review_items",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_index("ix_review_items_thread_id", table_name="review_items")
    op.drop_index("ix_review_items_comment_id", table_name="review_items")
    op.drop_table("review_items")
    op.drop_index("ix_reports_comment_id", table_name="reports")
    op.drop_table("reports")
    op.drop_index("ix_revisions_twin", table_name="revisions")
    op.drop_index(
        "ix_revisions_owed",
        table_name="revisions",
        sqlite_where=sa.text("scored_at IS NULL"),
        postgresql_where=sa.text("scored_at IS NULL"),
    )
    op.drop_table("revisions")
    op.drop_index("ix_idempotency_keys_created_at", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_thread_pages_thread_id", table_name="thread_pages")
    op.drop_table("thread_pages")
    op.drop_index(
        "ix_comments_tree",
        table_name="comments",
        sqlite_where=sa.text("visible IS 1"),
        postgresql_where=sa.text("visible IS true"),
    )
    op.drop_index("ix_comments_thread", table_name="comments")
    op.drop_index(
        "ix_comments_roots_time",
        table_name="comments",
        sqlite_where=sa.text("parent_id IS NULL AND visible IS 1"),
        postgresql_where=sa.text("parent_id IS NULL AND visible IS true"),
    )
    op.drop_index(
        "ix_comments_roots_replies",
        table_name="comments",
        sqlite_where=sa.text("parent_id IS NULL AND visible IS 1"),
        postgresql_where=sa.text("parent_id IS NULL AND visible IS true"),
    )
    op.drop_index(
        "ix_comments_roots_likes",
        table_name="comments",
        sqlite_where=sa.text("parent_id IS NULL AND visible IS 1"),
        postgresql_where=sa.text("parent_id IS NULL AND visible IS true"),
    )
    op.drop_index("ix_comments_author_thread", table_name="comments")
    op.drop_index("ix_comments_author", table_name="comments")
    op.drop_table("comments")
    op.drop_index("ix_api_tokens_site_id", table_name="api_tokens")
    op.drop_table("api_tokens")
    op.drop_index("ix_threads_site_id", table_name="threads")
    op.drop_table("threads")
    op.drop_table("policies")
    op.drop_index("ix_outbox_thread_id", table_name="outbox")
    op.drop_index("ix_outbox_created_at", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("ix_members_site_id", table_name="members")
    op.drop_table("members")
    op.drop_table("commenters")
    op.drop_index("ix_audit_events_site_id", table_name="audit_events")
    op.drop_table("audit_events")
    op.drop_table("sites")
    op.drop_table("signing_keys")
