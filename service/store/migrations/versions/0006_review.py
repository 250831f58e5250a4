"""Why an item is in the queue and where; reports, appeals, notes; who undid what."""

import sqlalchemy as sa
from alembic import op

from service.store.types import Id, Instant, Json, NullableJson

revision = "0006"
down_revision = "0005"

_OPEN = sa.text("state = 'open'")
_ITEM_COLUMNS = (
    ("queue", sa.String(length=40), {"nullable": False, "server_default": "default"}),
    ("priority", NullableJson, {"nullable": True}),
    ("due_at", Instant(), {"nullable": True}),
    ("rule", sa.String(length=64), {"nullable": True}),
    ("attribute", sa.String(length=32), {"nullable": True}),
    ("language", sa.String(length=8), {"nullable": True}),
    ("trust", sa.String(length=10), {"nullable": True}),
    ("blind", sa.Boolean(), {"nullable": False, "server_default": sa.false()}),
    ("not_for", sa.String(length=80), {"nullable": True}),
    ("decision_id", Id, {"nullable": True}),
    ("escalated_at", Instant(), {"nullable": True}),
    ("escalated_by", sa.String(length=80), {"nullable": True}),
    ("escalation_note", sa.Text(), {"nullable": True}),
)
_REPORT_COLUMNS = (
    ("law", sa.String(length=300), {"nullable": True}),
    ("good_faith", sa.Boolean(), {"nullable": False, "server_default": sa.false()}),
    ("contact_sealed", sa.Text(), {"nullable": True}),
    ("token_hash", sa.String(length=64), {"nullable": True}),
    ("decision_id", Id, {"nullable": True}),
)


def upgrade() -> None:
    op.add_column("sites", sa.Column("review", NullableJson, nullable=True))
    _members()
    _items()
    _decisions()
    _reports()
    op.create_table(
        "review_skips",
        sa.Column("item_id", Id, nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["review_items.id"], name=op.f("fk_review_skips_item_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_review_skips_site_id")),
        sa.PrimaryKeyConstraint("item_id", "actor", name=op.f("pk_review_skips")),
    )
    op.create_index("ix_review_skips_actor", "review_skips", ["actor", "item_id"])
    _appeals()
    _opinions()
    op.create_table(
        "commenter_notes",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("commenter_id", Id, nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["commenter_id"], ["commenters.id"], name=op.f("fk_commenter_notes_commenter_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_commenter_notes_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commenter_notes")),
    )
    op.create_index("ix_commenter_notes_commenter_id", "commenter_notes", ["commenter_id", "id"])


def _members() -> None:
    # In one statement, as SQLite adds a column with a reference without copying the table.
    collation = ' COLLATE "C"' if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(
        f"ALTER TABLE members ADD COLUMN commenter_id VARCHAR(36){collation} "
        "CONSTRAINT fk_members_commenter_id REFERENCES commenters (id)"
    )
    op.create_index("ix_members_commenter_id", "members", ["commenter_id"])


def _items() -> None:
    for name, type_, options in _ITEM_COLUMNS:
        op.add_column("review_items", sa.Column(name, type_, **options))
    op.drop_index("ix_review_items_open", table_name="review_items")
    op.create_index(
        "ix_review_items_open",
        "review_items",
        ["site_id", "queue", "order_key", "id"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    barred = sa.text("state = 'open' AND not_for IS NOT NULL")
    op.create_index(
        "ix_review_items_not_for", "review_items", ["site_id", "id"], sqlite_where=barred, postgresql_where=barred
    )


def _decisions() -> None:
    for name in ("act_id", "undoes_id"):
        op.add_column("decisions", sa.Column(name, Id, nullable=True))
    op.add_column("decisions", sa.Column("stood", NullableJson, nullable=True))
    op.create_index("ix_decisions_site_id", "decisions", ["site_id", "id"])
    op.create_index("ix_decisions_act_id", "decisions", ["act_id", "id"])
    undoing = sa.text("undoes_id IS NOT NULL")
    op.create_index(
        "uq_decisions_undoes_id",
        "decisions",
        ["undoes_id"],
        unique=True,
        sqlite_where=undoing,
        postgresql_where=undoing,
    )


def _reports() -> None:
    for name, type_, options in _REPORT_COLUMNS:
        op.add_column("reports", sa.Column(name, type_, **options))
    op.drop_index("ix_reports_comment_id", table_name="reports")
    op.create_index("ix_reports_comment_id", "reports", ["comment_id", "id"])
    op.create_index("ix_reports_site_id", "reports", ["site_id", "id"])
    waiting = sa.text("closed_at IS NULL")
    op.create_index("ix_reports_open", "reports", ["site_id", "id"], sqlite_where=waiting, postgresql_where=waiting)


def _appeals() -> None:
    ids = ("site_id", "comment_id", "revision_id", "commenter_id", "decision_id")
    tables = {"site_id": "sites", "comment_id": "comments", "revision_id": "revisions", "commenter_id": "commenters"}
    tables |= {"decision_id": "decisions", "review_item_id": "review_items"}
    op.create_table(
        "appeals",
        sa.Column("id", Id, nullable=False),
        *(sa.Column(name, Id, nullable=False) for name in ids),
        sa.Column("review_item_id", Id, nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.String(length=80), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        *(
            sa.ForeignKeyConstraint([name], [f"{table}.id"], name=op.f(f"fk_appeals_{name}"))
            for name, table in tables.items()
        ),
        sa.CheckConstraint("outcome IN ('upheld', 'overturned', 'withdrawn')", name=op.f("ck_appeals_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appeals")),
        sa.UniqueConstraint("decision_id", name="uq_appeals_decision_id"),
    )
    for name, columns in (
        ("comment_id", ["comment_id"]),
        ("commenter_id", ["commenter_id"]),
        ("site_id", ["site_id", "id"]),
        ("review_item_id", ["review_item_id"]),
    ):
        op.create_index(f"ix_appeals_{name}", "appeals", columns)


def _opinions() -> None:
    op.create_table(
        "opinions",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("review_item_id", Id, nullable=False),
        sa.Column("decision_id", Id, nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("answer", sa.String(length=12), nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_opinions_site_id")),
        sa.ForeignKeyConstraint(["review_item_id"], ["review_items.id"], name=op.f("fk_opinions_review_item_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], name=op.f("fk_opinions_decision_id")),
        sa.CheckConstraint("answer IN ('approve', 'reject')", name=op.f("ck_opinions_answer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opinions")),
        sa.UniqueConstraint("review_item_id", name="uq_opinions_review_item_id"),
    )
    op.create_index("ix_opinions_decision_id", "opinions", ["decision_id"])
    op.create_index("ix_opinions_site_id", "opinions", ["site_id", "id"])


def downgrade() -> None:
    op.drop_table("opinions")
    op.drop_table("commenter_notes")
    op.drop_table("appeals")
    op.drop_table("review_skips")
    op.drop_index("ix_reports_open", table_name="reports")
    op.drop_index("ix_reports_site_id", table_name="reports")
    op.drop_index("ix_reports_comment_id", table_name="reports")
    op.create_index("ix_reports_comment_id", "reports", ["comment_id"])
    for name, _, _ in _REPORT_COLUMNS:
        op.drop_column("reports", name)
    for name in ("uq_decisions_undoes_id", "ix_decisions_act_id", "ix_decisions_site_id"):
        op.drop_index(name, table_name="decisions")
    for name in ("stood", "undoes_id", "act_id"):
        op.drop_column("decisions", name)
    op.drop_index("ix_review_items_not_for", table_name="review_items")
    op.drop_index("ix_review_items_open", table_name="review_items")
    for name, _, _ in _ITEM_COLUMNS:
        op.drop_column("review_items", name)
    op.create_index(
        "ix_review_items_open",
        "review_items",
        ["site_id", "order_key", "id"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.drop_index("ix_members_commenter_id", table_name="members")
    op.drop_column("members", "commenter_id")
    op.drop_column("sites", "review")
