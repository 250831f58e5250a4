"""Threads, and the page keys that lead to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import comments, decisions, outbox, reactions, review_items, thread_pages, threads
from service.store.types import Row

_JOINED = thread_pages.join(threads, threads.c.id == thread_pages.c.thread_id)
_BY_PAGE = (
    sa.select(threads)
    .select_from(_JOINED)
    .where(thread_pages.c.site_id == sa.bindparam("site_id"), thread_pages.c.page == sa.bindparam("page"))
)


_BY_PAGE_KEPT = _BY_PAGE.with_for_update(read=True, key_share=True, of=threads)


async def by_page(connection: AsyncConnection, site_id: str, page: str, *, keep: bool = False) -> Row | None:
    """Answer the thread that a page key leads to, also by a key it had before.

    With `keep` the row cannot be deleted until the transaction ends; counting in it goes on.
    """
    query = _BY_PAGE_KEPT if keep and connection.dialect.name == "postgresql" else _BY_PAGE
    return (await connection.execute(query, {"site_id": site_id, "page": page})).first()


async def by_pages(connection: AsyncConnection, site_id: str, pages: Sequence[str]) -> dict[str, Row]:
    """Answer the threads that page keys lead to, by page key."""
    query = (
        sa.select(thread_pages.c.page.label("asked"), threads)
        .select_from(_JOINED)
        .where(thread_pages.c.site_id == site_id, thread_pages.c.page.in_(sa.bindparam("pages", expanding=True)))
    )
    return {row.asked: row for row in await connection.execute(query, {"pages": list(pages)})}


async def by_ids(connection: AsyncConnection, site_id: str, thread_ids: Sequence[str]) -> dict[str, Row]:
    """Answer threads by id."""
    query = sa.select(threads).where(threads.c.site_id == site_id, threads.c.id.in_(thread_ids))
    return {row.id: row for row in await connection.execute(query)}


async def listed(connection: AsyncConnection, site_id: str, *, after: str | None, limit: int) -> Sequence[Row]:
    """Answer threads of a site, newest first, after a thread id."""
    query = sa.select(threads).where(threads.c.site_id == site_id).order_by(threads.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(threads.c.id < after)
    return (await connection.execute(query)).all()


async def pages_of(connection: AsyncConnection, site_id: str, thread_id: str) -> list[str]:
    """Answer every page key of a thread."""
    query = (
        sa.select(thread_pages.c.page)
        .where(thread_pages.c.site_id == site_id, thread_pages.c.thread_id == thread_id)
        .order_by(thread_pages.c.page)
    )
    return list((await connection.execute(query)).scalars())


async def create(connection: AsyncConnection, values: Mapping[str, Any]) -> bool:
    """Add a thread and its page key; answer False, adding nothing, when the key leads somewhere already."""
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    await connection.execute(threads.insert(), dict(values))
    claimed = await connection.execute(
        insert(thread_pages)
        .values(site_id=values["site_id"], page=values["page"], thread_id=values["id"])
        .on_conflict_do_nothing()
    )
    if claimed.rowcount:
        return True
    await connection.execute(threads.delete().where(threads.c.id == values["id"]))
    return False


async def to_close(connection: AsyncConnection, *, now: datetime, limit: int) -> Sequence[Row]:
    """Answer threads whose time to close has come and was not told yet; of every site, each row names its own."""
    query = sa.select(threads.c.id, threads.c.site_id).where(
        threads.c.closes_at.is_not(None), threads.c.closing_told_at.is_(None), threads.c.closes_at <= now
    )
    return (await connection.execute(query.order_by(threads.c.closes_at).limit(limit))).all()


async def told_closing(connection: AsyncConnection, site_id: str, thread_id: str, *, now: datetime) -> Row | None:
    """Mark that it is told; answer the thread, None when its time was changed or another told it meanwhile."""
    told = await connection.execute(
        threads.update()
        .where(
            threads.c.site_id == site_id,
            threads.c.id == thread_id,
            threads.c.closing_told_at.is_(None),
            threads.c.closes_at <= now,
        )
        .values(closing_told_at=now)
        .returning(threads.c.id, threads.c.state)
    )
    return told.first()


#: Past every version that was shown: where likes were waiting for their turn it may have come without a write.
_NEXT_VERSION = threads.c.version + sa.case((threads.c.likes_turn_at.is_(None), 1), else_=2)


async def change(connection: AsyncConnection, site_id: str, thread_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of a thread and bump its version."""
    await connection.execute(
        threads.update()
        .where(threads.c.site_id == site_id, threads.c.id == thread_id)
        .values(version=_NEXT_VERSION, likes_turn_at=None, **values)
    )


_BUMP = (
    threads.update()
    .where(threads.c.site_id == sa.bindparam("of_site"), threads.c.id == sa.bindparam("of_thread"))
    .values(published_count=threads.c.published_count + sa.bindparam("by"), version=_NEXT_VERSION, likes_turn_at=None)
    .returning(threads.c.version)
)


async def bump(connection: AsyncConnection, site_id: str, thread_id: str, by: int) -> int:
    """Add to the count of published comments and answer the new version."""
    row = await connection.execute(_BUMP, {"of_site": site_id, "of_thread": thread_id, "by": by})
    return int(row.scalar_one())


#: Likes are on every page after this long at the latest.
LIKES_TURN_SECONDS = 10.0
#: How much the clocks of two processes may differ, or a commit may take, without a like being left out of its turn.
_LEEWAY_SECONDS = 1.0


async def turn_by_likes(connection: AsyncConnection, site_id: str, thread_id: str, *, now: datetime) -> bool:
    """Let likes make a new version, once in `LIKES_TURN_SECONDS`; lock the thread first and take the time then.

    Answers whether this one says when.
    """
    turn = now + timedelta(seconds=LIKES_TURN_SECONDS)
    settled = threads.c.likes_turn_at.is_(None)
    said = await connection.execute(
        threads.update()
        .where(
            threads.c.site_id == site_id,
            threads.c.id == thread_id,
            sa.or_(settled, threads.c.likes_turn_at <= now + timedelta(seconds=_LEEWAY_SECONDS)),
        )
        .values(version=threads.c.version + sa.case((settled, 0), else_=1), likes_turn_at=turn)
    )
    return bool(said.rowcount)


def version_at(row: Row, now: datetime) -> int:
    """Answer a thread's version; likes whose turn has come make one without anybody's act."""
    return int(row.version) + (row.likes_turn_at is not None and row.likes_turn_at <= now)


async def lock(connection: AsyncConnection, thread_ids: Iterable[str], *, to_remove: bool = False) -> None:
    """Hold threads until the transaction ends, in sorted order, so that two batches never deadlock.

    Comments can still be added to them meanwhile, unless one of them is about to be removed.
    """
    ids = sorted(set(thread_ids))
    if connection.dialect.name == "postgresql" and ids:
        held = sa.select(threads.c.id).where(threads.c.id.in_(ids)).order_by(threads.c.id)
        await connection.execute(held.with_for_update(key_share=not to_remove))


class Count(NamedTuple):
    """How many comments of a thread are published."""

    thread_id: str
    published: int


async def counts(connection: AsyncConnection, site_id: str, pages: Sequence[str]) -> dict[str, Count]:
    """Answer the published comments of each page key that has a thread."""
    query = (
        sa.select(thread_pages.c.page, threads.c.id, threads.c.published_count)
        .select_from(_JOINED)
        .where(thread_pages.c.site_id == site_id, thread_pages.c.page.in_(sa.bindparam("pages", expanding=True)))
    )
    rows = await connection.execute(query, {"pages": list(pages)})
    return {page: Count(thread_id, published) for page, thread_id, published in rows}


async def absorb(connection: AsyncConnection, site_id: str, source_id: str, target_id: str) -> None:
    """Move everything of one thread into another and remove the empty one; its page keys keep working.

    Readers of either page see the version grow. Of pinned comments the target's stay. Both threads must be locked to
    be removed.
    """
    pins = comments.update().where(comments.c.site_id == site_id, comments.c.thread_id == source_id)
    await connection.execute(pins.values(pinned_at=None))
    for table in (comments, reactions, review_items, decisions, outbox, thread_pages):
        await connection.execute(
            table.update().where(table.c.site_id == site_id, table.c.thread_id == source_id).values(thread_id=target_id)
        )
    both = await by_ids(connection, site_id, [source_id, target_id])
    count = both[source_id].published_count + both[target_id].published_count
    # One more than the next, for likes whose turn has come.
    version = max(both[source_id].version, both[target_id].version) + 2
    await connection.execute(
        threads.update()
        .where(threads.c.site_id == site_id, threads.c.id == target_id)
        .values(published_count=count, version=version, likes_turn_at=None)
    )
    await connection.execute(threads.delete().where(threads.c.site_id == site_id, threads.c.id == source_id))


async def rename(connection: AsyncConnection, site_id: str, thread_id: str, page: str, *, url: str | None) -> None:
    """Give a thread a new page key; the old one keeps leading to it."""
    await connection.execute(thread_pages.insert(), {"site_id": site_id, "page": page, "thread_id": thread_id})
    await change(connection, site_id, thread_id, {"page": page} | ({"url": url} if url else {}))


def state_at(row: Row, now: datetime) -> str:
    """Answer open or closed; a closing time that has come closes without anybody's act."""
    if row.state == "open" and row.closes_at is not None and row.closes_at <= now:
        return "closed"
    return str(row.state)
