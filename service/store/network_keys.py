"""The keys under which network addresses are hashed: one for each day, deleted when its time is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import network_keys
from service.store.types import Row


async def keep(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add a key, unless another process made one under the same id."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    await connection.execute(insert(network_keys).values(dict(values)).on_conflict_do_nothing(index_elements=["id"]))


async def by_ids(connection: AsyncConnection, ids: Sequence[str]) -> Sequence[Row]:
    """Answer the keys with these ids."""
    return (await connection.execute(sa.select(network_keys).where(network_keys.c.id.in_(list(ids))))).all()


async def forget(connection: AsyncConnection, *, before: datetime) -> int:
    """Delete the keys made before a time; answer how many."""
    gone = await connection.execute(network_keys.delete().where(network_keys.c.created_at < before))
    return gone.rowcount
