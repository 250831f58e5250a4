"""What erasing people and texts writes: texts and names become null, what only points at them goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service.store import mail_addresses
from service.store.tables import (
    appeals,
    commenter_notes,
    commenters,
    comments,
    decisions,
    idempotency_keys,
    members,
    reports,
    review_items,
    revisions,
    sanctions,
    scores,
)
from service.store.types import Row

_NOBODY: dict[str, Any] = {
    "name": None,
    "subject": None,
    "avatar_url": None,
    "verified": False,
    "badges": [],
    "trusted": False,
    "author_key": None,
    "last_seen_at": None,
}

#: What names a commenter, or what they said, beside their comments.
_WORDS: tuple[tuple[sa.Table, dict[str, Any]], ...] = (
    (sanctions, {"note": None}),
    (reports, {"detail": None, "network_hash": None, "contact_sealed": None}),
    (appeals, {"text": None, "answer": None}),
)

#: What a revision is left without once nobody is behind it.
_TRACELESS: dict[str, Any] = {name: None for name in ("body_hash", "network_hash", "submission") if name in revisions.c}


async def begin(connection: AsyncConnection, site_id: str, commenter_id: str, mode: str, *, at: datetime) -> bool:
    """Take a commenter's identity and tokens away and note what is to happen to the comments; False if that was done.

    A second, harder wish counts: comments that stayed without a name can still be removed.
    """
    wanted = commenters.update().where(commenters.c.site_id == site_id, commenters.c.id == commenter_id)
    first = wanted.where(commenters.c.erased_at.is_(None))
    generation = commenters.c.token_generation + 1
    begun = await connection.execute(first.values(erased_at=at, erasure=mode, token_generation=generation, **_NOBODY))
    if begun.rowcount != 1:
        await connection.execute(wanted.values(erasure=mode))
    for table, values in _WORDS:
        await connection.execute(
            table.update().where(table.c.site_id == site_id, table.c.commenter_id == commenter_id).values(values)
        )
    await mail_addresses.erase(connection, site_id, commenter_id)
    # An admin of the installation is of no site, and can write on each.
    await connection.execute(members.update().where(members.c.commenter_id == commenter_id).values(commenter_id=None))
    notes = commenter_notes.c
    await connection.execute(
        commenter_notes.delete().where(notes.site_id == site_id, notes.commenter_id == commenter_id)
    )
    return begun.rowcount == 1


async def finish(connection: AsyncConnection, site_id: str, commenter_id: str) -> bool:
    """Note that nothing is left to erase; answer False where somebody noted it before."""
    changed = await connection.execute(
        commenters.update()
        .where(commenters.c.site_id == site_id, commenters.c.id == commenter_id, commenters.c.erasure.is_not(None))
        .values(erasure=None)
    )
    return changed.rowcount == 1


async def unfinished(connection: AsyncConnection, *, limit: int) -> Sequence[Row]:
    """Answer commenters of all sites whose erasure is not finished; each row names its site."""
    query = (
        sa.select(commenters.c.id, commenters.c.site_id, commenters.c.erasure, commenters.c.erased_at)
        .where(commenters.c.erasure.is_not(None))
        .order_by(commenters.c.id)
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def left_of(
    connection: AsyncConnection, site_id: str, commenter_id: str, mode: str, *, after: str | None, limit: int
) -> Sequence[Row]:
    """Answer comments of a commenter, in the order of writing, that still hold what the mode takes away."""
    texts = sa.exists().where(revisions.c.comment_id == comments.c.id, revisions.c.erased_at.is_(None))
    other_texts = texts.where(revisions.c.number != comments.c.shown_revision)
    traced = sa.exists().where(
        revisions.c.comment_id == comments.c.id,
        sa.or_(revisions.c.network_hash.is_not(None), revisions.c.body_hash.is_not(None)),
    )
    stays = sa.and_(comments.c.status == Status.PUBLISHED.value, sa.literal(mode == "anonymise"))
    left = sa.or_(
        comments.c.author_name.is_not(None),
        comments.c.author_shown.is_not(None),
        comments.c.author_key.is_not(None),
        sa.and_(stays, sa.or_(other_texts, traced)),
        sa.and_(sa.not_(stays), sa.or_(comments.c.status != Status.DELETED.value, texts)),
    )
    query = (
        sa.select(comments.c.id, comments.c.thread_id, comments.c.status, comments.c.shown_revision)
        .where(comments.c.site_id == site_id, comments.c.commenter_id == commenter_id, left)
        .order_by(comments.c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(comments.c.id > after)
    return (await connection.execute(query)).all()


async def forget_names(connection: AsyncConnection, site_id: str, comment_ids: Sequence[str]) -> None:
    """Take the author's name and key from comments, and what was kept for a repeated request of theirs."""
    mine = (comments.c.site_id == site_id, comments.c.id.in_(comment_ids))
    await connection.execute(
        comments.update().where(*mine).values(author_name=None, author_shown=None, author_key=None)
    )
    # A key is kept in the transaction of its comment, at the same time: so an index finds it.
    times = sa.select(comments.c.created_at).where(*mine)
    await connection.execute(
        idempotency_keys.delete().where(
            idempotency_keys.c.site_id == site_id,
            idempotency_keys.c.created_at.in_(times),
            idempotency_keys.c.comment_id.in_(comment_ids),
        )
    )


async def forget_traces(connection: AsyncConnection, site_id: str, comment_ids: Sequence[str]) -> None:
    """Take from every revision of comments what tells who or from where it was sent."""
    await connection.execute(
        revisions.update()
        .where(revisions.c.site_id == site_id, revisions.c.comment_id.in_(comment_ids))
        .values(_TRACELESS)
    )


async def forget_networks(connection: AsyncConnection, site_id: str, revision_ids: Sequence[str]) -> None:
    """Take the hash of the network from revisions."""
    await connection.execute(
        revisions.update()
        .where(revisions.c.site_id == site_id, revisions.c.id.in_(revision_ids))
        .values(network_hash=None)
    )


async def revisions_of(connection: AsyncConnection, site_id: str, comment_ids: Sequence[str]) -> Sequence[Row]:
    """Answer the revisions of comments that have their text."""
    query = sa.select(revisions.c.id, revisions.c.comment_id, revisions.c.number).where(
        revisions.c.site_id == site_id, revisions.c.comment_id.in_(comment_ids), revisions.c.erased_at.is_(None)
    )
    return (await connection.execute(query)).all()


async def forget_texts(connection: AsyncConnection, site_id: str, revision_ids: Sequence[str], *, at: datetime) -> None:
    """Erase texts and everything that quotes them or was made of them; decisions stay with codes and numbers."""
    if not revision_ids:
        return
    of_text = (revisions.c.site_id == site_id, revisions.c.id.in_(revision_ids))
    comment_ids = list(
        (await connection.execute(sa.select(revisions.c.comment_id).where(*of_text).distinct())).scalars()
    )
    await connection.execute(
        revisions.update().where(*of_text).values(body=None, html=None, erased_at=at, **_TRACELESS)
    )
    await connection.execute(
        scores.update().where(scores.c.site_id == site_id, scores.c.revision_id.in_(revision_ids)).values(window=None)
    )
    await connection.execute(
        reports.update()
        .where(
            reports.c.site_id == site_id,
            reports.c.comment_id.in_(comment_ids),
            reports.c.revision_id.in_(revision_ids),
        )
        .values(detail=None)
    )
    await connection.execute(
        appeals.update()
        .where(
            appeals.c.site_id == site_id,
            appeals.c.comment_id.in_(comment_ids),
            appeals.c.revision_id.in_(revision_ids),
        )
        .values(text=None, answer=None)
    )
    for table, more in ((decisions, {"note": None}), (review_items, {"spans": None, "escalation_note": None})):
        await _strip_causes(connection, table, site_id, comment_ids, revision_ids, more)


async def _strip_causes(
    connection: AsyncConnection,
    table: sa.Table,
    site_id: str,
    comment_ids: Sequence[str],
    revision_ids: Sequence[str],
    more: Mapping[str, Any],
) -> None:
    about = (table.c.site_id == site_id, table.c.comment_id.in_(comment_ids), table.c.revision_id.in_(revision_ids))
    await connection.execute(table.update().where(*about).values(more))
    rows = (await connection.execute(sa.select(table.c.id, table.c.causes).where(*about))).all()
    quoting = [row for row in rows if any(cause.get("detail") is not None for cause in row.causes)]
    if quoting:
        await connection.execute(
            table.update().where(table.c.id == sa.bindparam("of_id")).values(causes=sa.bindparam("new_causes")),
            [{"of_id": row.id, "new_causes": [{**cause, "detail": None} for cause in row.causes]} for row in quoting],
        )


async def threads_of(connection: AsyncConnection, site_id: str, comment_ids: Sequence[str]) -> set[str]:
    """Answer the threads that comments are in now."""
    query = sa.select(comments.c.thread_id).where(comments.c.site_id == site_id, comments.c.id.in_(comment_ids))
    return set((await connection.execute(query.distinct())).scalars())
