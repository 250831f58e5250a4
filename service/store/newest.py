"""The newest published comments, of a thread and of a site, for feeds; every query walks one index, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service.store.tables import comments, revisions, threads
from service.store.types import Row

#: Beyond so many newer comments that nobody published, older ones are not looked for.
WALKED = 1_000
_SHOWN = sa.and_(revisions.c.comment_id == comments.c.id, revisions.c.number == comments.c.shown_revision)
_PUBLISHED = Status.PUBLISHED.value


async def of_thread(connection: AsyncConnection, site_id: str, thread_id: str, *, limit: int) -> Sequence[Row]:
    """Answer published comments of a thread with their texts, the newest first."""
    walk = (
        sa.select(comments.c.id, comments.c.status)
        .where(comments.c.site_id == site_id, comments.c.thread_id == thread_id)
        .order_by(comments.c.id.desc())
        .limit(WALKED)
        .subquery("walk")
    )
    newest = sa.select(walk.c.id).where(walk.c.status == _PUBLISHED).order_by(walk.c.id.desc()).limit(limit)
    return await _with_texts(connection, newest)


async def of_site(connection: AsyncConnection, site_id: str, *, limit: int) -> Sequence[Row]:
    """Answer published comments of all threads of a site with their texts, the newest first."""
    newest = (
        sa.select(comments.c.id)
        .where(comments.c.site_id == site_id, comments.c.status == _PUBLISHED)
        .order_by(comments.c.id.desc())
        .limit(limit)
    )
    return await _with_texts(connection, newest)


async def _with_texts(connection: AsyncConnection, newest: sa.Select[Any]) -> Sequence[Row]:
    found = newest.subquery("newest")
    query = (
        sa.select(
            comments.c.id,
            comments.c.parent_id,
            comments.c.author_name,
            comments.c.created_at,
            comments.c.edited_at,
            revisions.c.html,
            threads.c.page,
            threads.c.title,
            threads.c.url,
        )
        .select_from(
            found.join(comments, comments.c.id == found.c.id)
            .join(threads, threads.c.id == comments.c.thread_id)
            .join(revisions, _SHOWN)
        )
        .order_by(comments.c.id.desc())
    )
    return (await connection.execute(query)).all()
