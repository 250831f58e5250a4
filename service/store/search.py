"""Search over the comments of a site: each call walks one ordered index, newest first, for a bounded number of rows.

PostgreSQL finds words by GIN, SQLite by FTS5 (migration 0008). Texts are cut into words alike on both: at everything
that is neither letter nor digit, whatever the case; accents count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service.store.tables import comments, decisions, revisions
from service.store.tables import threads as thread_table
from service.store.types import Row

_SHOWN = sa.func.coalesce(comments.c.shown_revision, comments.c.latest_revision)
#: In the words of the partial index, which is of use only then.
UNPUBLISHED = comments.c.status != sa.literal_column("'published'")
#: As in the indexes of migration 0008, letter by letter, or they are not used.
_CUT = "to_tsvector('simple'::regconfig, regexp_replace({}, '[^[:alnum:]]+'::text, ' '::text, 'g'::text))"
_WORDS_OF_BODY: sa.ColumnElement[Any] = sa.literal_column(_CUT.format("revisions.body"))
_WORDS_OF_NAME: sa.ColumnElement[Any] = sa.literal_column(_CUT.format("(comments.author_name)::text"))


class Term(NamedTuple):
    """A word or a phrase; with `is_prefix` its last word may go on."""

    text: str
    is_prefix: bool = False


class Wanted(NamedTuple):
    """What is searched for; ids bound the time of a text, from `since` on and before `until`."""

    words: tuple[Term, ...] = ()
    author: tuple[Term, ...] = ()
    commenter_id: str | None = None
    thread_id: str | None = None
    status: str | None = None
    rule: str | None = None
    since: str | None = None
    until: str | None = None

    @property
    def is_of_texts(self) -> bool:
        """Answer whether words are looked up."""
        return bool(self.words)


async def walk(
    connection: AsyncConnection, site_id: str, wanted: Wanted, *, before: str | None, limit: int
) -> Sequence[Row]:
    """Answer up to `limit` candidates before a key, the newest first: key, comment_id, and whether each `fits`."""
    if connection.dialect.name == "sqlite" and (wanted.words or wanted.author):
        found = _words_of_sqlite(site_id, wanted, before, limit)
    elif wanted.words:
        found = _words_of_postgresql(site_id, wanted, before, limit)
    else:
        found = _comments(site_id, wanted, before, limit)
    in_texts = "revision_id" in found.c
    if in_texts:
        whole = found.join(revisions, revisions.c.id == found.c.revision_id)
        whole = whole.join(comments, comments.c.id == revisions.c.comment_id)
    else:
        whole = found.join(comments, comments.c.id == found.c.key)
    fits = sa.and_(*_conditions(site_id, wanted, connection.dialect.name, in_texts=in_texts))
    query = sa.select(found.c.key, comments.c.id.label("comment_id"), fits.label("fits")).select_from(whole)
    return (await connection.execute(query.order_by(found.c.key.desc()))).all()


def _conditions(site_id: str, wanted: Wanted, dialect: str, *, in_texts: bool) -> list[sa.ColumnElement[bool]]:
    """What the walk itself does not hold to."""
    found: list[sa.ColumnElement[bool]] = [comments.c.site_id == site_id]
    if in_texts:
        # What was replaced is history; the shown text and the one that shall replace it are not.
        found.append(revisions.c.number.in_([comments.c.latest_revision, _SHOWN]))
    for column, value in (
        (comments.c.commenter_id, wanted.commenter_id),
        (comments.c.thread_id, wanted.thread_id),
        (comments.c.status, wanted.status),
    ):
        if value is not None:
            found.append(column == value)
    found += _between(revisions.c.id if in_texts else comments.c.id, wanted, None)
    if wanted.rule is not None:
        found.append(_was_decided_by(wanted.rule, dialect))
    if wanted.author and in_texts and dialect != "sqlite":
        found.append(_matches(_WORDS_OF_NAME, wanted.author))
    return found


def _was_decided_by(rule: str, dialect: str) -> sa.ColumnElement[bool]:
    mine = sa.exists().where(decisions.c.comment_id == comments.c.id)
    if dialect != "sqlite":
        return mine.where(sa.type_coerce(decisions.c.causes, postgresql.JSONB).contains([{"rule": rule}]))
    spoke = sa.func.json_each(decisions.c.causes).table_valued("value").alias("cause")
    named = sa.func.json_extract(spoke.c.value, "$.rule") == rule
    return sa.exists(
        sa.select(sa.literal(1)).select_from(decisions).join(spoke, sa.true())
        .where(decisions.c.comment_id == comments.c.id, named).correlate(comments)
    )  # fmt: skip


def _comments(site_id: str, wanted: Wanted, before: str | None, limit: int) -> sa.Subquery:
    """Walk comments along the index of what narrows most: the author, the thread, else each status of the site."""
    walked = sa.select(comments.c.id.label("key")).where(
        comments.c.site_id == site_id, *_between(comments.c.id, wanted, before)
    )
    walked = walked.order_by(comments.c.id.desc()).limit(limit)
    if wanted.author:
        return walked.where(_matches(_WORDS_OF_NAME, wanted.author)).subquery("found")
    if wanted.commenter_id is not None:
        return walked.where(comments.c.commenter_id == wanted.commenter_id).subquery("found")
    if wanted.thread_id is not None:
        walked = walked.where(comments.c.thread_id == wanted.thread_id)
        if wanted.status is not None and wanted.status != Status.PUBLISHED.value:
            walked = walked.where(comments.c.status == wanted.status, UNPUBLISHED)
        return walked.subquery("found")
    if wanted.status is not None:
        return walked.where(comments.c.status == wanted.status).subquery("found")
    each = [
        walked.where(comments.c.status == status.value).subquery(f"walk_{number}")
        for number, status in enumerate(Status)
    ]
    merged = sa.union_all(*(sa.select(one.c.key) for one in each)).subquery("walk_99")
    return sa.select(merged.c.key).order_by(merged.c.key.desc()).limit(limit).subquery("found")


def _between(column: sa.Column[Any], wanted: Wanted, before: str | None) -> list[sa.ColumnElement[bool]]:
    bounds = []
    if wanted.since is not None:
        bounds.append(column >= wanted.since)
    bounds += [column < until for until in (wanted.until, before) if until is not None]
    return bounds


def _words_of_postgresql(site_id: str, wanted: Wanted, before: str | None, limit: int) -> sa.Subquery:
    query = sa.select(revisions.c.id.label("key"), revisions.c.id.label("revision_id")).where(
        revisions.c.site_id == site_id,
        _matches(_WORDS_OF_BODY, wanted.words),
        *_between(revisions.c.id, wanted, before),
    )
    return query.order_by(revisions.c.id.desc()).limit(limit).subquery("found")


def _matches(words: sa.ColumnElement[Any], terms: Sequence[Term]) -> sa.ColumnElement[bool]:
    asked = None
    for term in terms:
        cut = sa.func.regexp_replace(sa.literal(term.text), "[^[:alnum:]]+", " ", "g")
        one: sa.ColumnElement[Any] = sa.func.phraseto_tsquery(sa.literal_column("'simple'::regconfig"), cut)
        if term.is_prefix:
            # Of a term without any word nothing is left, which then asks for nothing.
            text = sa.func.nullif(sa.cast(one, sa.Text), "")
            going_on = sa.cast(text.concat(":*"), postgresql.TSQUERY)
            one = sa.func.coalesce(going_on, sa.cast("", postgresql.TSQUERY))
        asked = one if asked is None else asked.op("&&")(one)
    return words.op("@@", is_comparison=True)(sa.type_coerce(asked, postgresql.TSQUERY))


_LAST = 2**62
#: Numbers are given in the order of writing, ids in that of the clocks: processes may differ by a little.
_FTS = """
SELECT search_words.rowid AS key, search_texts.revision_id AS revision_id
FROM search_words JOIN search_texts ON search_texts.number = search_words.rowid
WHERE search_words MATCH :asked AND search_words.rowid < :before
AND search_words.rowid >= -1000 + coalesce(
    (SELECT number FROM search_texts WHERE revision_id >= :since ORDER BY revision_id LIMIT 1), 1 << 62)
AND search_words.rowid < 1000 + coalesce(
    (SELECT number FROM search_texts WHERE revision_id >= :until ORDER BY revision_id LIMIT 1), 1 << 62)
ORDER BY search_words.rowid DESC LIMIT :most
"""


def _words_of_sqlite(site_id: str, wanted: Wanted, before: str | None, limit: int) -> sa.Subquery:
    parts = [f'site : "{site_id.replace("-", "")}"']
    parts += [f"author : ({_fts(wanted.author)})"] if wanted.author else []
    parts += [f"body : ({_fts(wanted.words)})"] if wanted.words else []
    query = sa.text(_FTS).bindparams(
        sa.bindparam("asked", " AND ".join(parts)),
        sa.bindparam("before", int(before) if before else _LAST, type_=sa.BigInteger),
        sa.bindparam("since", wanted.since or ""),
        sa.bindparam("until", wanted.until or "~"),
        sa.bindparam("most", limit),
    )
    return query.columns(sa.column("key", sa.Integer), sa.column("revision_id", sa.String)).subquery("found")


def _fts(terms: Sequence[Term]) -> str:
    """Write terms as FTS5 takes them: each in quotes, in which nothing but a quote means anything."""
    return " AND ".join(f'"{term.text.replace(chr(34), " ")}"{" *" * term.is_prefix}' for term in terms)


async def threads(
    connection: AsyncConnection, site_id: str, *, text: str | None, before: str | None, limit: int
) -> Sequence[Row]:
    """Answer up to `limit` threads before an id, the newest first, and whether title or page of each holds a text."""
    query = sa.select(thread_table).where(thread_table.c.site_id == site_id)
    if before is not None:
        query = query.where(thread_table.c.id < before)
    fits: sa.ColumnElement[bool] = sa.true()
    if text is not None:
        named = (thread_table.c.title, thread_table.c.page)
        fits = sa.or_(*(sa.func.lower(column).contains(text.lower(), autoescape=True) for column in named))
    query = query.add_columns(sa.func.coalesce(fits, sa.false()).label("fits"))
    return (await connection.execute(query.order_by(thread_table.c.id.desc()).limit(limit))).all()


async def unpublished(
    connection: AsyncConnection, site_id: str, thread_ids: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Answer how many comments of threads are in each status that readers do not see."""
    query = (
        sa.select(comments.c.thread_id, comments.c.status, sa.func.count())
        .where(comments.c.thread_id.in_(thread_ids), UNPUBLISHED, comments.c.site_id == site_id)
        .group_by(comments.c.thread_id, comments.c.status)
    )
    found: dict[str, dict[str, int]] = {}
    for thread_id, status, number in await connection.execute(query):
        found.setdefault(thread_id, {})[status] = number
    return found


async def owed_wipe(connection: AsyncConnection) -> int:
    """Answer how many words of texts were taken out since the file was last wiped of them; PostgreSQL owes none."""
    if connection.dialect.name != "sqlite":
        return 0
    found = (await connection.execute(sa.text("SELECT erased FROM search_owed"))).scalar()
    return int(found or 0)


async def wipe(connection: AsyncConnection, *, first: bool, pages: int) -> bool:
    """Merge so many pages of the index, which is how FTS5 lets go of words for good; answer whether more is to do.

    The `first` of a row of calls takes on everything that is there then (https://sqlite.org/fts5.html#the_merge_command).
    """
    before = (await connection.execute(sa.text("SELECT total_changes()"))).scalar_one()
    merge = sa.text("INSERT INTO search_words(search_words, rank) VALUES ('merge', :pages)")
    await connection.execute(merge, {"pages": -pages if first else pages})
    after = (await connection.execute(sa.text("SELECT total_changes()"))).scalar_one()
    return bool(after - before >= 2)


async def wiped(connection: AsyncConnection, *, erased: int) -> None:
    """Note that nothing is left of what was owed, unless more was erased meanwhile."""
    await connection.execute(sa.text("DELETE FROM search_owed WHERE erased = :erased"), {"erased": erased})
