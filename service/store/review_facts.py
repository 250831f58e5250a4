"""What is known of a revision that is to be looked at: its scores, its thread, its author, its site's settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import (
    appeals,
    commenters,
    comments,
    decisions,
    revisions,
    scores,
    sites,
    threads,
)
from service.store.types import Row

_NEWEST = (
    sa.select(scores.c.attributes)
    .where(scores.c.revision_id == revisions.c.id)
    .order_by(scores.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_OF_REVISION = (
    sa.select(
        comments.c.id.label("comment_id"),
        comments.c.thread_id,
        comments.c.author_kind,
        commenters.c.trusted,
        revisions.c.language,
        threads.c.page,
        threads.c.published_count,
        sites.c.review,
        _NEWEST.label("attributes"),
    )
    .select_from(
        revisions.join(comments, comments.c.id == revisions.c.comment_id)
        .join(commenters, commenters.c.id == comments.c.commenter_id)
        .join(threads, threads.c.id == comments.c.thread_id)
        .join(sites, sites.c.id == comments.c.site_id)
    )
    .where(revisions.c.site_id == sa.bindparam("of_site"), revisions.c.id == sa.bindparam("of_revision"))
)


async def of_revision(connection: AsyncConnection, site_id: str, revision_id: str) -> Row:
    """Answer what gives an item about a revision its place."""
    return (await connection.execute(_OF_REVISION, {"of_site": site_id, "of_revision": revision_id})).one()


async def decisions_of(connection: AsyncConnection, site_id: str, comment_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Answer the decisions on comments with the number of the revision, the first one first."""
    query = (
        sa.select(decisions, revisions.c.number)
        .join(revisions, revisions.c.id == decisions.c.revision_id)
        .where(decisions.c.site_id == site_id, decisions.c.comment_id.in_(list(comment_ids)))
        .order_by(decisions.c.id)
    )
    found: dict[str, list[Row]] = defaultdict(list)
    for row in await connection.execute(query):
        found[row.comment_id].append(row)
    return found


async def appeals_of(connection: AsyncConnection, site_id: str, item_ids: Sequence[str]) -> dict[str, Row]:
    """Answer by item the appeal that it is about, with the decision that the author contests."""
    query = (
        sa.select(
            decisions,
            revisions.c.number,
            appeals.c.id.label("appeal_id"),
            appeals.c.review_item_id.label("about_item_id"),
            appeals.c.text,
            appeals.c.created_at.label("appealed_at"),
        )
        .join(appeals, appeals.c.decision_id == decisions.c.id)
        .join(revisions, revisions.c.id == decisions.c.revision_id)
        .where(appeals.c.site_id == site_id, appeals.c.review_item_id.in_(list(item_ids)))
    )
    return {row.about_item_id: row for row in await connection.execute(query)}
