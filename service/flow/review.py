"""A moderator takes items under a lease: an item is never in two hands, and one that is let go comes back."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow.announce import close_items
from service.flow.context import Context
from service.flow.identify import Principal, hash_token
from service.flow.review_views import item_views
from service.queue.client import QueueUnavailable
from service.store import review_items, scoring
from service.store.types import Row


async def queue_of(context: Context, site: Row) -> schemas.QueueView:
    """Answer how much waits for a person and for the scorer."""
    now = context.now()
    async with context.database.reading() as connection:
        depth = await review_items.depth(connection, site.id, now=now)
        pending = await scoring.owed_count(connection, site.id)
    degraded = []
    try:
        if not (await context.scorers.read()).is_up:
            degraded.append("scorer")
    except QueueUnavailable:
        degraded.append("redis")
    age = (now - depth.oldest).total_seconds() if depth.oldest else None
    return schemas.QueueView(depth.open, depth.claimed, age, pending, degraded)


async def claim(
    context: Context, site: Row, principal: Principal, *, limit: int, lease_seconds: int
) -> list[schemas.ReviewItem]:
    """Take up to `limit` items for `lease_seconds`; an item is never in two hands."""
    now = context.now()
    until = now + timedelta(seconds=lease_seconds)
    named = await _named_by_redis(context, site.id, limit, now, until)
    async with context.database.writing() as connection:
        leases = await _lease(connection, site.id, principal, named, now, until)
        if len(leases) < limit:
            known = await review_items.candidates(connection, site.id, now=now, limit=limit - len(leases))
            leases |= await _lease(connection, site.id, principal, known, now, until)
        views_ = await item_views(connection, site, leases, until=until, now=now)
    await _put_straight(context, site.id, [item_id for item_id in named if item_id not in leases], now)
    return views_


async def _named_by_redis(context: Context, site_id: str, limit: int, now: datetime, until: datetime) -> list[str]:
    """Ask Redis for the order; while it is down, or has forgotten, SQL knows the same items."""
    try:
        return await context.reviews.take(site_id, limit, now_ms=_ms(now), until_ms=_ms(until))
    except QueueUnavailable:
        return []


async def _lease(
    connection: AsyncConnection,
    site_id: str,
    principal: Principal,
    item_ids: list[str],
    now: datetime,
    until: datetime,
) -> dict[str, str]:
    """Take those of the items that are free; answer the token of each lease, in order."""
    leases: dict[str, str] = {}
    free = await review_items.free(connection, site_id, item_ids, now=now) if item_ids else set()
    for item_id in [item_id for item_id in item_ids if item_id in free]:
        token = secrets.token_urlsafe(24)
        lease_hash, by = hash_token(token), principal.actor
        if await review_items.lease(
            connection, site_id, item_id, now=now, until=until, lease_hash=lease_hash, claimed_by=by
        ):
            leases[item_id] = token
    return leases


async def _put_straight(context: Context, site_id: str, item_ids: list[str], now: datetime) -> None:
    """Redis named items that are decided, in other hands or held up: let it forget, remember or offer them again."""
    if not item_ids:
        return
    async with context.database.reading() as connection:
        rows = await review_items.by_ids(connection, site_id, item_ids)
    await close_items(context, site_id, [i for i in item_ids if i not in rows or rows[i].state != review_items.OPEN])
    with suppress(QueueUnavailable):
        for row in rows.values():
            if row.state != review_items.OPEN:
                continue
            if row.lease_expires_at is not None and row.lease_expires_at > now:
                await context.reviews.mark_leased(site_id, row.id, row.order_key, _ms(row.lease_expires_at))
            else:
                await context.reviews.put_back(site_id, row.id)


async def renew(context: Context, site: Row, item_id: str, *, lease: str, lease_seconds: int) -> schemas.Lease:
    """Prolong a valid lease from now."""
    now = context.now()
    until = now + timedelta(seconds=lease_seconds)
    async with context.database.writing() as connection:
        if not await review_items.renew(
            connection, site.id, item_id, now=now, until=until, lease_hash=hash_token(lease)
        ):
            await _refuse(connection, site.id, item_id, lease, now)
    # Redis only orders: it hears of the new expiry now or from the sweep.
    with suppress(QueueUnavailable):
        await context.reviews.renew(site.id, item_id, _ms(until))
    return schemas.Lease(lease, until)


async def release(context: Context, site: Row, item_id: str, *, lease: str) -> None:
    """Give an item back to the queue, at the place it had."""
    now = context.now()
    async with context.database.writing() as connection:
        if not await review_items.release(connection, site.id, item_id, now=now, lease_hash=hash_token(lease)):
            await _refuse(connection, site.id, item_id, lease, now)
    with suppress(QueueUnavailable):
        await context.reviews.put_back(site.id, item_id)


async def _refuse(connection: AsyncConnection, site_id: str, item_id: str, lease: str, now: datetime) -> None:
    item = await review_items.by_id(connection, site_id, item_id)
    check_lease(item, lease, now)
    raise Problem("lease.expired", "The lease ended while it was asked for.")


def check_lease(item: Row | None, lease: str, now: datetime) -> Row:
    """Answer the item if this lease may decide it, else raise the reason why not."""
    if item is None:
        raise Problem("item.unknown", "No review item of this site has this id.")
    if item.state == review_items.DECIDED:
        raise Problem("item.decided", "Somebody decided this item; the first decision stands.")
    if item.state == review_items.SUPERSEDED:
        raise Problem(
            "revision.changed", "The comment was edited, deleted or removed; this revision is no longer asked."
        )
    if item.lease_hash != hash_token(lease) or item.lease_expires_at is None or item.lease_expires_at <= now:
        raise Problem("lease.expired", "The lease has ended or belongs to somebody else; claim the item again.")
    return item


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
