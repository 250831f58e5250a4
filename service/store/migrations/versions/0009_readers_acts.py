"""What readers do beside writing: likes, an author's key to hide by, what moderators feature and pin."""

import sqlalchemy as sa
from alembic import op

from service.store.types import Id, Instant

revision = "0009"
down_revision = "0008"

#: The key of a commenter is 16 random hexadecimal digits; who was erased gets none.
_KEYS = {
    "sqlite": "lower(hex(randomblob(8)))",
    "postgresql": "right(replace(gen_random_uuid()::text, '-', ''), 16)",
}


def upgrade() -> None:
    op.add_column("sites", sa.Column("reaction", sa.String(20), nullable=True, server_default="like"))
    op.add_column("sites", sa.Column("second_chance", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("threads", sa.Column("likes_turn_at", Instant, nullable=True))
    op.add_column("commenters", sa.Column("author_key", sa.String(16), nullable=True))
    for column in (
        sa.Column("author_key", sa.String(16), nullable=True),
        sa.Column("featured_at", Instant, nullable=True),
        sa.Column("pinned_at", Instant, nullable=True),
    ):
        op.add_column("comments", column)
    _give_keys()
    is_pinned = sa.text("pinned_at IS NOT NULL")
    op.create_index("ix_comments_pinned", "comments", ["thread_id"], sqlite_where=is_pinned, postgresql_where=is_pinned)
    _make_reactions()


def _give_keys() -> None:
    key = _KEYS[op.get_bind().dialect.name]
    op.execute(f"UPDATE commenters SET author_key = {key} WHERE erased_at IS NULL")  # noqa: S608 - Written above.
    op.execute(
        "UPDATE comments SET author_key ="
        " (SELECT author_key FROM commenters WHERE commenters.id = comments.commenter_id)"
    )


def _make_reactions() -> None:
    op.create_table(
        "reactions",
        sa.Column("id", Id, nullable=False),
        sa.Column("site_id", Id, nullable=False),
        sa.Column("thread_id", Id, nullable=False),
        sa.Column("comment_id", Id, nullable=False),
        sa.Column("commenter_id", Id, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_reactions_site_id"),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name="fk_reactions_thread_id"),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], name="fk_reactions_comment_id"),
        sa.ForeignKeyConstraint(["commenter_id"], ["commenters.id"], name="fk_reactions_commenter_id"),
        sa.PrimaryKeyConstraint("id", name="pk_reactions"),
        sa.UniqueConstraint("comment_id", "commenter_id", name="uq_reactions_comment_id_commenter_id"),
    )
    op.create_index("ix_reactions_commenter_id_thread_id", "reactions", ["commenter_id", "thread_id"])
    op.create_index("ix_reactions_thread_id", "reactions", ["thread_id"])


def downgrade() -> None:
    op.drop_table("reactions")
    op.drop_index("ix_comments_pinned", table_name="comments")
    for table, names in (
        ("comments", ("pinned_at", "featured_at", "author_key")),
        ("commenters", ("author_key",)),
        ("threads", ("likes_turn_at",)),
        ("sites", ("second_chance", "reaction")),
    ):
        for name in names:
            op.drop_column(table, name)
