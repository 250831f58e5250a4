"""What those are called who act: members, keys, people with an account."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import accounts, api_tokens, members


async def of_actors(connection: AsyncConnection, site_id: str | None, actors: Iterable[str | None]) -> dict[str, str]:
    """Answer the names of those of the actors that are known on a site, or on the installation alone where it is None.

    An account is known on a site by its membership there.
    """
    ids = sorted({one for one in actors if one is not None})
    if not ids:
        return {}
    wanted = (
        (members.c.id, members.c.name, _is_of(members, site_id)),
        (api_tokens.c.id, api_tokens.c.name, _is_of(api_tokens, site_id)),
        (members.c.account_id, members.c.name, _is_of(members, site_id)),
    )
    found: dict[str, str] = {}
    for column, name, here in wanted:
        rows = await connection.execute(sa.select(column.label("id"), name.label("name")).where(column.in_(ids), here))
        found |= {row.id: row.name for row in rows if row.id not in found}
    if site_id is None:
        query = sa.select(accounts.c.id, accounts.c.name).where(accounts.c.id.in_(ids))
        found |= {row.id: row.name for row in await connection.execute(query) if row.id not in found}
    return found


async def called(connection: AsyncConnection, site_id: str, text: str) -> list[str]:
    """Answer the ids of members and keys of a site, or of the installation, in whose names a text occurs."""
    found: set[str] = set()
    for table in (members, api_tokens):
        query = sa.select(table.c.id).where(_is_of(table, site_id), table.c.name.icontains(text, autoescape=True))
        found |= set((await connection.execute(query)).scalars())
    return sorted(found)


async def everybody(connection: AsyncConnection, site_id: str) -> dict[str, str]:
    """Answer the members of a site and its keys that belong to none, with their names."""
    found: dict[str, str] = {}
    for query in (
        sa.select(members.c.id, members.c.name).where(members.c.site_id == site_id),
        sa.select(api_tokens.c.id, api_tokens.c.name).where(
            api_tokens.c.site_id == site_id, api_tokens.c.member_id.is_(None)
        ),
    ):
        found |= {row.id: row.name for row in await connection.execute(query)}
    return found


def _is_of(table: sa.Table, site_id: str | None) -> sa.ColumnElement[bool]:
    installation = table.c.site_id.is_(None)
    return installation if site_id is None else sa.or_(table.c.site_id == site_id, installation)
