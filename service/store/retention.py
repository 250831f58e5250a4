"""Which sites' retention is due, and the walk over revisions in bounded steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service.store.tables import comments, decisions, review_items, revisions, sites
from service.store.types import Row

_UNSEEN = (Status.DELETED.value, Status.REJECTED.value, Status.REMOVED.value)


def _due(before: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(sites.c.retention_applied_at.is_(None), sites.c.retention_applied_at < before)


async def due(connection: AsyncConnection, *, before: datetime) -> bool:
    """Answer whether the retention of some site was not applied since a time."""
    return (await connection.execute(sa.select(sites.c.id).where(_due(before)).limit(1))).first() is not None


async def take(connection: AsyncConnection, *, at: datetime, before: datetime) -> Sequence[Row]:
    """Take on the sites whose retention is due, so that no other worker does, and answer them."""
    taken = sites.update().where(_due(before)).values(retention_applied_at=at)
    return (await connection.execute(taken.returning(sites.c.id, sites.c.retention))).all()


async def end_of_step(connection: AsyncConnection, *, after: str, step: int) -> str | None:
    """Answer the last of the revisions that the next step looks at, of whichever site; None at the end."""
    ids = sa.select(revisions.c.id).where(revisions.c.id > after).order_by(revisions.c.id).limit(step).subquery()
    last: str | None = (await connection.execute(sa.select(sa.func.max(ids.c.id)))).scalar_one()
    return last


async def candidates(connection: AsyncConnection, site_ids: Sequence[str], *, after: str, until: str) -> Sequence[Row]:
    """Answer revisions of a step that may hold something too old: a network, or a text that readers do not see.

    Crosses sites on purpose: the walk does. Each row names its site.
    """
    asked = sa.exists().where(review_items.c.comment_id == comments.c.id, review_items.c.state == "open")
    unseen = sa.or_(comments.c.status.in_(_UNSEEN), revisions.c.number != comments.c.shown_revision)
    decided = sa.exists().where(decisions.c.comment_id == comments.c.id, decisions.c.revision_id == revisions.c.id)
    query = (
        sa.select(
            revisions.c.id,
            revisions.c.site_id,
            revisions.c.number,
            revisions.c.created_at,
            revisions.c.erased_at,
            revisions.c.network_hash,
            comments.c.status,
            comments.c.deleted_at,
            comments.c.shown_revision,
            asked.label("is_asked_about"),
            decided.label("is_decided"),
        )
        .join(comments, comments.c.id == revisions.c.comment_id)
        .where(
            revisions.c.id > after,
            revisions.c.id <= until,
            revisions.c.site_id.in_(site_ids),
            sa.or_(revisions.c.network_hash.is_not(None), sa.and_(revisions.c.erased_at.is_(None), unseen)),
        )
    )
    return (await connection.execute(query)).all()
