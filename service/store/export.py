"""What the export of a commenter reads: rows of any table of one site, by a column, in bounded pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.columns import metadata
from service.store.tables import commenters, comments


async def rows_of(
    connection: AsyncConnection, site_id: str, table_name: str, columns: Sequence[str], by: str, values: Sequence[str]
) -> list[dict[str, Any]]:
    """Answer columns of the rows of a site whose column `by` has one of the values, in the order of writing."""
    table = metadata.tables[table_name]
    wanted = [table.c[name] for name in dict.fromkeys([*columns, by])]
    query = sa.select(*wanted).where(table.c.site_id == site_id, table.c[by].in_(list(values))).order_by(table.c.id)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def comments_after(
    connection: AsyncConnection, site_id: str, commenter_id: str, *, after: str, limit: int
) -> list[str]:
    """Answer ids of a commenter's comments behind an id, in the order of writing."""
    query = (
        sa.select(comments.c.id)
        .where(comments.c.site_id == site_id, comments.c.commenter_id == commenter_id, comments.c.id > after)
        .order_by(comments.c.id)
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


async def find_commenters(
    connection: AsyncConnection, site_id: str, *, name: str | None, subject: str | None, comment_id: str | None
) -> list[dict[str, Any]]:
    """Answer the newest commenters of a name, of a publisher's subject, or of a comment; 100 at the most."""
    shown = (commenters.c.id, commenters.c.kind, commenters.c.name, commenters.c.subject, commenters.c.first_seen_at)
    query = sa.select(*shown).where(commenters.c.site_id == site_id).order_by(commenters.c.id.desc()).limit(100)
    if name is not None:
        query = query.where(commenters.c.name == name)
    if subject is not None:
        query = query.where(commenters.c.subject == subject)
    if comment_id is not None:
        query = query.where(commenters.c.id.in_(sa.select(comments.c.commenter_id).where(comments.c.id == comment_id)))
    return [dict(row) for row in (await connection.execute(query)).mappings()]
