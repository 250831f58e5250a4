"""What second persons would have decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import opinions
from service.store.types import Row


async def insert(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add an opinion; raises IntegrityError where the item has one."""
    await connection.execute(opinions.insert(), dict(values))


async def of_decisions(
    connection: AsyncConnection, site_id: str, decision_ids: Iterable[str | None]
) -> dict[str, list[Row]]:
    """Answer what second persons would have decided in place of each decision, the first one first."""
    ids = sorted({one for one in decision_ids if one is not None})
    if not ids:
        return {}
    query = (
        sa.select(opinions)
        .where(opinions.c.site_id == site_id, opinions.c.decision_id.in_(ids))
        .order_by(opinions.c.id)
    )
    found: dict[str, list[Row]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.decision_id, []).append(row)
    return found
