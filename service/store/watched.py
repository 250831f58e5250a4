"""What is watched on each site, and what was told of it last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import review_items, watched_states
from service.store.types import Row


async def states(connection: AsyncConnection) -> dict[tuple[str, str], Row]:
    """Answer every state, by site and name."""
    return {(row.site_id, row.name): row for row in await connection.execute(sa.select(watched_states))}


async def move(
    connection: AsyncConnection, site_id: str, name: str, *, before: str | None, after: str, at: datetime
) -> bool:
    """Go from one state, None for none yet, to another; False when another process has moved it meanwhile."""
    if before is None:
        make = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
        query = make(watched_states).values(site_id=site_id, name=name, state=after, since=at)
        made = await connection.execute(query.on_conflict_do_nothing(index_elements=["site_id", "name"]))
        return made.rowcount == 1
    moved = await connection.execute(
        watched_states.update()
        .where(watched_states.c.site_id == site_id, watched_states.c.name == name, watched_states.c.state == before)
        .values(state=after, since=at)
    )
    return moved.rowcount == 1


async def waiting(connection: AsyncConnection) -> Sequence[Row]:
    """Answer for each site how much waits for a person, and since when the oldest of it."""
    query = (
        sa.select(
            review_items.c.site_id,
            sa.func.count().label("number"),
            sa.func.min(review_items.c.opened_at).label("oldest_at"),
        )
        .where(review_items.c.state == sa.literal_column("'open'"))
        .group_by(review_items.c.site_id)
    )
    return (await connection.execute(query)).all()
