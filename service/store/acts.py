"""What one act of a moderator did, and what stood before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.review_items import IS_OPEN, supersede_where
from service.store.tables import commenters, comments, decisions, review_items, revisions
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
    """Answer the earlier decision by which a comment came to stand where it stood before one, about its text if any."""
    query = (
        sa.select(decisions)
        .where(
            decisions.c.site_id == site_id,
            decisions.c.comment_id == decision.comment_id,
            decisions.c.id < decision.id,
            decisions.c.to_status == decision.from_status,
        )
        .order_by((decisions.c.revision_id == decision.revision_id).desc(), decisions.c.id.desc())
        .limit(1)
    )
    return (await connection.execute(query)).first()


async def was_edited_since(connection: AsyncConnection, site_id: str, decision: Row) -> bool:
    """Answer whether the author wrote another text after a decision."""
    query = (
        sa.select(revisions.c.id)
        .where(
            revisions.c.site_id == site_id,
            revisions.c.comment_id == decision.comment_id,
            revisions.c.created_at > decision.created_at,
        )
        .limit(1)
    )
    return (await connection.execute(query)).first() is not None


async def is_anything_erased(connection: AsyncConnection, site_id: str, decision: Row, numbers: Sequence[int]) -> bool:
    """Answer whether the author, the text that was decided, or one of the revisions `numbers` was erased since."""
    texts = sa.select(revisions.c.id).where(
        revisions.c.site_id == site_id,
        revisions.c.comment_id == decision.comment_id,
        sa.or_(revisions.c.id == decision.revision_id, revisions.c.number.in_(list(numbers))),
        revisions.c.erased_at.is_not(None),
    )
    author = (
        sa.select(comments.c.id)
        .join(commenters, commenters.c.id == comments.c.commenter_id)
        .where(comments.c.site_id == site_id, comments.c.id == decision.comment_id, commenters.c.erased_at.is_not(None))
    )
    return (await connection.execute(sa.union_all(texts, author))).first() is not None


async def supersede_about(connection: AsyncConnection, site_id: str, decision: Row, *, at: datetime) -> list[str]:
    """Close the open items that ask what somebody else makes of a decision; answer their ids."""
    about = (review_items.c.comment_id == decision.comment_id, review_items.c.decision_id == decision.id)
    # An appeal is closed with its own words, not dropped.
    return await supersede_where(connection, site_id, *about, review_items.c.kind != "appealed", at=at)


async def open_about(connection: AsyncConnection, site_id: str, revision_id: str, kind: str) -> Row | None:
    """Answer the open item of a kind about a revision; there is one at the most."""
    query = sa.select(review_items).where(
        review_items.c.site_id == site_id,
        review_items.c.revision_id == revision_id,
        review_items.c.kind == kind,
        IS_OPEN,
    )
    return (await connection.execute(query)).first()


async def end_samples(connection: AsyncConnection, site_id: str, comment_id: str, *, at: datetime) -> list[str]:
    """Close the blind looks at a comment that a person has decided about: their answer would come second."""
    samples = (review_items.c.comment_id == comment_id, review_items.c.kind == "sampled")
    return await supersede_where(connection, site_id, *samples, at=at)


async def escalated(connection: AsyncConnection, site_id: str, comment_ids: Sequence[str]) -> set[str]:
    """Answer those of the comments that wait for the admins."""
    query = sa.select(review_items.c.comment_id).where(
        review_items.c.site_id == site_id,
        review_items.c.comment_id.in_(list(comment_ids)),
        review_items.c.queue == "escalated",
        IS_OPEN,
    )
    return set((await connection.execute(query)).scalars())
