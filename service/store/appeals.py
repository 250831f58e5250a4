"""Appeals by authors: against which decision, and how they were answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import api_tokens, appeals, members, revisions
from service.store.types import Row

_IS_OPEN = appeals.c.closed_at.is_(None)
_WITH_REVISION = sa.select(appeals, revisions.c.number.label("revision")).join(
    revisions, revisions.c.id == appeals.c.revision_id
)


async def insert(connection: AsyncConnection, site_id: str, values: Mapping[str, Any]) -> None:
    """Add an appeal; raises IntegrityError where the decision has one."""
    await connection.execute(appeals.insert(), {**values, "site_id": site_id})


async def by_id(connection: AsyncConnection, site_id: str, appeal_id: str) -> Row | None:
    """Answer one appeal, with the number of the revision that it is about."""
    query = _WITH_REVISION.where(appeals.c.site_id == site_id, appeals.c.id == appeal_id)
    return (await connection.execute(query)).first()


async def by_ids(connection: AsyncConnection, site_id: str, appeal_ids: Iterable[str]) -> dict[str, Row]:
    """Answer appeals by id."""
    query = _WITH_REVISION.where(appeals.c.site_id == site_id, appeals.c.id.in_(list(appeal_ids)))
    return {row.id: row for row in await connection.execute(query)}


async def of_comments(
    connection: AsyncConnection, site_id: str, comment_ids: Iterable[str], *, is_open: bool = False
) -> Sequence[Row]:
    """Answer the appeals about comments, or those that wait, the first one first."""
    query = _WITH_REVISION.where(appeals.c.site_id == site_id, appeals.c.comment_id.in_(list(comment_ids)))
    if is_open:
        query = query.where(_IS_OPEN)
    return (await connection.execute(query.order_by(appeals.c.id))).all()


async def of_item(connection: AsyncConnection, site_id: str, item_id: str) -> Row | None:
    """Answer the appeal that a review item asks about, while it waits."""
    query = _WITH_REVISION.where(appeals.c.site_id == site_id, appeals.c.review_item_id == item_id, _IS_OPEN)
    return (await connection.execute(query)).first()


async def page(
    connection: AsyncConnection, site_id: str, *, is_open: bool | None, before_id: str | None, limit: int
) -> Sequence[Row]:
    """Answer appeals of a site, the newest first."""
    query = _WITH_REVISION.where(appeals.c.site_id == site_id).order_by(appeals.c.id.desc()).limit(limit)
    if is_open is not None:
        query = query.where(_IS_OPEN if is_open else appeals.c.closed_at.is_not(None))
    if before_id is not None:
        query = query.where(appeals.c.id < before_id)
    return (await connection.execute(query)).all()


async def close(
    connection: AsyncConnection,
    site_id: str,
    appeal_id: str,
    *,
    outcome: str,
    answer: str | None,
    answered_by: str | None,
    at: datetime,
) -> bool:
    """Write the answer to an open appeal; answer False where there is one."""
    closed = await connection.execute(
        appeals.update()
        .where(appeals.c.site_id == site_id, appeals.c.id == appeal_id, _IS_OPEN)
        .values(outcome=outcome, answer=answer, answered_by=answered_by, closed_at=at)
    )
    return closed.rowcount == 1


async def has_another_reviewer(connection: AsyncConnection, site_id: str, actor: str) -> bool:
    """Answer whether somebody else than an actor can review: an active member who signs in or has a token."""
    tokens = sa.exists().where(api_tokens.c.member_id == members.c.id, api_tokens.c.revoked_at.is_(None))
    query = (
        sa.select(members.c.id)
        .where(
            members.c.site_id == site_id,
            members.c.id != actor,
            members.c.disabled_at.is_(None),
            sa.or_(members.c.account_id.is_not(None), tokens),
        )
        .limit(1)
    )
    return (await connection.execute(query)).first() is not None
