"""The recount: what every stored counter of a site should be, from statuses and likes alone (promise 8)."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service.store.tables import comments, reactions, threads

_SITE: sa.BindParameter[str] = sa.bindparam("site_id")
_PUBLISHED = sa.and_(comments.c.site_id == _SITE, comments.c.status == Status.PUBLISHED.value)


class Mismatch(NamedTuple):
    """One stored number or flag that a recount does not confirm."""

    table: str
    id: str
    column: str
    stored: int
    counted: int


async def recount(connection: AsyncConnection, site_id: str) -> list[Mismatch]:
    """Answer every counter of a site that is wrong; none is the promise.

    Reads the whole site and is meant for operators and tests. What is visible is found here from the published
    comments upwards, and not, as in service.flow.standings, from change to change: two ways, one number.
    """
    found: list[Mismatch] = []
    for table, query in _QUERIES:
        for row in (await connection.execute(query, {"site_id": site_id})).mappings():
            for column in (name.removeprefix("counted_") for name in row if name.startswith("counted_")):
                stored, counted = int(row[column]), int(row[f"counted_{column}"])
                if stored != counted:
                    found.append(Mismatch(table, row["id"], column, stored, counted))
    return found


def _comments() -> sa.Select[*tuple[Any, ...]]:
    seen = sa.select(comments.c.id, comments.c.parent_id).where(_PUBLISHED).cte("seen", recursive=True)
    above = comments.alias("above")
    seen = seen.union(
        sa.select(above.c.id, above.c.parent_id).where(above.c.site_id == _SITE, above.c.id == seen.c.parent_id)
    )
    # A reply that stands in another thread than its parent is counted nowhere, so that it shows up here.
    parent = comments.alias("parent")
    together = sa.and_(parent.c.id == comments.c.parent_id, parent.c.thread_id == comments.c.thread_id)
    replies = (
        sa.select(
            comments.c.parent_id,
            sa.func.count(seen.c.id).label("visible"),
            sa.func.count(sa.case((comments.c.status == Status.PUBLISHED.value, 1))).label("published"),
        )
        .select_from(comments.join(parent, together).outerjoin(seen, seen.c.id == comments.c.id))
        .where(comments.c.site_id == _SITE)
        .group_by(comments.c.parent_id)
        .cte("replies")
    )
    likes = (
        sa.select(reactions.c.comment_id, sa.func.count().label("number"))
        .where(reactions.c.site_id == _SITE)
        .group_by(reactions.c.comment_id)
        .cte("liked")
    )
    return (
        sa.select(
            comments.c.id,
            comments.c.visible,
            sa.case((seen.c.id.is_not(None), 1), else_=0).label("counted_visible"),
            comments.c.visible_replies,
            sa.func.coalesce(replies.c.visible, 0).label("counted_visible_replies"),
            comments.c.reply_count,
            sa.func.coalesce(replies.c.published, 0).label("counted_reply_count"),
            comments.c.likes,
            sa.func.coalesce(likes.c.number, 0).label("counted_likes"),
        )
        .select_from(
            comments.outerjoin(seen, seen.c.id == comments.c.id)
            .outerjoin(replies, replies.c.parent_id == comments.c.id)
            .outerjoin(likes, likes.c.comment_id == comments.c.id)
        )
        .where(comments.c.site_id == _SITE)
        .order_by(comments.c.id)
    )


def _threads() -> sa.Select[*tuple[Any, ...]]:
    published = (
        sa.select(comments.c.thread_id, sa.func.count().label("number"))
        .where(_PUBLISHED)
        .group_by(comments.c.thread_id)
        .subquery("published")
    )
    return (
        sa.select(
            threads.c.id,
            threads.c.published_count,
            sa.func.coalesce(published.c.number, 0).label("counted_published_count"),
        )
        .select_from(threads.outerjoin(published, published.c.thread_id == threads.c.id))
        .where(threads.c.site_id == _SITE)
        .order_by(threads.c.id)
    )


_QUERIES = (("comments", _comments()), ("threads", _threads()))
