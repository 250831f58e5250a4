"""Items that members passed on."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import review_skips


async def add(connection: AsyncConnection, site_id: str, item_id: str, actor: str, *, at: datetime) -> None:
    """Remember that a member passed an item on."""
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    row = {"site_id": site_id, "item_id": item_id, "actor": actor, "created_at": at}
    await connection.execute(insert(review_skips).values(**row).on_conflict_do_nothing())


async def of_item(connection: AsyncConnection, site_id: str, item_id: str) -> set[str]:
    """Answer who passed an item on."""
    query = sa.select(review_skips.c.actor).where(review_skips.c.site_id == site_id, review_skips.c.item_id == item_id)
    return set((await connection.execute(query)).scalars())


async def clear(connection: AsyncConnection, site_id: str, item_id: str) -> None:
    """Forget who passed an item on."""
    await connection.execute(
        review_skips.delete().where(review_skips.c.site_id == site_id, review_skips.c.item_id == item_id)
    )
