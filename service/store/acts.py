"""What one act of a moderator did, and what stood before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service.store.tables import appeals, decisions, reports, review_items, revisions
from service.store.types import Row


async def decisions_of(connection: AsyncConnection, site_id: str, act_id: str) -> Sequence[Row]:
    """Answer the decisions of an act in the order of their threads."""
    query = (
        sa.select(decisions)
        .where(decisions.c.site_id == site_id, decisions.c.act_id == act_id)
        .order_by(decisions.c.thread_id, decisions.c.id)
    )
    return (await connection.execute(query)).all()


async def undone(connection: AsyncConnection, site_id: str, decision_ids: Sequence[str]) -> set[str]:
    """Answer those of the decisions that were undone."""
    query = sa.select(decisions.c.undoes_id).where(
        decisions.c.site_id == site_id, decisions.c.undoes_id.in_(list(decision_ids))
    )
    return set((await connection.execute(query)).scalars())


async def before(connection: AsyncConnection, site_id: str, decision: Row) -> Row | None:
    """Answer the decision on the same comment before one."""
    query = (
        sa.select(decisions)
        .where(
            decisions.c.site_id == site_id,
            decisions.c.comment_id == decision.comment_id,
            decisions.c.id < decision.id,
        )
        .order_by(decisions.c.id.desc())
        .limit(1)
    )
    return (await connection.execute(query)).first()


async def was_published(connection: AsyncConnection, site_id: str, decision: Row) -> bool:
    """Answer whether readers had seen the comment before a decision."""
    query = (
        sa.select(decisions.c.id)
        .where(
            decisions.c.site_id == site_id,
            decisions.c.comment_id == decision.comment_id,
            decisions.c.id < decision.id,
            decisions.c.to_status == Status.PUBLISHED.value,
        )
        .limit(1)
    )
    return (await connection.execute(query)).first() is not None


async def shown_before(connection: AsyncConnection, site_id: str, comment_id: str, number: int) -> Row | None:
    """Answer the newest published revision of a comment before one."""
    query = (
        sa.select(revisions)
        .where(
            revisions.c.site_id == site_id,
            revisions.c.comment_id == comment_id,
            revisions.c.number < number,
            revisions.c.status == Status.PUBLISHED.value,
        )
        .order_by(revisions.c.number.desc())
        .limit(1)
    )
    return (await connection.execute(query)).first()


async def supersede_about(connection: AsyncConnection, site_id: str, decision: Row, *, at: datetime) -> list[str]:
    """Close the open items that ask what somebody else makes of a decision; answer their ids."""
    closed = await connection.execute(
        review_items.update()
        .where(
            review_items.c.site_id == site_id,
            review_items.c.comment_id == decision.comment_id,
            review_items.c.decision_id == decision.id,
            review_items.c.state == "open",
        )
        .values(state="superseded", closed_at=at)
        .returning(review_items.c.id)
    )
    return list(closed.scalars())


async def reopen_reports(connection: AsyncConnection, site_id: str, decision: Row) -> None:
    """Let the reports wait again that a decision answered."""
    await connection.execute(
        reports.update()
        .where(
            reports.c.site_id == site_id,
            reports.c.comment_id == decision.comment_id,
            reports.c.decision_id == decision.id,
        )
        .values(outcome=None, decision_id=None, closed_at=None)
    )


async def reopen_appeal(connection: AsyncConnection, site_id: str, item_id: str, new_item_id: str) -> None:
    """Let the appeal wait again, under another item, that deciding an item answered."""
    await connection.execute(
        appeals.update()
        .where(appeals.c.site_id == site_id, appeals.c.review_item_id == item_id)
        .values(outcome=None, answer=None, answered_by=None, closed_at=None, review_item_id=new_item_id)
    )
