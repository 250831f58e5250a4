"""What readers of a thread hear: comments as they are told, and its state, looked up once for all of a page."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec

from service import schemas, telemetry
from service.errors import Problem
from service.flow import live_news, views
from service.flow.context import Context
from service.queue.fanout import RESET, Heard, Subscription
from service.store import threads
from service.store.types import Row

#: Threads are looked at again at most this often, and at least this often: some close by themselves, and what is told
#: may be lost.
MOST_OFTEN_SECONDS: Final = 1.0
LEAST_OFTEN_SECONDS: Final = 15.0
AGAIN_AFTER_SECONDS: Final = 30
PER_NETWORK: Final = "live_streams_per_network"
_PAGES_AT_ONCE: Final = 200
#: Where looking takes long it is done more seldom, so that it takes no more than this share of the time.
_SHARE: Final = 0.1

logger = logging.getLogger(__name__)


class _Room:
    """Everybody who listens to one page in this process."""

    def __init__(self, site: Row, page: str, watch: Subscription) -> None:
        self.site = site
        self.page = page
        self.watch = watch
        self.listeners: set[Subscription] = set()
        self.visitors = 0
        self.looking = asyncio.Lock()
        self.thread_id: str | None = None
        self.state: Heard | None = None
        self.is_due = False

    def topics(self) -> list[str]:
        """Answer the topics that tell of its comments."""
        return [] if self.thread_id is None else [live_news.thread_topic(self.thread_id)]

    def turn_to(self, thread_id: str | None, mark: str | None) -> None:
        """Listen to another thread from now on, and to what was told of it behind the id `mark`."""
        before, self.thread_id = self.thread_id, thread_id
        self.watch.turn_to([live_news.page_topic(self.site.id, self.page), *self.topics()], after=mark)
        for one in self.listeners:
            one.turn_to(self.topics(), after=mark)
            if before is not None:
                # Another discussion is under the page now, or that one has become a part of another.
                one.push(RESET)


class ThreadNews:
    """The open streams of readers in this process; nobody waits for anybody else's."""

    def __init__(
        self,
        context: Context,
        *,
        most_often_seconds: float = MOST_OFTEN_SECONDS,
        least_often_seconds: float = LEAST_OFTEN_SECONDS,
    ) -> None:
        self._context = context
        self._most_often = most_often_seconds
        self._least_often = least_often_seconds
        self._rooms: dict[tuple[str, str], _Room] = {}
        self._of_network = Counter[str]()
        self._stirred = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    @property
    def listening(self) -> int:
        """How many streams are open."""
        return self._of_network.total()

    @asynccontextmanager
    async def listen(self, site: Row, page: str, *, network: str, after: str | None) -> AsyncIterator[Subscription]:
        """Give what happens in the thread of a page from now on, or behind the id `after`, and its state.

        Raises where the network, or the process, has as many streams as it may.
        """
        self._admit(network)
        self._of_network[network] += 1
        room, listener = self._room(site, page), None
        room.visitors += 1
        try:
            fanout = self._context.fanout
            mark = after if after is not None else fanout.last_id
            async with room.looking:
                if room.state is None:
                    await self._look(site, [room])
            listener = fanout.subscribe(room.topics(), after=mark)
            room.listeners.add(listener)
            if room.state is not None:
                listener.push(room.state)
            yield listener
        finally:
            self._leave(room, network, listener)

    async def once(self, site: Row, page: str) -> Heard:
        """Answer the state of the thread of a page as it is now."""
        async with self._context.database.reading() as connection:
            thread = await threads.by_page(connection, site.id, page)
        view = views.thread_view(site, thread, page, now=self._context.now())
        self._note(thread, view)
        return _heard(view)

    def _note(self, thread: Row | None, view: schemas.ThreadView) -> None:
        """No page that is older may be given to who hears of this version."""
        if thread is not None:
            self._context.fanout.note_version(live_news.thread_topic(thread.id), view.version)

    async def stop(self) -> None:
        """Stop looking."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait((watching,))

    def _admit(self, network: str) -> None:
        settings = self._context.settings
        if self.listening >= settings.live_streams:
            telemetry.live_refused_total.labels("readers").inc()
            raise Problem(
                "service.unavailable",
                "As many live streams are open here as may be. Ask now and then, or come again.",
                headers={"retry-after": str(AGAIN_AFTER_SECONDS)},
            )
        most = settings.live_streams_per_network
        if self._of_network[network] >= most:
            telemetry.live_refused_total.labels("network").inc()
            raise Problem(
                "limits.exceeded",
                f"At most {most} live streams from one network ({PER_NETWORK}). Close some, or ask now and then.",
                headers={"retry-after": str(AGAIN_AFTER_SECONDS)},
                extra={"limit": PER_NETWORK, "retry_after_seconds": AGAIN_AFTER_SECONDS},
            )

    def _room(self, site: Row, page: str) -> _Room:
        room = self._rooms.get((site.id, page))
        if room is None:
            topics = [live_news.page_topic(site.id, page)]
            watch = self._context.fanout.subscribe(topics, waiting=1, on_news=self._stirred.set)
            room = self._rooms[site.id, page] = _Room(site, page, watch)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="threads that are listened to")
        return room

    def _leave(self, room: _Room, network: str, listener: Subscription | None) -> None:
        if listener is not None:
            listener.close()
            room.listeners.discard(listener)
        self._of_network[network] -= 1
        if not self._of_network[network]:
            del self._of_network[network]
        room.visitors -= 1
        if not room.visitors:
            room.watch.close()
            self._rooms.pop((room.site.id, room.page), None)

    async def _watch(self) -> None:
        all_at = time.monotonic() + self._least_often
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, all_at - time.monotonic())):
                    await self._stirred.wait()
            self._stirred.clear()
            started = time.monotonic()
            if started >= all_at:
                all_at = started + self._least_often
                for room in self._rooms.values():
                    room.is_due = True
            await self._look_at_those_due()
            # What comes in the meantime is looked at together, once.
            took = time.monotonic() - started
            await asyncio.sleep(max(self._most_often, min(took / _SHARE, self._least_often)))

    async def _look_at_those_due(self) -> None:
        by_site: dict[str, list[_Room]] = {}
        for room in self._rooms.values():
            if not (room.is_due or room.watch.has_news):
                continue
            if room.looking.locked():
                # Whoever came first looks at it just now; two at once could end in the wrong order.
                self._stirred.set()
            else:
                room.is_due = True
                room.watch.clear()
                by_site.setdefault(room.site.id, []).append(room)
        for rooms in by_site.values():
            for first in range(0, len(rooms), _PAGES_AT_ONCE):
                some = rooms[first : first + _PAGES_AT_ONCE]
                try:
                    await self._look(some[0].site, some)
                except Exception as error:
                    # Listeners are told what is known; a database that is away for a moment must not end them.
                    logger.warning("threads could not be looked at", extra={"error": type(error).__name__})

    async def _look(self, site: Row, rooms: Sequence[_Room]) -> None:
        """Read the states of pages in one query and tell their listeners where something changed."""
        mark, now = self._context.fanout.last_id, self._context.now()
        async with self._context.database.reading() as connection:
            found = await threads.by_pages(connection, site.id, [room.page for room in rooms])
        for room in rooms:
            thread = found.get(room.page)
            room.is_due = False
            if (thread_id := thread.id if thread is not None else None) != room.thread_id:
                room.turn_to(thread_id, mark)
            view = views.thread_view(site, thread, room.page, now=now)
            self._note(thread, view)
            state = _heard(view)
            if state != room.state:
                room.state = state
                for one in room.listeners:
                    one.push(state)


def _heard(view: schemas.ThreadView) -> Heard:
    state = schemas.LiveThread(view.state, view.count, view.version)
    return Heard(live_news.THREAD, msgspec.json.encode(state).decode())
