"""A moderator takes items under a lease: an item is never in two hands, and one that is let go comes back."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from heapq import merge

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow import live_news
from service.flow.announce import close_items, queue_items
from service.flow.context import Context
from service.flow.identify import Principal, hash_token
from service.flow.open_items import escalate_item
from service.flow.review_settings import ESCALATED, review_of
from service.flow.review_views import item_views
from service.flow.reviewer import is_admin, queues_wanted, wish_of
from service.queue.client import QueueUnavailable
from service.queue.review import Standing
from service.store import people, review_items, review_skips
from service.store.review_items import Wish
from service.store.types import Row

_PATIENCE_SECONDS = 5.0
MOST_PASSED = 3
"""So many members pass an item on before it goes to the admins; a small site has fewer."""
_PASSED = "Nobody wanted to decide it."


async def claim(
    context: Context, site: Row, principal: Principal, wanted: schemas.ClaimInput
) -> list[schemas.ReviewItem]:
    """Take up to `limit` items for `lease_seconds`; an item is never in two hands."""
    now, hand = context.now(), wanted.hand or secrets.token_urlsafe(24)
    until, queues = now + timedelta(seconds=wanted.lease_seconds), _queues(site, principal, wanted)
    particular = wanted.filter != schemas.ItemFilter()
    left = await _left(context, site.id, principal.actor, wanted.left, now)
    # Redis knows what comes next, and nothing of what an item is about.
    if particular:
        named = await _found(context, site, principal, wanted, queues, now)
    else:
        named = await _named_by_redis(context, site.id, queues, wanted.limit - len(left), now, until)
    async with context.database.writing() as connection:
        wish = await wish_of(connection, site, principal, now=now, wanted=wanted.filter)
        freed = await _give_back(connection, site.id, left, now)
        first = [*([] if particular else freed), *named][: wanted.limit]
        leases = await _lease(connection, site.id, queues, wish, first, hand, now, until)
        if len(leases) < wanted.limit and not particular:
            known = await _candidates(connection, site.id, queues, wish, now, wanted.limit - len(leases))
            leases |= await _lease(connection, site.id, queues, wish, known, hand, now, until)
        views_ = await item_views(connection, site, leases, until=until, now=now)
    # Of certain items Redis named none.
    told = freed if particular else [*freed, *named]
    await _put_straight(context, site.id, [item_id for item_id in told if item_id not in leases], now)
    await live_news.tell_items(context, site.id, live_news.CLAIMED, [(one.item_id, one.comment.id) for one in views_])
    return views_


def _queues(site: Row, principal: Principal, wanted: schemas.ClaimInput) -> list[str]:
    return queues_wanted(review_of(site.review), wanted.queue, admin=is_admin(principal, site))


async def _left(context: Context, site_id: str, actor: str, hands: Sequence[str], now: datetime) -> dict[str, str]:
    """Answer the items that a member took in claims whose answers never came, with the token of each lease."""
    if not hands:
        return {}
    async with context.database.reading(patience_seconds=_PATIENCE_SECONDS) as connection:
        held = await review_items.held_by(connection, site_id, actor, now=now)
    tokens = {item_id: [_token(hand, item_id) for hand in hands] for item_id in held}
    return {
        item_id: token for item_id, of_item in tokens.items() for token in of_item if hash_token(token) == held[item_id]
    }


async def _give_back(connection: AsyncConnection, site_id: str, left: Mapping[str, str], now: datetime) -> list[str]:
    return [
        item_id
        for item_id, token in sorted(left.items())
        if await review_items.release(connection, site_id, item_id, now=now, lease_hash=hash_token(token))
    ]


def _token(hand: str, item_id: str) -> str:
    """Answer the token of a lease, which whoever has the hand can find again, and nobody else."""
    return urlsafe_b64encode(sha256(f"{hand}:{item_id}".encode()).digest()).decode().rstrip("=")


async def _named_by_redis(
    context: Context, site_id: str, queues: Sequence[str], limit: int, now: datetime, until: datetime
) -> list[str]:
    """Ask Redis for the order; while it is down, or has forgotten, SQL knows the same items."""
    if limit <= 0:
        return []
    try:
        return await context.reviews.take(site_id, queues, limit, now_ms=_ms(now), until_ms=_ms(until))
    except QueueUnavailable:
        return []


async def _found(
    context: Context,
    site: Row,
    principal: Principal,
    wanted: schemas.ClaimInput,
    queues: Sequence[str],
    now: datetime,
) -> list[str]:
    """Look for certain items, which may be far apart, where the search holds up nobody."""
    async with context.database.reading(patience_seconds=_PATIENCE_SECONDS) as connection:
        wish = await wish_of(connection, site, principal, now=now, wanted=wanted.filter)
        return await _candidates(connection, site.id, queues, wish, now, wanted.limit, lock=False)


async def _candidates(
    connection: AsyncConnection,
    site_id: str,
    queues: Sequence[str],
    wish: Wish,
    now: datetime,
    limit: int,
    *,
    lock: bool = True,
) -> list[str]:
    """Answer what comes next of all the queues; each gives its first ones from an index."""
    of_each = [
        [(row.order_key, row.id) for row in found]
        for queue in queues
        if (found := await review_items.candidates(connection, site_id, queue, wish, now=now, limit=limit, lock=lock))
    ]
    return [item_id for _, item_id in merge(*of_each)][:limit]


async def _lease(
    connection: AsyncConnection,
    site_id: str,
    queues: Sequence[str],
    wish: Wish,
    item_ids: list[str],
    hand: str,
    now: datetime,
    until: datetime,
) -> dict[str, str]:
    """Take those of the items that are free; answer the token of each lease, in order."""
    leases: dict[str, str] = {}
    free = await review_items.free(connection, site_id, queues, item_ids, wish, now=now) if item_ids else set()
    for item_id in [item_id for item_id in item_ids if item_id in free]:
        token = _token(hand, item_id)
        if await review_items.lease(
            connection, site_id, item_id, now=now, until=until, lease_hash=hash_token(token), claimed_by=wish.actor
        ):
            leases[item_id] = token
    return leases


async def _put_straight(context: Context, site_id: str, item_ids: list[str], now: datetime) -> None:
    """Redis named items that are decided, in other hands or not for this member: let it forget, or offer them again."""
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
                await context.reviews.mark_leased(site_id, _standing(row), _ms(row.lease_expires_at))
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
        await _let_go(connection, site.id, item_id, lease, now)
    with suppress(QueueUnavailable):
        await context.reviews.put_back(site.id, item_id)
    await live_news.tell_items(context, site.id, live_news.RETURNED, [(item_id, None)])


async def skip(context: Context, site: Row, principal: Principal, item_id: str, *, lease: str) -> None:
    """Pass an item on: it is never offered to this member again. What everybody passed on goes to the admins."""
    now, moved = context.now(), None
    async with context.database.writing() as connection:
        await _let_go(connection, site.id, item_id, lease, now)
        await review_skips.add(connection, site.id, item_id, principal.actor, at=now)
        item = await review_items.by_id(connection, site.id, item_id)
        assert item is not None
        if await _is_enough(connection, site.id, item, now):
            # Whoever is asked next is asked anew; it must not wait for ever.
            await review_skips.clear(connection, site.id, item_id)
            if item.queue != ESCALATED:
                place = await escalate_item(connection, site.id, item, by=principal.actor, note=_PASSED, now=now)
                moved = Standing(item_id, place.order_key, place.queue)
    if moved:
        await queue_items(context, site.id, [moved])
    with suppress(QueueUnavailable):
        await context.reviews.put_back(site.id, item_id)


async def _is_enough(connection: AsyncConnection, site_id: str, item: Row, now: datetime) -> bool:
    """Answer whether so many passed an item on that the rest need not be asked, or nobody is left to ask."""
    asked = await people.reviewers(connection, site_id, now=now)
    could = {one for one, role in asked.items() if item.queue != ESCALATED or role == "admin"} - {item.not_for}
    passed = await review_skips.of_item(connection, site_id, item.id)
    return len(passed) >= MOST_PASSED or could <= passed


async def escalate(
    context: Context, site: Row, principal: Principal, item_id: str, *, lease: str, note: str | None
) -> None:
    """Hand an item to the admins."""
    now = context.now()
    async with context.database.writing() as connection:
        item = check_lease(await review_items.by_id(connection, site.id, item_id, lock=True), lease, now)
        place = await escalate_item(connection, site.id, item, by=principal.actor, note=note, now=now)
        await review_skips.clear(connection, site.id, item_id)
    # First where it stands now: put back before that, it would be offered to the moderators for a moment.
    await queue_items(context, site.id, [Standing(item_id, place.order_key, place.queue)])
    with suppress(QueueUnavailable):
        await context.reviews.put_back(site.id, item_id)


async def _let_go(connection: AsyncConnection, site_id: str, item_id: str, lease: str, now: datetime) -> None:
    if not await review_items.release(connection, site_id, item_id, now=now, lease_hash=hash_token(lease)):
        await _refuse(connection, site_id, item_id, lease, now)


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


async def queue_straight(context: Context, site_id: str, items: Iterable[Row]) -> None:
    """Tell Redis of items that are under a lease already."""
    with suppress(QueueUnavailable):
        for row in items:
            await context.reviews.mark_leased(site_id, _standing(row), _ms(row.lease_expires_at))


def _standing(row: Row) -> Standing:
    return Standing(row.id, row.order_key, row.queue)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
