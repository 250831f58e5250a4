"""What people said a text should have scored: kept, read for fitting, and let go of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import suggested_scores
from service.store.types import Row

_OF = suggested_scores.c
_SAID = (_OF.id, _OF.community_id, _OF.client_token, _OF.text_hash, _OF.value, _OF.our_score, _OF.model_id)


async def insert(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep suggestions, one for each attribute."""
    await connection.execute(suggested_scores.insert(), [dict(row) for row in rows])


async def after(
    connection: AsyncConnection,
    site_id: str,
    attribute: str,
    *,
    community_id: str | None = None,
    last: str = "",
    limit: int = 1_000,
) -> Sequence[Row]:
    """Answer what was said of an attribute on a site, or in one of its communities, a page after an id; no text."""
    query = sa.select(*_SAID).where(_OF.site_id == site_id, _OF.attribute == attribute, _OF.id > last)
    if community_id is not None:
        query = query.where(_OF.community_id == community_id)
    return (await connection.execute(query.order_by(_OF.id).limit(limit))).all()


async def forget_before(connection: AsyncConnection, site_id: str, *, before: datetime) -> int:
    """Delete the suggestions of a site that came before a time; answer how many."""
    gone = await connection.execute(suggested_scores.delete().where(_OF.site_id == site_id, _OF.created_at < before))
    return gone.rowcount


async def forget_of(connection: AsyncConnection, site_id: str, client_token: str) -> int:
    """Delete what was suggested about one text, by the client's own name for it; answer how many rows."""
    gone = await connection.execute(
        suggested_scores.delete().where(_OF.site_id == site_id, _OF.client_token == client_token)
    )
    return gone.rowcount
