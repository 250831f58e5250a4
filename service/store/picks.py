"""What moderators pick out of a thread: featured comments, and those pinned above it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import comments

Pick = Literal["featured", "pinned"]
_COLUMNS: dict[Pick, sa.Column[datetime]] = {"featured": comments.c.featured_at, "pinned": comments.c.pinned_at}


async def set_pick(connection: AsyncConnection, site_id: str, comment_id: str, pick: Pick, at: datetime | None) -> bool:
    """Pick a comment, or with None no more; answer whether that changed anything. Lock its thread first."""
    column = _COLUMNS[pick]
    changed = await connection.execute(
        comments.update()
        .where(
            comments.c.site_id == site_id,
            comments.c.id == comment_id,
            column.is_(None) if at is not None else column.is_not(None),
        )
        .values({column: at})
    )
    return changed.rowcount == 1


async def pinned_in(connection: AsyncConnection, site_id: str, thread_id: str) -> Sequence[str]:
    """Answer the ids of the pinned comments of a thread, the last pinned first; they are few."""
    query = (
        sa.select(comments.c.id)
        .where(comments.c.site_id == site_id, comments.c.thread_id == thread_id, comments.c.pinned_at.is_not(None))
        .order_by(comments.c.pinned_at.desc(), comments.c.id.desc())
    )
    return (await connection.execute(query)).scalars().all()
