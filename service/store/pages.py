"""The read path: every query here is bounded and walks one index, whatever the size of the thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service.store.paths import AFTER, SEGMENT, ancestor_ids
from service.store.tables import comments, revisions
from service.store.types import Row

#: The length of a root's path, which begins the path of everything under it.
ROOT_PATH = SEGMENT
_COLUMNS = (
    comments.c.id,
    comments.c.parent_id,
    comments.c.path,
    comments.c.thread_id,
    comments.c.commenter_id,
    comments.c.author_name,
    comments.c.author_kind,
    comments.c.author_shown,
    comments.c.author_key,
    comments.c.status,
    comments.c.shown_revision,
    comments.c.latest_revision,
    comments.c.reply_count,
    comments.c.visible_replies,
    comments.c.likes,
    comments.c.featured_at,
    comments.c.pinned_at,
    comments.c.created_at,
    comments.c.edited_at,
)
_VISIBLE = comments.c.visible.is_(sa.true())
_SHOWN = sa.and_(revisions.c.comment_id == comments.c.id, revisions.c.number == comments.c.shown_revision)


class Cursor(NamedTuple):
    """Where a page ended: the sort's value and the id, or 0 and the path where time orders."""

    value: int
    key: str


@lru_cache(maxsize=16)
def _roots_query(sort: str, continued: bool) -> sa.Select[*tuple[Any, ...]]:
    """One bounded index walk, and only then the texts: joined at once, PostgreSQL may merge all texts of a site."""
    walk = (
        sa.select(*_COLUMNS)
        .where(
            comments.c.site_id == sa.bindparam("site_id"),
            comments.c.thread_id == sa.bindparam("thread_id"),
            comments.c.parent_id.is_(None),
            _VISIBLE,
        )
        .order_by(*_root_order(sort, comments.c))
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )
    found = (walk.where(_behind_cursor(sort)) if continued else walk).subquery("found")
    return _with_texts(found).order_by(*_root_order(sort, found.c))


def _root_order(sort: str, columns: Any) -> list[sa.ColumnElement[Any]]:
    if sort == "oldest":
        return [columns.path]
    if sort == "newest":
        return [columns.path.desc()]
    return [{"replies": columns.reply_count, "likes": columns.likes}[sort].desc(), columns.id.desc()]


def _behind_cursor(sort: str) -> sa.ColumnElement[bool]:
    key: sa.BindParameter[str] = sa.bindparam("after_key")
    if sort == "oldest":
        return comments.c.path > key
    if sort == "newest":
        return comments.c.path < key
    column = {"replies": comments.c.reply_count, "likes": comments.c.likes}[sort]
    return sa.tuple_(column, comments.c.id) < sa.tuple_(sa.bindparam("after_value", type_=sa.Integer), key)


def _with_texts(found: sa.Subquery) -> sa.Select[*tuple[Any, ...]]:
    shown = sa.and_(revisions.c.comment_id == found.c.id, revisions.c.number == found.c.shown_revision)
    return sa.select(*found.c, revisions.c.body, revisions.c.html).select_from(found.outerjoin(revisions, shown))


async def roots(
    connection: AsyncConnection, site_id: str, thread_id: str, *, sort: str, limit: int, after: Cursor | None
) -> Sequence[Row]:
    """Answer up to `limit` visible roots after the cursor, in the sort's order."""
    values: dict[str, Any] = {"site_id": site_id, "thread_id": thread_id, "limit": limit}
    if after is not None:
        values |= {"after_key": after.key, "after_value": after.value}
    statement = _roots_query(sort, after is not None)
    unused = {"after_value"} if sort in ("oldest", "newest") else set()
    return (await connection.execute(statement, {k: v for k, v in values.items() if k not in unused})).all()


@lru_cache(maxsize=128)
def _subtrees_query(number: int) -> sa.Select[*tuple[Any, ...]]:
    """One bounded index walk per subtree, in one statement; the text depends on the number of subtrees only."""
    walks = []
    for index in range(number):
        walk = (
            sa.select(*_COLUMNS)
            .where(
                comments.c.site_id == sa.bindparam("site_id"),
                comments.c.thread_id == sa.bindparam("thread_id"),
                comments.c.path > sa.bindparam(f"from_{index}"),
                comments.c.path < sa.bindparam(f"until_{index}"),
                comments.c.parent_id.is_not(None),
                _VISIBLE,
            )
            .order_by(comments.c.path)
            .limit(sa.bindparam("limit", type_=sa.Integer))
            .subquery(f"walk_{index}")
        )
        walks.append(sa.select(walk))
    found = (sa.union_all(*walks) if len(walks) > 1 else walks[0]).subquery("found")
    return _with_texts(found).order_by(found.c.path)


async def subtrees(
    connection: AsyncConnection, site_id: str, thread_id: str, starts: Sequence[tuple[str, str]], *, limit: int
) -> Sequence[Row]:
    """Answer the first `limit` visible descendants of each (root path, path to start after), in pre-order."""
    if not starts or limit < 1:
        return []
    values: dict[str, Any] = {"site_id": site_id, "thread_id": thread_id, "limit": limit}
    for index, (root, start) in enumerate(starts):
        values |= {f"from_{index}": start, f"until_{index}": root + AFTER}
    return (await connection.execute(_subtrees_query(len(starts)), values)).all()


_BY_IDS = (
    sa.select(*_COLUMNS, revisions.c.body, revisions.c.html)
    .select_from(comments.outerjoin(revisions, _SHOWN))
    .where(
        comments.c.site_id == sa.bindparam("site_id"),
        comments.c.id.in_(sa.bindparam("ids", expanding=True)),
    )
    .order_by(comments.c.path)
)


async def by_ids(connection: AsyncConnection, site_id: str, ids: Iterable[str]) -> Sequence[Row]:
    """Answer comments in any status with their shown text, ancestors before what is under them."""
    wanted = list(ids)
    return (await connection.execute(_BY_IDS, {"site_id": site_id, "ids": wanted})).all() if wanted else []


async def ancestors(connection: AsyncConnection, site_id: str, path: str) -> Sequence[Row]:
    """Answer the ancestors of a path, the root first."""
    return await by_ids(connection, site_id, ancestor_ids(path))


_shown, _latest = revisions.alias("shown"), revisions.alias("latest")
_IN_FULL = (
    sa.select(
        *_COLUMNS,
        _latest.c.id.label("revision_id"),
        _latest.c.number.label("revision_number"),
        _latest.c.status.label("revision_status"),
        _latest.c.superseded_at.label("revision_superseded_at"),
        _latest.c.body.label("latest_body"),
        _latest.c.html.label("latest_html"),
        _shown.c.body,
        _shown.c.html,
    )
    .select_from(
        comments.join(
            _latest,
            sa.and_(_latest.c.comment_id == comments.c.id, _latest.c.number == comments.c.latest_revision),
        ).outerjoin(_shown, sa.and_(_shown.c.comment_id == comments.c.id, _shown.c.number == comments.c.shown_revision))
    )
    .where(comments.c.site_id == sa.bindparam("site_id"), comments.c.id.in_(sa.bindparam("ids", expanding=True)))
)


async def in_full(connection: AsyncConnection, site_id: str, ids: Iterable[str]) -> dict[str, Row]:
    """Answer comments with their shown and their latest text, for authors and moderators."""
    rows = await connection.execute(_IN_FULL, {"site_id": site_id, "ids": list(ids)})
    return {row.id: row for row in rows}


async def of_commenter(
    connection: AsyncConnection,
    site_id: str,
    commenter_id: str,
    *,
    thread_id: str | None,
    after: str | None,
    limit: int,
) -> list[str]:
    """Answer the ids of a commenter's comments in every status, newest first."""
    query = (
        sa.select(comments.c.id)
        .where(comments.c.site_id == site_id, comments.c.commenter_id == commenter_id)
        .order_by(comments.c.id.desc())
        .limit(limit)
    )
    if thread_id is not None:
        query = query.where(comments.c.thread_id == thread_id)
    if after is not None:
        query = query.where(comments.c.id < after)
    return list((await connection.execute(query)).scalars())


async def unsettled_of(
    connection: AsyncConnection, site_id: str, commenter_id: str, thread_id: str, *, limit: int
) -> list[str]:
    """Answer a commenter's comments in a thread that others do not see, or not with their newest text; newest first."""
    hidden = comments.c.status.not_in([Status.PUBLISHED.value, Status.DELETED.value])
    edited = sa.and_(
        comments.c.status == Status.PUBLISHED.value, comments.c.latest_revision != comments.c.shown_revision
    )
    query = (
        sa.select(comments.c.id)
        .where(
            comments.c.site_id == site_id,
            comments.c.commenter_id == commenter_id,
            comments.c.thread_id == thread_id,
            sa.or_(hidden, edited),
        )
        .order_by(comments.c.id.desc())
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())
