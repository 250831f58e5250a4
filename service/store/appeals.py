"""Appeals by authors: against which decision, and how they were answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.people import may_review
from service.store.review_items import IS_OPEN, supersede_where
from service.store.tables import appeals, decisions, members, review_items, revisions
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


async def reopen(connection: AsyncConnection, site_id: str, appeal_id: str) -> None:
    """Let an appeal wait again as if nobody had answered it."""
    await connection.execute(
        appeals.update()
        .where(appeals.c.site_id == site_id, appeals.c.id == appeal_id)
        .values(outcome=None, answer=None, answered_by=None, closed_at=None)
    )


async def ask_by(connection: AsyncConnection, site_id: str, appeal_id: str, item_id: str) -> None:
    """Let another review item ask about an appeal."""
    await connection.execute(
        appeals.update().where(appeals.c.site_id == site_id, appeals.c.id == appeal_id).values(review_item_id=item_id)
    )


async def decision_of_item(connection: AsyncConnection, site_id: str, item_id: str | None) -> str | None:
    """Answer the decision that answered a review item, if one did."""
    if item_id is None:
        return None
    query = sa.select(decisions.c.id).where(decisions.c.site_id == site_id, decisions.c.review_item_id == item_id)
    found: str | None = (await connection.execute(query)).scalar()
    return found


async def undoing(connection: AsyncConnection, site_id: str, decision_id: str) -> str | None:
    """Answer the decision that took another one back, if one did."""
    query = sa.select(decisions.c.id).where(decisions.c.site_id == site_id, decisions.c.undoes_id == decision_id)
    found: str | None = (await connection.execute(query)).scalar()
    return found


async def release_stuck(connection: AsyncConnection, *, at: datetime) -> int:
    """Let open items of all sites go on that only one could decide who must not; answer how many there were.

    So it is where everybody else left. The one who is left may decide then, as where there never was another; a second
    opinion, which would be none, is not asked for any more.
    """
    others = sa.exists().where(
        sa.or_(members.c.site_id == review_items.c.site_id, members.c.site_id.is_(None)),
        members.c.id != review_items.c.not_for,
        may_review(at),
    )
    stuck = (review_items.c.not_for.is_not(None), sa.not_(others))
    second = review_items.c.kind == "second_opinion"
    ended = await supersede_where(connection, None, *stuck, second, at=at)
    freed = await connection.execute(review_items.update().where(IS_OPEN, *stuck, sa.not_(second)).values(not_for=None))
    return len(ended) + freed.rowcount
