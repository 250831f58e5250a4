"""Short-lived rows and keys: idempotency keys, signing keys, and turns that are waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import idempotency_keys, signing_keys
from service.store.types import Row

_IN_TURN = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


async def in_turn(connection: AsyncConnection, site_id: str, name: str) -> None:
    """Wait until no other transaction is under this name, and hold it until this one ends.

    SQLite's write lock does that for every name.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(_IN_TURN, {"name": f"{site_id}:{name}"})


_BY_KEY = sa.select(idempotency_keys).where(
    idempotency_keys.c.site_id == sa.bindparam("of_site"), idempotency_keys.c.key == sa.bindparam("of_key")
)


async def idempotency(connection: AsyncConnection, site_id: str, key: str) -> Row | None:
    """Answer what a key was used for."""
    return (await connection.execute(_BY_KEY, {"of_site": site_id, "of_key": key})).first()


async def keep_idempotency(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Remember a key; raises IntegrityError when another request kept it first."""
    await connection.execute(idempotency_keys.insert(), dict(values))


async def forget_idempotency(connection: AsyncConnection, *, before: datetime) -> int:
    """Delete the keys kept before a time; answer how many."""
    gone = await connection.execute(idempotency_keys.delete().where(idempotency_keys.c.created_at < before))
    return gone.rowcount


async def all_signing_keys(connection: AsyncConnection) -> Sequence[Row]:
    """Answer every signing key, the newest last."""
    return (await connection.execute(sa.select(signing_keys).order_by(signing_keys.c.created_at))).all()


async def insert_signing_key(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add a signing key."""
    await connection.execute(signing_keys.insert(), dict(values))


async def retire_signing_keys(connection: AsyncConnection, *, at: datetime, except_id: str) -> None:
    """Stop every other key from signing; they go on verifying."""
    await connection.execute(
        signing_keys.update()
        .where(signing_keys.c.id != except_id, signing_keys.c.retired_at.is_(None))
        .values(retired_at=at)
    )


async def delete_signing_key(connection: AsyncConnection, key_id: str) -> bool:
    """Delete a signing key, which ends every token it signed; answer whether there was one."""
    gone = await connection.execute(signing_keys.delete().where(signing_keys.c.id == key_id))
    return gone.rowcount == 1
