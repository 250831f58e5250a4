"""Notes of members about commenters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import commenter_notes, members
from service.store.types import Row


async def insert(connection: AsyncConnection, site_id: str, values: Mapping[str, Any]) -> None:
    """Add a note."""
    await connection.execute(commenter_notes.insert(), {**values, "site_id": site_id})


async def of_commenter(connection: AsyncConnection, site_id: str, commenter_id: str, *, limit: int) -> Sequence[Row]:
    """Answer the newest notes about a commenter, each with the name of the member who wrote it."""
    notes = commenter_notes
    query = (
        sa.select(notes.c.id, notes.c.actor, notes.c.text, notes.c.created_at, members.c.name)
        .select_from(notes.outerjoin(members, members.c.id == notes.c.actor))
        .where(notes.c.site_id == site_id, notes.c.commenter_id == commenter_id)
        .order_by(notes.c.id.desc())
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def count(connection: AsyncConnection, site_id: str, commenter_id: str) -> int:
    """Answer how many notes there are about a commenter."""
    query = sa.select(sa.func.count()).where(
        commenter_notes.c.site_id == site_id, commenter_notes.c.commenter_id == commenter_id
    )
    return int((await connection.execute(query)).scalar_one())


async def by_id(connection: AsyncConnection, site_id: str, commenter_id: str, note_id: str) -> Row | None:
    """Answer one note about a commenter."""
    query = sa.select(commenter_notes).where(
        commenter_notes.c.site_id == site_id,
        commenter_notes.c.commenter_id == commenter_id,
        commenter_notes.c.id == note_id,
    )
    return (await connection.execute(query)).first()


async def delete(connection: AsyncConnection, site_id: str, note_id: str) -> bool:
    """Delete a note; answer whether there was one."""
    gone = await connection.execute(
        commenter_notes.delete().where(commenter_notes.c.site_id == site_id, commenter_notes.c.id == note_id)
    )
    return gone.rowcount == 1
