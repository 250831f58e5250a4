"""Put back what Redis lost: SQL is the truth, so a sweep makes the index whole again (promise 1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from service import telemetry
from service.flow.announce import close_items
from service.flow.close_threads import close_threads
from service.flow.context import Context
from service.flow.erase import erase_what_is_left
from service.flow.forget_mail import forget_mail
from service.flow.forget_words import forget_words
from service.flow.reported import ask_where_they_count
from service.flow.retention import apply_retention
from service.flow.review_settings import DEFAULT, queue_names, review_of
from service.flow.watch import watch
from service.queue.review import Standing
from service.store import accounts, appeals, network_keys, records, review_items, sanctions, scoring, sites, watched
from service.store.database import Database
from service.store.types import Row

_PAGE = 500
#: A submit enqueues right after its commit; sooner than this the sweep would race it for nothing.
_SETTLED = timedelta(seconds=2)
IDEMPOTENCY_DAYS = 7
ACCOUNT_TRACE_DAYS = 30
#: The sites whose numbers differed at the last sweep of this process. A process that ends forgets it, and then the
#: marker in Redis that says what is whole, which lasts for minutes, makes the next one look anyway.
_DIFFERED: WeakKeyDictionary[Database, frozenset[str]] = WeakKeyDictionary()


class Swept(msgspec.Struct, frozen=True):
    """What one sweep put back or let go."""

    scoring: int
    review: int
    forgotten: int


async def sweep(context: Context) -> Swept:
    """Re-add what is owed and missing from Redis, forget what is past its retention, go on with erasures."""
    now = context.now()
    swept = Swept(await _scoring(context), await _review(context, now), await _retention(context, now))
    await erase_what_is_left(context)
    await forget_words(context)
    await close_threads(context)
    await watch(context)
    telemetry.swept_total.labels("scoring").inc(swept.scoring)
    telemetry.swept_total.labels("review").inc(swept.review)
    return swept


async def owed_pages(context: Context) -> AsyncIterator[list[str]]:
    """Yield the ids of all revisions that wait for a score, oldest first, in bounded pages."""
    before, after = context.now() - _SETTLED, None
    while True:
        async with context.database.reading() as connection:
            owed = await scoring.owed_page(connection, before=before, after_id=after, limit=_PAGE)
        if owed:
            yield owed
        if len(owed) < _PAGE:
            return
        after = owed[-1]


async def _scoring(context: Context) -> int:
    return sum([await context.stream.enqueue(owed) async for owed in owed_pages(context)])


async def _review(context: Context, now: datetime) -> int:
    """Put straight the queues of which Redis does not know as many items as are open."""
    async with context.database.writing() as connection:
        await appeals.release_stuck(connection, at=now)
    added, waiting = 0, await _waiting(context)
    for site_id in await _not_straight(context, waiting):
        added += await _put_straight(context, site_id, now)
        await _forget_closed(context, site_id)
        await context.reviews.note_whole(site_id)
    return added + await ask_where_they_count(context)


async def _waiting(context: Context) -> dict[str, int]:
    async with context.database.reading() as connection:
        return {row.site_id: row.number for row in await watched.waiting(connection)}


async def _not_straight(context: Context, waiting: Mapping[str, int]) -> list[str]:
    """Answer the sites whose items must be looked at one by one.

    A queue moves between the reading of SQL and that of Redis. So a number that differs is asked of SQL again, and
    where it was not passed through meanwhile, at the next sweep; only what differs then too is walked.
    """
    known = {site_id: await context.reviews.known(site_id) for site_id in waiting}
    forgotten = [site_id for site_id, number in known.items() if number < 0]
    differing = {site_id for site_id, number in known.items() if 0 <= number != waiting[site_id]}
    if differing:
        later = await _waiting(context)
        differing = {one for one in differing if known[one] not in _passed(waiting[one], later.get(one, 0))}
    before = _DIFFERED.get(context.database, frozenset())
    again = differing & before
    _DIFFERED[context.database] = frozenset(differing - again)
    return [*forgotten, *sorted(again)]


def _passed(first: int, then: int) -> range:
    return range(min(first, then), max(first, then) + 1)


async def _put_straight(context: Context, site_id: str, now: datetime) -> int:
    added, after = 0, None
    async with context.database.reading() as connection:
        queues = await _queues_of(connection, site_id)
    while True:
        async with context.database.reading() as connection:
            rows = await review_items.open_page(connection, site_id, after=after, limit=_PAGE)
        items = await _at_home(context, site_id, queues, list(rows))
        free = [row for row in items if row.lease_expires_at is None or row.lease_expires_at <= now]
        added += await context.reviews.add(site_id, [Standing(row.id, row.order_key, row.queue) for row in free])
        if len(rows) < _PAGE:
            return added
        after = rows[-1]


async def _forget_closed(context: Context, site_id: str) -> None:
    """Take items out of Redis that were closed while it could not be told."""
    cursor = None
    while cursor != 0:
        cursor, ids = await context.reviews.some(site_id, cursor or 0, _PAGE)
        async with context.database.reading() as connection:
            rows = await review_items.by_ids(connection, site_id, ids)
        await close_items(
            context, site_id, [one for one in ids if one in rows and rows[one].state != review_items.OPEN]
        )


async def _queues_of(connection: AsyncConnection, site_id: str) -> list[str]:
    return queue_names(review_of((await sites.by_id(connection, site_id)).review), is_admin=True)


async def _at_home(context: Context, site_id: str, queues: Sequence[str], items: list[Row]) -> list[Row]:
    """Answer the items; those of queues that the site has no more, which nobody takes from, go to `default` first."""
    if all(row.queue in queues for row in items):
        return items
    async with context.database.writing() as connection:
        # Read again: a queue that was made meanwhile keeps what it has.
        await review_items.empty_queues(connection, site_id, keep=await _queues_of(connection, site_id), into=DEFAULT)
        return [*(await review_items.by_ids(connection, site_id, [row.id for row in items])).values()]


async def _retention(context: Context, now: datetime) -> int:
    async with context.database.writing(heavy=True) as connection:
        keys = await records.forget_idempotency(connection, before=now - timedelta(days=IDEMPOTENCY_DAYS))
        days = timedelta(days=context.settings.network_key_days)
        keys += await network_keys.forget(connection, before=now - days)
        keys += await accounts.forget_old(connection, before=now - timedelta(days=ACCOUNT_TRACE_DAYS))
        keys += await sanctions.forget_marks(connection, now=now)
    return keys + await forget_mail(context) + await apply_retention(context)
