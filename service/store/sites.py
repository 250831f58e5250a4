"""Sites and the append-only policies they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import policies, sites
from service.store.types import Row

_BY_SLUG = sa.select(sites).where(sites.c.slug == sa.bindparam("slug"))


async def by_slug(connection: AsyncConnection, slug: str) -> Row | None:
    """Answer the site with this public key."""
    return (await connection.execute(_BY_SLUG, {"slug": slug})).first()


async def by_id(connection: AsyncConnection, site_id: str) -> Row:
    """Answer a site."""
    return (await connection.execute(sa.select(sites).where(sites.c.id == site_id))).one()


async def hold(connection: AsyncConnection, site_id: str) -> Row:
    """Answer a site and keep others from changing it until the transaction ends; who refers to it does not wait."""
    query = sa.select(sites).where(sites.c.id == site_id).with_for_update(key_share=True)
    return (await connection.execute(query)).one()


async def slug_of(connection: AsyncConnection, site_id: str) -> str:
    """Answer the public key of a site."""
    return str((await connection.execute(sa.select(sites.c.slug).where(sites.c.id == site_id))).scalar_one())


async def every(connection: AsyncConnection) -> Sequence[Row]:
    """Answer all sites, by slug."""
    return (await connection.execute(sa.select(sites).order_by(sites.c.slug))).all()


async def knows_a_coral(connection: AsyncConnection) -> bool:
    """Answer whether some site answers a Coral."""
    return bool((await connection.execute(sa.select(sa.exists().where(sites.c.coral.is_not(None))))).scalar_one())


async def insert(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add a site; its policy must be stored in the same transaction."""
    await connection.execute(sites.insert(), dict(values))


async def change(connection: AsyncConnection, site_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of a site."""
    await connection.execute(sites.update().where(sites.c.id == site_id).values(**values))


async def keep_policy(
    connection: AsyncConnection,
    site_id: str,
    version: str,
    document: Mapping[str, Any],
    *,
    created_at: datetime,
    created_by: str | None,
) -> None:
    """Store a policy version unless the site has it already; a version never changes."""
    insert_policy = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    await connection.execute(
        insert_policy(policies)
        .values(
            site_id=site_id,
            version=version,
            document=dict(document),
            created_at=created_at,
            created_by=created_by,
        )
        .on_conflict_do_nothing()
    )


async def policy_documents(
    connection: AsyncConnection, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Answer the documents of (site_id, version) pairs."""
    pairs = list(wanted)
    if not pairs:
        return {}
    chosen = sa.or_(*(sa.and_(policies.c.site_id == s, policies.c.version == v) for s, v in pairs))
    rows = await connection.execute(sa.select(policies).where(chosen))
    return {(row.site_id, row.version): row.document for row in rows}
