"""The counts of the queues for open consoles: counted once per process and site, and sent where they changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from service import schemas
from service.flow import live_news, queue_depths
from service.flow.context import Context
from service.queue.fanout import Heard as Heard
from service.queue.fanout import Subscription as Subscription
from service.store.types import Row

QUEUE: Final = "queue"
#: Counts are made anew at most this often, and at least this often: leases end and items fall due by themselves.
MOST_OFTEN_SECONDS: Final = 1.0
LEAST_OFTEN_SECONDS: Final = 15.0
#: Streams that one member may have open in a process: consoles in many tabs, and one that was not closed.
MOST_OF_ONE: Final = 10
#: Where counting takes long it is done more seldom, so that it takes no more than this share of the time.
_SHARE: Final = 0.05

logger = logging.getLogger(__name__)


class QueueNews:
    """Counts for every site that somebody of this process listens to."""

    def __init__(self, context: Context, *, most_often_seconds: float = MOST_OFTEN_SECONDS) -> None:
        self._context = context
        self._most_often = most_often_seconds
        self._listening = Counter[str]()
        self._counting: dict[str, asyncio.Task[None]] = {}
        self._last: dict[str, dict[bool, Heard]] = {}
        self._of_one: dict[str, deque[Subscription]] = {}

    @asynccontextmanager
    async def listen(self, site: Row, *, who: str, is_admin: bool, after: str | None) -> AsyncIterator[Subscription]:
        """Give what happens in the queues of a site from now on, the counts as they are first.

        Where `who` listens to too much at once, what they have listened to for longest is ended.
        """
        topics = [live_news.review_topic(site.id), _counts(site.id, is_admin)]
        listener = self._context.fanout.subscribe(topics, after=after)
        self._begin(who, listener)
        self._listening[site.id] += 1
        try:
            if site.id not in self._counting:
                self._counting[site.id] = asyncio.create_task(self._keep_counting(site), name=f"counts of {site.slug}")
            elif last := self._last.get(site.id):
                listener.push(last[is_admin])
            yield listener
        finally:
            self._end(who, listener)
            self._listening[site.id] -= 1
            if not self._listening[site.id]:
                await self._stop(site.id)

    @property
    def listening(self) -> int:
        """How many streams are open."""
        return self._listening.total()

    async def once(self, site: Row, *, is_admin: bool) -> Heard:
        """Answer the counts as they are now."""
        return _heard(await queue_depths.queue_of(self._context, site, is_admin=is_admin))

    async def stop(self) -> None:
        """Stop counting."""
        for site_id in list(self._counting):
            await self._stop(site_id)

    def _begin(self, who: str, listener: Subscription) -> None:
        mine = self._of_one.setdefault(who, deque())
        mine.append(listener)
        if len(mine) > MOST_OF_ONE:
            mine.popleft().close()

    def _end(self, who: str, listener: Subscription) -> None:
        listener.close()
        mine = self._of_one.get(who, deque())
        if listener in mine:
            mine.remove(listener)
        if not mine:
            self._of_one.pop(who, None)

    async def _stop(self, site_id: str) -> None:
        del self._listening[site_id]
        self._last.pop(site_id, None)
        if task := self._counting.pop(site_id, None):
            task.cancel()
            await asyncio.wait((task,))

    async def _keep_counting(self, site: Row) -> None:
        news = self._context.fanout.subscribe([live_news.review_topic(site.id)], waiting=1)
        before: dict[bool, bytes] = {}
        try:
            while not news.is_over:
                started = time.monotonic()
                await self._count(site, before)
                took = time.monotonic() - started
                # What comes in the meantime is counted together, once.
                await asyncio.sleep(max(self._most_often, took / _SHARE))
                await news.next(LEAST_OFTEN_SECONDS)
                news.clear()
        finally:
            news.close()

    async def _count(self, site: Row, before: dict[bool, bytes]) -> None:
        try:
            current = await self._context.directory.find(site.slug)
            # What was just told must be in it, also where others are content with what was counted before.
            counted = await queue_depths.count(self._context, current, anew=True)
            without = await queue_depths.degraded(self._context)
        except Exception as error:
            # The counts are a convenience; a database that is away for a moment must not end them.
            logger.warning("queues could not be counted", extra={"site_id": site.id, "error": type(error).__name__})
            return
        for is_admin in (True, False):
            view = queue_depths.view_of(current, counted, without, is_admin=is_admin)
            shown, heard = _without_ages(view), _heard(view)
            self._last.setdefault(site.id, {})[is_admin] = heard
            if before.get(is_admin) != shown:
                before[is_admin] = shown
                self._context.fanout.tell(_counts(site.id, is_admin), heard)


def _counts(site_id: str, is_admin: bool) -> str:
    return f"{live_news.review_topic(site_id)}:{'admins' if is_admin else 'moderators'}"


def _heard(view: schemas.QueueView) -> Heard:
    return Heard(QUEUE, msgspec.json.encode(view).decode())


def _without_ages(view: schemas.QueueView) -> bytes:
    queues = [msgspec.structs.replace(one, oldest_age_seconds=None) for one in view.queues]
    return msgspec.json.encode(msgspec.structs.replace(view, oldest_age_seconds=None, queues=queues))
