"""Review items and the lease on each: a compare-and-set on the row, so that Redis may forget everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import decisions, review_items, revisions
from service.store.types import Row

OPEN, DECIDED, SUPERSEDED = "open", "decided", "superseded"
_IS_OPEN = review_items.c.state == sa.literal_column("'open'")
_OPEN_ORDER = (review_items.c.site_id, review_items.c.order_key, review_items.c.id)


def _unleased(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(review_items.c.lease_expires_at.is_(None), review_items.c.lease_expires_at <= now)


def _under_lease(site_id: str, item_id: str, lease_hash: str, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Answer what makes this lease the valid one of an item."""
    return (
        review_items.c.site_id == site_id,
        review_items.c.id == item_id,
        _IS_OPEN,
        review_items.c.lease_hash == lease_hash,
        review_items.c.lease_expires_at > now,
    )


async def candidates(connection: AsyncConnection, site_id: str, *, now: datetime, limit: int) -> list[str]:
    """Answer open items that nobody holds or is just taking, in order; used while Redis cannot say."""
    query = (
        sa.select(review_items.c.id)
        .where(review_items.c.site_id == site_id, _IS_OPEN, _unleased(now))
        .order_by(review_items.c.order_key, review_items.c.id)
        .limit(limit)
    )
    return await _held(connection, query)


async def free(connection: AsyncConnection, site_id: str, item_ids: Iterable[str], *, now: datetime) -> set[str]:
    """Answer those of the items that are open and that nobody holds or is just taking."""
    query = sa.select(review_items.c.id).where(
        review_items.c.site_id == site_id, review_items.c.id.in_(list(item_ids)), _IS_OPEN, _unleased(now)
    )
    return set(await _held(connection, query))


async def _held(connection: AsyncConnection, query: sa.Select[Any]) -> list[str]:
    """Lock what is found and pass over what others hold: who claims never waits, so no order of items deadlocks."""
    if connection.dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    return list((await connection.execute(query)).scalars())


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
        .where(review_items.c.site_id == site_id, review_items.c.id == item_id, _IS_OPEN, _unleased(now))
        .values(
            lease_hash=lease_hash,
            lease_expires_at=until,
            claimed_by=claimed_by,
            claim_number=review_items.c.claim_number + 1,
        )
    )
    return taken.rowcount == 1


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


async def close(connection: AsyncConnection, site_id: str, item_id: str, *, at: datetime) -> bool:
    """Mark an open item decided; answer False if it was closed before."""
    closed = await connection.execute(
        review_items.update()
        .where(review_items.c.site_id == site_id, review_items.c.id == item_id, _IS_OPEN)
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
    closed = await connection.execute(
        review_items.update()
        .where(
            review_items.c.site_id == site_id,
            review_items.c.comment_id == comment_id,
            review_items.c.revision_id.in_(about),
            _IS_OPEN,
        )
        .values(state=SUPERSEDED, closed_at=at)
        .returning(review_items.c.id)
    )
    return list(closed.scalars())


class Depth(NamedTuple):
    """How much of a site waits for a person."""

    open: int
    claimed: int
    oldest: datetime | None


async def depth(connection: AsyncConnection, site_id: str, *, now: datetime) -> Depth:
    """Answer the open items of a site, those under a lease, and when the oldest was opened."""
    held = sa.func.count().filter(review_items.c.lease_expires_at > now)
    query = sa.select(sa.func.count(), held, sa.func.min(review_items.c.opened_at)).where(
        review_items.c.site_id == site_id, _IS_OPEN
    )
    row = (await connection.execute(query)).one()
    return Depth(row[0], row[1], row[2])


async def open_page(connection: AsyncConnection, *, after: Row | None, limit: int) -> Sequence[Row]:
    """Answer open items of all sites for the sweep, by site and order, behind the last row of the page before."""
    query = (
        sa.select(review_items.c.id, review_items.c.site_id, review_items.c.order_key, review_items.c.lease_expires_at)
        .where(_IS_OPEN)
        .order_by(*_OPEN_ORDER)
        .limit(limit)
    )
    if after is not None:
        query = query.where(sa.tuple_(*_OPEN_ORDER) > sa.tuple_(after.site_id, after.order_key, after.id))
    return (await connection.execute(query)).all()


async def unexplained_page(connection: AsyncConnection, *, after: Row | None, limit: int) -> Sequence[Row]:
    """Answer open items of all sites without spans, with their texts, by site and order, behind the last row before."""
    query = (
        sa.select(
            review_items.c.id,
            review_items.c.site_id,
            review_items.c.order_key,
            review_items.c.causes,
            revisions.c.body,
        )
        .join(revisions, revisions.c.id == review_items.c.revision_id)
        .where(_IS_OPEN, review_items.c.spans.is_(None))
        .order_by(*_OPEN_ORDER)
        .limit(limit)
    )
    if after is not None:
        query = query.where(sa.tuple_(*_OPEN_ORDER) > sa.tuple_(after.site_id, after.order_key, after.id))
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
