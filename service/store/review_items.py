"""Review items and the lease on each: a compare-and-set on the row, so that Redis may forget everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import comments, decisions, review_items, review_skips, revisions, thread_pages
from service.store.types import Row

OPEN, DECIDED, SUPERSEDED = "open", "decided", "superseded"
IS_OPEN = review_items.c.state == sa.literal_column("'open'")
_OPEN_ORDER = (review_items.c.site_id, review_items.c.queue, review_items.c.order_key, review_items.c.id)


class Wish(NamedTuple):
    """Who wants items, as whom that person writes, and which ones; None: any."""

    actor: str
    commenter_id: str | None = None
    page: str | None = None
    rule: str | None = None
    attribute: str | None = None
    language: str | None = None
    trust: str | None = None
    kind: str | None = None
    opened_before: datetime | None = None
    author_id: str | None = None
    item_id: str | None = None

    @property
    def is_particular(self) -> bool:
        """True when not just the next items are wanted, which Redis knows, but certain ones."""
        return any(value is not None for value in self[2:])


def _unleased(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(review_items.c.lease_expires_at.is_(None), review_items.c.lease_expires_at <= now)


def _under_lease(site_id: str, item_id: str, lease_hash: str, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Answer what makes this lease the valid one of an item."""
    return (
        review_items.c.site_id == site_id,
        review_items.c.id == item_id,
        IS_OPEN,
        review_items.c.lease_hash == lease_hash,
        review_items.c.lease_expires_at > now,
    )


async def candidates(
    connection: AsyncConnection, site_id: str, queue: str, wish: Wish, *, now: datetime, limit: int, lock: bool = True
) -> list[Row]:
    """Answer open items (id, order_key) of a queue that are free and that this member may decide, in order.

    Certain ones may be far apart: find them in a patient reading without `lock`, and lease them by id afterwards.
    """
    # One author's are few: said so that the index of what is open does not fit, the walk begins at their comments.
    is_open = IS_OPEN if wish.author_id is None else review_items.c.state.not_in([DECIDED, SUPERSEDED])
    query = (
        sa.select(review_items.c.id, review_items.c.order_key)
        .where(
            review_items.c.site_id == site_id,
            review_items.c.queue == queue,
            is_open,
            _unleased(now),
            *_may_decide(wish),
            *_wanted(site_id, wish),
        )
        .order_by(review_items.c.order_key, review_items.c.id)
        .limit(limit)
    )
    return await _held(connection, query) if lock else list((await connection.execute(query)).all())


async def free(
    connection: AsyncConnection,
    site_id: str,
    queues: Sequence[str],
    item_ids: Iterable[str],
    wish: Wish,
    *,
    now: datetime,
) -> set[str]:
    """Answer those of the items that are open in these queues and free, and that this member may decide."""
    query = sa.select(review_items.c.id).where(
        review_items.c.site_id == site_id,
        review_items.c.queue.in_(list(queues)),
        review_items.c.id.in_(list(item_ids)),
        IS_OPEN,
        _unleased(now),
        *_may_decide(wish),
    )
    return {row.id for row in await _held(connection, query)}


def _may_decide(wish: Wish) -> list[sa.ColumnElement[bool]]:
    """Not what this member skipped, decided the first time, or wrote."""
    skipped = sa.exists().where(review_skips.c.item_id == review_items.c.id, review_skips.c.actor == wish.actor)
    found = [sa.not_(skipped), sa.or_(review_items.c.not_for.is_(None), review_items.c.not_for != wish.actor)]
    if wish.commenter_id is not None:
        own = sa.exists().where(
            comments.c.id == review_items.c.comment_id, comments.c.commenter_id == wish.commenter_id
        )
        found.append(sa.not_(own))
    return found


def _wanted(site_id: str, wish: Wish) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [
        review_items.c[name] == getattr(wish, name)
        for name in ("rule", "attribute", "language", "trust", "kind")
        if getattr(wish, name) is not None
    ]
    if wish.rule is not None or wish.attribute is not None:
        # Of a blind one nobody may find out what the machine found.
        found.append(sa.not_(review_items.c.blind))
    if wish.opened_before is not None:
        found.append(review_items.c.opened_at <= wish.opened_before)
    if wish.page is not None:
        thread = sa.select(thread_pages.c.thread_id).where(
            thread_pages.c.site_id == site_id, thread_pages.c.page == wish.page
        )
        found.append(review_items.c.thread_id.in_(thread))
    if wish.item_id is not None:
        found.append(review_items.c.id == wish.item_id)
    if wish.author_id is not None:
        of_author = sa.select(comments.c.id).where(
            comments.c.site_id == site_id, comments.c.commenter_id == wish.author_id
        )
        found.append(review_items.c.comment_id.in_(of_author))
    return found


async def _held(connection: AsyncConnection, query: sa.Select[Any]) -> list[Row]:
    """Lock what is found and pass over what others hold: who claims never waits, so no order of items deadlocks."""
    if connection.dialect.name == "postgresql":
        query = query.with_for_update(of=review_items, skip_locked=True)
    return list((await connection.execute(query)).all())


async def lease(
    connection: AsyncConnection,
    site_id: str,
    item_id: str,
    *,
    now: datetime,
    until: datetime,
    lease_hash: str,
    claimed_by: str,
) -> bool:
    """Take an item if it is open and free; answer whether it is taken."""
    taken = await connection.execute(
        review_items.update()
        .where(review_items.c.site_id == site_id, review_items.c.id == item_id, IS_OPEN, _unleased(now))
        .values(
            lease_hash=lease_hash,
            lease_expires_at=until,
            claimed_by=claimed_by,
            claim_number=review_items.c.claim_number + 1,
        )
    )
    return taken.rowcount == 1


async def held_by(connection: AsyncConnection, site_id: str, actor: str, *, now: datetime) -> dict[str, str]:
    """Answer the items that a member holds, each with the hash of its lease."""
    query = sa.select(review_items.c.id, review_items.c.lease_hash).where(
        review_items.c.site_id == site_id,
        IS_OPEN,
        review_items.c.claimed_by == actor,
        review_items.c.lease_expires_at > now,
    )
    return {row.id: row.lease_hash for row in await connection.execute(query)}


async def renew(
    connection: AsyncConnection, site_id: str, item_id: str, *, now: datetime, until: datetime, lease_hash: str
) -> bool:
    """Prolong a lease that is still valid; answer whether it was."""
    renewed = await connection.execute(
        review_items.update().where(*_under_lease(site_id, item_id, lease_hash, now)).values(lease_expires_at=until)
    )
    return renewed.rowcount == 1


async def release(connection: AsyncConnection, site_id: str, item_id: str, *, now: datetime, lease_hash: str) -> bool:
    """Give a leased item back; answer whether the lease was valid."""
    released = await connection.execute(
        review_items.update()
        .where(*_under_lease(site_id, item_id, lease_hash, now))
        .values(lease_hash=None, lease_expires_at=None, claimed_by=None)
    )
    return released.rowcount == 1


async def by_id(connection: AsyncConnection, site_id: str, item_id: str, *, lock: bool = False) -> Row | None:
    """Answer one item in any state; with `lock`, nobody else can decide it until the transaction ends."""
    query = sa.select(review_items).where(review_items.c.site_id == site_id, review_items.c.id == item_id)
    if lock and connection.dialect.name == "postgresql":
        query = query.with_for_update()
    return (await connection.execute(query)).first()


async def by_ids(connection: AsyncConnection, site_id: str, item_ids: Iterable[str]) -> dict[str, Row]:
    """Answer items by id."""
    query = sa.select(review_items).where(review_items.c.site_id == site_id, review_items.c.id.in_(list(item_ids)))
    return {row.id: row for row in await connection.execute(query)}


async def of_comments(connection: AsyncConnection, site_id: str, comment_ids: Sequence[str]) -> dict[str, Row]:
    """Answer for each revision of comments the item that was opened about it last."""
    query = (
        sa.select(review_items)
        .where(review_items.c.site_id == site_id, review_items.c.comment_id.in_(list(comment_ids)))
        .order_by(review_items.c.id)
    )
    return {row.revision_id: row for row in await connection.execute(query)}


async def move(connection: AsyncConnection, site_id: str, item_id: str, values: Mapping[str, Any]) -> None:
    """Change where an open item stands."""
    await connection.execute(
        review_items.update()
        .where(review_items.c.site_id == site_id, review_items.c.id == item_id, IS_OPEN)
        .values(**values)
    )


async def empty_queues(connection: AsyncConnection, site_id: str, *, keep: Sequence[str], into: str) -> None:
    """Move what waits in queues that are gone into another one."""
    await connection.execute(
        review_items.update()
        .where(review_items.c.site_id == site_id, IS_OPEN, review_items.c.queue.not_in(list(keep)))
        .values(queue=into)
    )


async def close(connection: AsyncConnection, site_id: str, item_id: str, *, at: datetime) -> bool:
    """Mark an open item decided; answer False if it was closed before."""
    closed = await connection.execute(
        review_items.update()
        .where(review_items.c.site_id == site_id, review_items.c.id == item_id, IS_OPEN)
        .values(state=DECIDED, closed_at=at)
    )
    return closed.rowcount == 1


async def supersede(
    connection: AsyncConnection,
    site_id: str,
    comment_id: str,
    *,
    at: datetime,
    before: int | None = None,
    keep: int | None = None,
) -> list[str]:
    """Close the open items of a comment that changed under them and answer their ids.

    `before`: only those about revisions before that number; `keep`: not those about that one.
    """
    about = sa.select(revisions.c.id).where(revisions.c.site_id == site_id, revisions.c.comment_id == comment_id)
    if before is not None:
        about = about.where(revisions.c.number < before)
    if keep is not None:
        about = about.where(revisions.c.number != keep)
    of_comment = review_items.c.comment_id == comment_id
    return await supersede_where(connection, site_id, of_comment, review_items.c.revision_id.in_(about), at=at)


async def supersede_where(
    connection: AsyncConnection, site_id: str | None, *which: sa.ColumnElement[bool], at: datetime
) -> list[str]:
    """Close the open items of a site, or of all, that have nothing left to ask, and answer their ids."""
    ended = review_items.update().where(IS_OPEN, *which).values(state=SUPERSEDED, closed_at=at)
    if site_id is not None:
        ended = ended.where(review_items.c.site_id == site_id)
    return list((await connection.execute(ended.returning(review_items.c.id))).scalars())


class Depth(NamedTuple):
    """How much of a kind in a queue waits for a person."""

    queue: str
    kind: str
    open: int
    claimed: int
    overdue: int
    oldest: datetime | None


async def depths(connection: AsyncConnection, site_id: str, *, now: datetime) -> list[Depth]:
    """Answer by queue and kind the open items, those under a lease, those past their time, and the oldest."""
    at = sa.bindparam("now", now, type_=review_items.c.due_at.type)
    held = sa.func.count().filter(review_items.c.lease_expires_at > at)
    # The order is the time by which an item is to be looked at.
    late = sa.func.count().filter(review_items.c.order_key <= now.timestamp())
    query = (
        sa.select(
            review_items.c.queue,
            review_items.c.kind,
            sa.func.count(),
            held,
            late,
            sa.func.min(review_items.c.opened_at),
        )
        .where(review_items.c.site_id == site_id, IS_OPEN)
        .group_by(review_items.c.queue, review_items.c.kind)
    )
    return [Depth(*row) for row in await connection.execute(query)]


async def open_page(connection: AsyncConnection, site_id: str, *, after: Row | None, limit: int) -> Sequence[Row]:
    """Answer open items of a site for the sweep, by queue and order, behind the last row of the page before."""
    query = (
        sa.select(*_OPEN_ORDER, review_items.c.lease_expires_at)
        .where(review_items.c.site_id == site_id, IS_OPEN)
        .order_by(*_OPEN_ORDER[1:])
        .limit(limit)
    )
    if after is not None:
        query = query.where(sa.tuple_(*_OPEN_ORDER[1:]) > sa.tuple_(after.queue, after.order_key, after.id))
    return (await connection.execute(query)).all()


async def unexplained_page(connection: AsyncConnection, *, after: Row | None, limit: int) -> Sequence[Row]:
    """Answer open items of all sites without spans, with their texts, by site and order, behind the last row before."""
    query = (
        sa.select(
            *_OPEN_ORDER,
            review_items.c.causes,
            revisions.c.body,
        )
        .join(revisions, revisions.c.id == review_items.c.revision_id)
        .where(IS_OPEN, review_items.c.spans.is_(None))
        .order_by(*_OPEN_ORDER)
        .limit(limit)
    )
    if after is not None:
        query = query.where(sa.tuple_(*_OPEN_ORDER) > sa.tuple_(after.site_id, after.queue, after.order_key, after.id))
    return (await connection.execute(query)).all()


async def keep_spans(
    connection: AsyncConnection, site_id: str, item_id: str, spans: Sequence[Mapping[str, Any]]
) -> None:
    """Write which words made the score of an item, unless somebody did before."""
    await connection.execute(
        review_items.update()
        .where(review_items.c.site_id == site_id, review_items.c.id == item_id, review_items.c.spans.is_(None))
        .values(spans=list(spans))
    )


async def decisions_of(connection: AsyncConnection, site_id: str, comment_id: str) -> Sequence[Row]:
    """Answer every decision on a comment, the first one first."""
    query = (
        sa.select(decisions)
        .where(decisions.c.site_id == site_id, decisions.c.comment_id == comment_id)
        .order_by(decisions.c.id)
    )
    return (await connection.execute(query)).all()


_later = decisions.alias("later")
_DECIDED = sa.select(decisions).where(
    decisions.c.site_id == sa.bindparam("of_site"),
    decisions.c.comment_id.in_(sa.bindparam("ids", expanding=True)),
    decisions.c.id
    == sa.select(_later.c.id)
    .where(_later.c.comment_id == decisions.c.comment_id)
    .order_by(_later.c.id.desc())
    .limit(1)
    .scalar_subquery(),
)


async def decisions_by_ids(connection: AsyncConnection, site_id: str, ids: Sequence[str]) -> Sequence[Row]:
    """Answer decisions by id, in the order of their threads."""
    query = (
        sa.select(decisions)
        .where(decisions.c.site_id == site_id, decisions.c.id.in_(list(ids)))
        .order_by(decisions.c.thread_id, decisions.c.id)
    )
    return (await connection.execute(query)).all()


async def latest_decisions(connection: AsyncConnection, site_id: str, comment_ids: Iterable[str]) -> dict[str, Row]:
    """Answer the newest decision on each comment."""
    rows = await connection.execute(_DECIDED, {"of_site": site_id, "ids": list(comment_ids)})
    return {row.comment_id: row for row in rows}
