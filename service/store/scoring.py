"""What the scoring worker reads and writes: revisions that are owed a score, and what a batch decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import commenters, comments, decisions, review_items, revisions, scores, sites, threads
from service.store.types import Row

_OWED = (
    sa.select(
        revisions.c.id.label("revision_id"),
        revisions.c.number,
        revisions.c.body,
        revisions.c.created_at,
        revisions.c.body_hash,
        revisions.c.network_hash,
        revisions.c.submission,
        comments.c.commenter_id,
        comments.c.author_kind,
        commenters.c.kind.label("commenter_kind"),
        commenters.c.verified,
        commenters.c.trusted,
        commenters.c.first_seen_at,
        comments.c.author_name,
        comments.c.parent_id,
        comments.c.id.label("comment_id"),
        comments.c.thread_id,
        comments.c.site_id,
        comments.c.path,
        comments.c.status,
        sites.c.emergency_pre_moderation,
        sites.c.spam,
        sites.c.review,
        threads.c.page,
        threads.c.published_count,
        sa.func.coalesce(threads.c.policy_version, sites.c.policy_version).label("policy_version"),
    )
    .select_from(
        revisions.join(comments, comments.c.id == revisions.c.comment_id)
        .join(commenters, commenters.c.id == comments.c.commenter_id)
        .join(threads, threads.c.id == comments.c.thread_id)
        .join(sites, sites.c.id == comments.c.site_id)
    )
    .where(revisions.c.id.in_(sa.bindparam("ids", expanding=True)), revisions.c.scored_at.is_(None))
    .order_by(revisions.c.id)
)


async def owed(connection: AsyncConnection, revision_ids: Iterable[str]) -> Sequence[Row]:
    """Answer those of the revisions that still wait for a score, with the policy that judges them.

    Crosses sites on purpose: a batch does. Each row names its site.
    """
    return (await connection.execute(_OWED, {"ids": list(revision_ids)})).all()


async def owed_page(connection: AsyncConnection, *, before: datetime, after_id: str | None, limit: int) -> list[str]:
    """Answer ids of revisions that wait for a score since before a time, for the sweep, oldest first."""
    query = (
        sa.select(revisions.c.id)
        .where(revisions.c.scored_at.is_(None), revisions.c.created_at < before)
        .order_by(revisions.c.created_at, revisions.c.id)
        .limit(limit)
    )
    if after_id is not None:
        passed = sa.select(revisions.c.created_at).where(revisions.c.id == after_id).scalar_subquery()
        query = query.where(sa.tuple_(revisions.c.created_at, revisions.c.id) > sa.tuple_(passed, after_id))
    return list((await connection.execute(query)).scalars())


async def owed_count(connection: AsyncConnection, site_id: str) -> int:
    """Answer how many comments of a site wait for a score."""
    query = sa.select(sa.func.count()).where(revisions.c.site_id == site_id, revisions.c.scored_at.is_(None))
    return int((await connection.execute(query)).scalar_one())


_SCORED = (
    revisions.update()
    .where(revisions.c.id == sa.bindparam("of_revision"))
    .values(
        scored_at=sa.bindparam("new_scored_at"),
        status=sa.bindparam("new_status"),
        language=sa.bindparam("new_language"),
    )
)


async def mark_scored(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write revision status, language and time: keys of_revision, new_scored_at, new_status, new_language."""
    if rows:
        await connection.execute(_SCORED, list(rows))


async def insert_scores(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add what a model said of revisions."""
    if rows:
        await connection.execute(scores.insert(), list(rows))


async def insert_decisions(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append decisions."""
    if rows:
        await connection.execute(decisions.insert(), list(rows))


async def insert_items(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Open review items."""
    if rows:
        await connection.execute(review_items.insert(), list(rows))


async def latest_scores(connection: AsyncConnection, site_id: str, revision_ids: Iterable[str]) -> dict[str, Row]:
    """Answer the newest scores of each revision."""
    query = (
        sa.select(scores)
        .where(scores.c.site_id == site_id, scores.c.revision_id.in_(list(revision_ids)))
        .order_by(scores.c.id)
    )
    return {row.revision_id: row for row in await connection.execute(query)}
