"""Commenters: guests, and the publisher's accounts under their subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import commenters, comments
from service.store.types import Row

_BY_SUBJECT = sa.select(commenters).where(
    commenters.c.site_id == sa.bindparam("of_site"), commenters.c.subject == sa.bindparam("of_subject")
)


async def commenter(connection: AsyncConnection, site_id: str, commenter_id: str) -> Row | None:
    """Answer a commenter of the site."""
    query = sa.select(commenters).where(commenters.c.site_id == site_id, commenters.c.id == commenter_id)
    return (await connection.execute(query)).first()


async def commenters_by_ids(connection: AsyncConnection, site_id: str, ids: Iterable[str]) -> dict[str, Row]:
    """Answer commenters by id."""
    query = sa.select(commenters).where(commenters.c.site_id == site_id, commenters.c.id.in_(list(ids)))
    return {row.id: row for row in await connection.execute(query)}


async def by_subject(connection: AsyncConnection, site_id: str, subject: str) -> Row | None:
    """Answer the commenter that is an account of the publisher."""
    return (await connection.execute(_BY_SUBJECT, {"of_site": site_id, "of_subject": subject})).first()


async def insert_commenter(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add a commenter."""
    await connection.execute(commenters.insert(), dict(values))


async def insert_account(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add an account of the publisher, unless another request just did."""
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    query = insert(commenters).values(dict(values)).on_conflict_do_nothing(index_elements=["site_id", "subject"])
    await connection.execute(query)


async def change_commenter(
    connection: AsyncConnection, site_id: str, commenter_id: str, values: Mapping[str, Any]
) -> bool:
    """Change columns of a commenter who was not erased; answer whether there is one."""
    changed = await connection.execute(
        commenters.update()
        .where(commenters.c.site_id == site_id, commenters.c.id == commenter_id, commenters.c.erased_at.is_(None))
        .values(**values)
    )
    return changed.rowcount == 1


#: How much older than what is known a commenter's writing must be, for it to be written down.
SEEN_EVERY = timedelta(minutes=5)
_SEEN = (
    commenters.update()
    .where(
        commenters.c.site_id == sa.bindparam("of_site"),
        commenters.c.id == sa.bindparam("of_commenter"),
        commenters.c.erased_at.is_(None),
        sa.or_(
            commenters.c.last_seen_at.is_(None),
            commenters.c.last_seen_at < sa.bindparam("before", type_=commenters.c.last_seen_at.type),
        ),
    )
    .values(last_seen_at=sa.bindparam("seen_at"))
)


async def saw(connection: AsyncConnection, site_id: str, commenter_id: str, *, at: datetime) -> None:
    """Remember when a commenter wrote, once in five minutes."""
    values = {"of_site": site_id, "of_commenter": commenter_id, "before": at - SEEN_EVERY, "seen_at": at}
    await connection.execute(_SEEN, values)


async def revoke_tokens(connection: AsyncConnection, site_id: str, commenter_id: str) -> bool:
    """Make every author token given so far invalid; answer whether there is such a commenter."""
    changed = await connection.execute(
        commenters.update()
        .where(commenters.c.site_id == site_id, commenters.c.id == commenter_id)
        .values(token_generation=commenters.c.token_generation + 1)
    )
    return changed.rowcount == 1


async def count_by_status(connection: AsyncConnection, site_id: str, commenter_id: str) -> dict[str, int]:
    """Answer how many comments of a commenter have each status."""
    query = (
        sa.select(comments.c.status, sa.func.count())
        .where(comments.c.site_id == site_id, comments.c.commenter_id == commenter_id)
        .group_by(comments.c.status)
    )
    return {row.status: row[1] for row in await connection.execute(query)}
