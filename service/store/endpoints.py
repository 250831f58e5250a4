"""Webhook endpoints and their sealed secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import sites, webhook_attempts, webhook_deliveries, webhook_endpoints, webhook_secrets
from service.store.types import Row


async def insert(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add an endpoint."""
    await connection.execute(webhook_endpoints.insert(), dict(values))


async def lock_site(connection: AsyncConnection, site_id: str) -> None:
    """Keep others from naming receivers of a site until the transaction ends; nobody who refers to the site waits."""
    await connection.execute(sa.select(sites.c.id).where(sites.c.id == site_id).with_for_update(key_share=True))


async def of_site(connection: AsyncConnection, site_id: str) -> Sequence[Row]:
    """Answer a site's endpoints, the oldest first."""
    query = sa.select(webhook_endpoints).where(webhook_endpoints.c.site_id == site_id).order_by(webhook_endpoints.c.id)
    return (await connection.execute(query)).all()


async def by_id(connection: AsyncConnection, site_id: str, endpoint_id: str, *, lock: bool = False) -> Row | None:
    """Answer an endpoint of the site, and keep others from changing it where that is wished."""
    query = sa.select(webhook_endpoints).where(
        webhook_endpoints.c.site_id == site_id, webhook_endpoints.c.id == endpoint_id
    )
    return (await connection.execute(query.with_for_update(key_share=True) if lock else query)).first()


async def hold(connection: AsyncConnection, endpoint_id: str, *, wait: bool) -> Row | None:
    """Answer an endpoint and keep other workers from taking its deliveries until the transaction ends.

    None when it is gone or, for who does not want to wait, another worker is about it right now.
    """
    query = sa.select(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
    # Not as if the row were to go: the relay, which adds what is owed to it, waits for nobody.
    return (await connection.execute(query.with_for_update(skip_locked=not wait, key_share=True))).first()


async def hold_for_deletion(connection: AsyncConnection, endpoint_id: str) -> None:
    """Wait for everybody who may be adding what is owed to an endpoint, and let nobody else."""
    query = sa.select(webhook_endpoints.c.id).where(webhook_endpoints.c.id == endpoint_id)
    await connection.execute(query.with_for_update())


async def told_of(connection: AsyncConnection, site_ids: Iterable[str]) -> Sequence[Row]:
    """Answer the endpoints that deliveries are made for: a paused one's wait, a disabled one gets none.

    None of them is deleted before the transaction ends.
    """
    query = sa.select(webhook_endpoints).where(
        webhook_endpoints.c.site_id.in_(list(site_ids)), webhook_endpoints.c.status != "disabled"
    )
    return (await connection.execute(query.with_for_update(read=True, key_share=True))).all()


async def change(connection: AsyncConnection, site_id: str, endpoint_id: str, values: Mapping[str, Any]) -> bool:
    """Change columns of an endpoint; answer whether there is one."""
    changed = await connection.execute(
        webhook_endpoints.update()
        .where(webhook_endpoints.c.site_id == site_id, webhook_endpoints.c.id == endpoint_id)
        .values(**values)
    )
    return changed.rowcount == 1


async def delete(connection: AsyncConnection, site_id: str, endpoint_id: str) -> None:
    """Delete an endpoint with its secrets, deliveries and attempts."""
    mine = sa.select(webhook_deliveries.c.id).where(
        webhook_deliveries.c.site_id == site_id, webhook_deliveries.c.endpoint_id == endpoint_id
    )
    await connection.execute(webhook_attempts.delete().where(webhook_attempts.c.delivery_id.in_(mine)))
    for table in (webhook_deliveries, webhook_secrets):
        await connection.execute(table.delete().where(table.c.site_id == site_id, table.c.endpoint_id == endpoint_id))
    await connection.execute(
        webhook_endpoints.delete().where(webhook_endpoints.c.site_id == site_id, webhook_endpoints.c.id == endpoint_id)
    )


async def insert_secret(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add a secret."""
    await connection.execute(webhook_secrets.insert(), dict(values))


async def expire_secrets(connection: AsyncConnection, site_id: str, endpoint_id: str, *, at: datetime) -> None:
    """Let the secrets that sign now sign until a time, none longer than it would have."""
    await connection.execute(
        webhook_secrets.update()
        .where(
            webhook_secrets.c.site_id == site_id,
            webhook_secrets.c.endpoint_id == endpoint_id,
            sa.or_(webhook_secrets.c.expires_at.is_(None), webhook_secrets.c.expires_at > at),
        )
        .values(expires_at=at)
    )


async def forget_secrets(connection: AsyncConnection, site_id: str, endpoint_id: str, *, now: datetime) -> None:
    """Delete the secrets that sign no more."""
    await connection.execute(
        webhook_secrets.delete().where(
            webhook_secrets.c.site_id == site_id,
            webhook_secrets.c.endpoint_id == endpoint_id,
            webhook_secrets.c.expires_at <= now,
        )
    )


async def secrets_of(connection: AsyncConnection, site_id: str, endpoint_id: str, *, now: datetime) -> Sequence[Row]:
    """Answer the secrets in force, the newest first."""
    query = sa.select(webhook_secrets).where(
        webhook_secrets.c.site_id == site_id,
        webhook_secrets.c.endpoint_id == endpoint_id,
        sa.or_(webhook_secrets.c.expires_at.is_(None), webhook_secrets.c.expires_at > now),
    )
    return (await connection.execute(query.order_by(webhook_secrets.c.id.desc()))).all()
