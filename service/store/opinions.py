"""What second persons would have decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import opinions


async def insert(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add an opinion; raises IntegrityError where the item has one."""
    await connection.execute(opinions.insert(), dict(values))
