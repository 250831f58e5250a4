"""Likes: one row for each reader and comment, and their number on the comment (promise 8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import comments, reactions
from service.store.types import Row


async def add(connection: AsyncConnection, site_id: str, row: Mapping[str, Any]) -> int:
    """Let a reader like a comment, once; answer how many like it. Lock the comment's thread first."""
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    values = {**row, "site_id": site_id}
    added = await connection.execute(insert(reactions).values(values).on_conflict_do_nothing())
    return await _count(connection, site_id, row["comment_id"], added.rowcount)


async def take_back(connection: AsyncConnection, site_id: str, comment_id: str, commenter_id: str) -> bool:
    """Take a reader's like back; answer whether there was one. Lock the comment's thread first."""
    taken = await connection.execute(
        reactions.delete().where(
            reactions.c.site_id == site_id,
            reactions.c.comment_id == comment_id,
            reactions.c.commenter_id == commenter_id,
        )
    )
    await _count(connection, site_id, comment_id, -taken.rowcount)
    return taken.rowcount == 1


_COUNT = (
    comments.update()
    .where(comments.c.site_id == sa.bindparam("of_site"), comments.c.id == sa.bindparam("of_comment"))
    .values(likes=comments.c.likes + sa.bindparam("by", type_=sa.Integer))
    .returning(comments.c.likes)
)


async def _count(connection: AsyncConnection, site_id: str, comment_id: str, by: int) -> int:
    likes = await connection.execute(_COUNT, {"of_site": site_id, "of_comment": comment_id, "by": by})
    return int(likes.scalar_one())


async def liked_in(
    connection: AsyncConnection, site_id: str, commenter_id: str, thread_id: str, *, limit: int
) -> list[str]:
    """Answer the comments of a thread that a reader likes, the last liked first."""
    query = (
        sa.select(reactions.c.comment_id)
        .where(
            reactions.c.site_id == site_id,
            reactions.c.commenter_id == commenter_id,
            reactions.c.thread_id == thread_id,
        )
        .order_by(reactions.c.id.desc())
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


async def some_of(connection: AsyncConnection, site_id: str, commenter_id: str, *, limit: int) -> Sequence[Row]:
    """Answer some of a reader's likes: their ids, comments and threads."""
    query = (
        sa.select(reactions.c.id, reactions.c.comment_id, reactions.c.thread_id)
        .where(reactions.c.site_id == site_id, reactions.c.commenter_id == commenter_id)
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def forget(connection: AsyncConnection, site_id: str, ids: Sequence[str]) -> set[str]:
    """Take likes away and answer the threads they were in, which must be locked."""
    gone = await connection.execute(
        reactions.delete()
        .where(reactions.c.site_id == site_id, reactions.c.id.in_(ids))
        .returning(reactions.c.comment_id, reactions.c.thread_id)
    )
    rows = gone.all()
    for comment_id, number in sorted(Counter(row.comment_id for row in rows).items()):
        await _count(connection, site_id, comment_id, -number)
    return {row.thread_id for row in rows}


async def forget_comments(connection: AsyncConnection, site_id: str, comment_ids: Sequence[str]) -> None:
    """Take every like from comments that are gone for good; their threads must be locked."""
    await connection.execute(
        reactions.delete().where(reactions.c.site_id == site_id, reactions.c.comment_id.in_(comment_ids))
    )
    await connection.execute(
        comments.update().where(comments.c.site_id == site_id, comments.c.id.in_(comment_ids)).values(likes=0)
    )
