"""Search: the words of every text, and the comments of a site by status and time.

PostgreSQL keeps the words in GIN indexes over the columns themselves. SQLite keeps them in an FTS5 table without a
copy of the text, which triggers keep equal to `revisions.body` and `comments.author_name`.
"""

# ruff: noqa: S608 - Every piece of these statements is written here.
import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

#: The numbers that FTS5 knows texts by, for a table's own row numbers may change when the file is compacted. A row of
#: `search_owed` says how many words were taken out since they were last wiped from the file.
_TABLES = (
    "CREATE TABLE search_texts (number INTEGER PRIMARY KEY, revision_id VARCHAR(36) NOT NULL UNIQUE)",
    "CREATE TABLE search_owed (id INTEGER PRIMARY KEY CHECK (id = 1), erased INTEGER NOT NULL)",
    "CREATE VIRTUAL TABLE search_words USING fts5"
    "(site, author, body, content='', columnsize=0, tokenize='unicode61 remove_diacritics 0')",
)
_COLUMNS = "rowid, site, author, body"


def _put(text: str, author: str, comment: str, number: str) -> str:
    """Answer the words of one text as FTS5 is given them; the same values must take them out again."""
    return f"{number}, replace({comment}.site_id, '-', ''), coalesce({author}, ''), {text}"


_OWE = "INSERT INTO search_owed (id, erased) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET erased = erased + 1"
_TAKE = f"INSERT INTO search_words(search_words, {_COLUMNS}) SELECT 'delete', "
_GIVE = f"INSERT INTO search_words({_COLUMNS}) SELECT "
_OF_NEW = " FROM search_texts AS t JOIN comments AS c ON c.id = new.comment_id WHERE t.revision_id = new.id"
_OF_COMMENT = (
    " FROM revisions AS r JOIN search_texts AS t ON t.revision_id = r.id"
    " WHERE r.comment_id = new.id AND r.body IS NOT NULL"
)
_TRIGGERS = (
    "CREATE TRIGGER search_written AFTER INSERT ON revisions WHEN new.body IS NOT NULL BEGIN"
    " INSERT INTO search_texts (revision_id) VALUES (new.id);"
    f" {_GIVE}{_put('new.body', 'c.author_name', 'c', 't.number')}{_OF_NEW}; END",
    "CREATE TRIGGER search_erased AFTER UPDATE OF body ON revisions"
    " WHEN old.body IS NOT NULL AND new.body IS NOT old.body BEGIN"
    f" {_TAKE}{_put('old.body', 'c.author_name', 'c', 't.number')}{_OF_NEW};"
    " DELETE FROM search_texts WHERE revision_id = new.id AND new.body IS NULL;"
    f" {_GIVE}{_put('new.body', 'c.author_name', 'c', 't.number')}{_OF_NEW} AND new.body IS NOT NULL;"
    f" {_OWE}; END",
    "CREATE TRIGGER search_renamed AFTER UPDATE OF author_name ON comments"
    " WHEN new.author_name IS NOT old.author_name BEGIN"
    f" {_TAKE}{_put('r.body', 'old.author_name', 'r', 't.number')}{_OF_COMMENT};"
    f" {_GIVE}{_put('r.body', 'new.author_name', 'r', 't.number')}{_OF_COMMENT};"
    f" {_OWE}; END",
)
_BODY = "to_tsvector('simple'::regconfig, regexp_replace(body, '[^[:alnum:]]+'::text, ' '::text, 'g'::text))"
_NAME = (
    "to_tsvector('simple'::regconfig, regexp_replace((author_name)::text, '[^[:alnum:]]+'::text, ' '::text, 'g'::text))"
)


def upgrade() -> None:
    op.create_index("ix_comments_site_status", "comments", ["site_id", "status", "id"])
    unpublished = sa.text("status != 'published'")
    op.create_index(
        "ix_comments_thread_unpublished",
        "comments",
        ["thread_id", "status", "id"],
        sqlite_where=unpublished,
        postgresql_where=unpublished,
    )
    if op.get_bind().dialect.name == "sqlite":
        _upgrade_sqlite()
    else:
        op.create_index("search_bodies", "revisions", [sa.text(_BODY)], postgresql_using="gin")
        op.create_index("search_names", "comments", [sa.text(_NAME)], postgresql_using="gin")


def _upgrade_sqlite() -> None:
    run = op.get_bind().exec_driver_sql
    for statement in _TABLES:
        run(statement)
    run("INSERT INTO search_texts (revision_id) SELECT id FROM revisions WHERE body IS NOT NULL ORDER BY id")
    run(
        f"{_GIVE}{_put('r.body', 'c.author_name', 'r', 't.number')}"
        " FROM search_texts AS t JOIN revisions AS r ON r.id = t.revision_id JOIN comments AS c ON c.id = r.comment_id"
        " ORDER BY t.number"
    )
    for statement in _TRIGGERS:
        run(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        run = op.get_bind().exec_driver_sql
        for name in ("search_written", "search_erased", "search_renamed"):
            run(f"DROP TRIGGER {name}")
        for name in ("search_words", "search_owed", "search_texts"):
            run(f"DROP TABLE {name}")
    else:
        op.drop_index("search_names", table_name="comments")
        op.drop_index("search_bodies", table_name="revisions")
    op.drop_index("ix_comments_thread_unpublished", table_name="comments")
    op.drop_index("ix_comments_site_status", table_name="comments")
