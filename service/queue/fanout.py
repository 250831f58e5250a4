"""Live news for many: kept for a while in Redis, heard once per process, handed to everybody who listens there.

A topic is `review:{site_id}` or `thread:{thread_id}`. Nothing here is the truth: who hears `reset` reads again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from service.queue.client import load_script, only_unavailable

#: News that are kept, of all topics together; who was away for longer is told to read again.
KEPT: Final = 2_000
KEPT_SECONDS: Final = 3_600
#: News that may wait for one listener; of more, the oldest are dropped.
WAITING: Final = 256
#: Threads of which it is known which version was seen last.
_VERSIONS: Final = 20_000
_Id = tuple[int, int]


class News(NamedTuple):
    """Something that happened, to be told under a topic; ids and numbers, never text of readers."""

    topic: str
    event: str
    data: Mapping[str, Any]


class Heard(NamedTuple):
    """One event as it is sent on; without an id where it is not kept."""

    event: str
    data: str
    id: str | None = None


RESET: Final = Heard("reset", "{}")
"""Something may have been missed: whoever hears it reads again."""


class Subscription:
    """What one listener hears, in order; it never holds back who tells, nor any other listener."""

    def __init__(
        self,
        fanout: Fanout,
        topics: frozenset[str],
        waiting: int,
        after: _Id | None,
        on_news: Callable[[], None] | None,
    ) -> None:
        self._fanout = fanout
        self.topics = topics
        self._queue: deque[Heard] = deque(maxlen=waiting)
        self._on_news = on_news
        self._turn: asyncio.Future[None] | None = None
        self._dropped = False
        self._after = after
        self.is_over = False

    @property
    def has_news(self) -> bool:
        """Whether something waits."""
        return bool(self._queue)

    async def next(self, within_seconds: float) -> Heard | None:
        """Return what comes next, or None when time is up or it is over."""
        if not self._queue and not self.is_over:
            await self._wait(within_seconds)
        if self._dropped and not self.is_over:
            self._dropped = False
            return RESET
        return self._queue.popleft() if self._queue and not self.is_over else None

    async def _wait(self, within_seconds: float) -> None:
        """Wait by hand: thousands do, and `asyncio.timeout` around an event would cost more than all the rest."""
        loop = asyncio.get_running_loop()
        self._turn = turn = loop.create_future()
        timer = loop.call_later(within_seconds, _set, turn)
        try:
            await turn
        finally:
            timer.cancel()
            self._turn = None

    def _wake(self) -> None:
        if self._turn is not None:
            _set(self._turn)
        if self._on_news is not None:
            self._on_news()

    def put(self, topic: str, heard: Heard) -> None:
        """Take what was told, if it is of a topic of this one and was not heard before."""
        if topic not in self.topics:
            return
        if heard.id is not None and self._after is not None and _parsed(heard.id) <= self._after:
            return
        self.push(heard)

    def push(self, heard: Heard) -> None:
        """Let this listener alone hear something."""
        self._dropped |= len(self._queue) == self._queue.maxlen
        self._queue.append(heard)
        self._wake()

    def turn_to(self, topics: Iterable[str], *, after: str | None) -> None:
        """Listen to other topics; of those that are new, what was told behind the id `after` is heard first."""
        self._fanout.turn(self, frozenset(topics), _read(after))

    def clear(self) -> None:
        """Pass over what waits."""
        self._queue.clear()
        self._dropped = False

    def end(self) -> None:
        """End it: nothing is heard any more."""
        self.is_over = True
        self._wake()

    def close(self) -> None:
        """Stop listening."""
        self._fanout.forget(self)
        self.end()


class Fanout:
    """Tells news to all processes, and hands those it hears to the listeners of this one.

    It hears over the connection of the DecisionHub that it is a listener of; a process that only tells needs none.
    """

    def __init__(self, client: Redis, prefix: str = "colloquy", *, kept: int = KEPT) -> None:
        self.channel = f"{prefix}:live"
        self._client = client
        self._stream = f"{prefix}:live:kept"
        self._script = load_script(client, "live_publish")
        self._kept = kept
        self._ring: deque[tuple[_Id, str, Heard]] = deque(maxlen=kept)
        self._last: str | None = None
        self._lapsed = False
        self._is_over = False
        self._listening: set[Subscription] = set()
        self._by_topic: dict[str, set[Subscription]] = {}
        #: Told the topic of all that is heard or told from here, without a subscription for each.
        self.taps: list[Callable[[str], None]] = []
        #: The number of the time in which everything was heard so far; None while something may be missed.
        self.stretch: int | None = None
        self._stretches = 0
        self._versions: OrderedDict[str, int] = OrderedDict()

    @property
    def last_id(self) -> str | None:
        """The id of the last that was heard here, None before the first."""
        return self._last

    @property
    def listening(self) -> int:
        """How many listen in this process."""
        return len(self._listening)

    @only_unavailable
    async def publish(self, news: Sequence[News]) -> None:
        """Tell all processes, in one step; this one's taps at once, whether or not Redis is there."""
        for one in news:
            self.touch(one.topic)
        if news:
            told = ((one.topic, one.event, msgspec.json.encode(one.data).decode()) for one in news)
            head: list[str | int] = [self.channel, self._kept, KEPT_SECONDS * 1000]
            await self._script([self._stream], [*head, *chain.from_iterable(told)])

    def touch(self, topic: str) -> None:
        """Tell those who tap that there are news of a topic."""
        for tap in self.taps:
            tap(topic)

    def note_version(self, topic: str, version: int) -> None:
        """Take note of a version that somebody here has seen: a newer one is news, whoever told it or not."""
        known = self._versions.get(topic)
        if known is None or version > known:
            self._versions[topic] = version
            self._versions.move_to_end(topic)
            if len(self._versions) > _VERSIONS:
                self._versions.popitem(last=False)
        if known is not None and version > known:
            self.touch(topic)

    def tell(self, topic: str, heard: Heard) -> None:
        """Hand something to the listeners of this process alone."""
        for one in tuple(self._by_topic.get(topic, ())):
            one.put(topic, heard)

    def subscribe(
        self,
        topics: Iterable[str],
        *,
        after: str | None = None,
        waiting: int = WAITING,
        on_news: Callable[[], None] | None = None,
    ) -> Subscription:
        """Begin to listen; behind the id `after`, what came since is heard first, else `reset`.

        `on_news` is called whenever something comes, for who waits for several at once.
        """
        one = Subscription(self, frozenset(topics), waiting, _read(after), on_news)
        if self._is_over:
            one.end()
            return one
        if after is not None:
            self._replay(one, one.topics, _read(after))
        self._listening.add(one)
        self._enter(one)
        return one

    def turn(self, one: Subscription, topics: frozenset[str], after: _Id | None) -> None:
        """Let a listener hear other topics; without `after`, all that is kept of those that are new."""
        new = topics - one.topics
        self._leave(one)
        one.topics = topics
        if one in self._listening:
            self._enter(one)
            if self._ring:
                self._replay(one, new, after or self._ring[0][0], whole=after is None)

    def forget(self, one: Subscription) -> None:
        """Hand nothing to a listener any more."""
        self._listening.discard(one)
        self._leave(one)

    def _replay(self, one: Subscription, topics: frozenset[str], after: _Id | None, *, whole: bool = False) -> None:
        if after is None or not self._ring or after < self._ring[0][0]:
            one.push(RESET)
            return
        for at, topic, heard in self._ring:
            if topic in topics and (whole or at > after):
                one.put(topic, heard)

    def _enter(self, one: Subscription) -> None:
        for topic in one.topics:
            self._by_topic.setdefault(topic, set()).add(one)

    def _leave(self, one: Subscription) -> None:
        for topic in one.topics:
            others = self._by_topic.get(topic, set())
            others.discard(one)
            if not others:
                self._by_topic.pop(topic, None)

    def end(self) -> None:
        """End every subscription, those to come too: the process is about to stop."""
        self._is_over = True
        for one in tuple(self._listening):
            one.close()

    async def catch_up(self) -> None:
        """Read what was kept since the last one heard; what could not even be told meanwhile is gone."""
        is_first, missing = self._last is None, await self._missing()
        for entry_id, fields in missing:
            self._take(entry_id, fields["topic"], fields["event"], fields["data"], aloud=not is_first)
        self._stretches += 1
        self.stretch = self._stretches
        if self._lapsed or is_first:
            self._lapsed = False
            for one in tuple(self._listening):
                one.push(RESET)

    def hear(self, data: str) -> None:
        """Hand on what was told."""
        entry_id, topic, event, told = data.split("\n", 3)
        self._take(entry_id, topic, event, told)

    def lapse(self) -> None:
        """Remember that something may be missed from now on."""
        self._lapsed, self.stretch = True, None

    @only_unavailable
    async def _missing(self) -> list[tuple[str, dict[str, str]]]:
        found: Any
        if self._last is None:
            found = await self._client.xrevrange(self._stream, count=self._kept)
            return list(reversed(found))
        found = await self._client.xrange(self._stream, min=f"({self._last}", count=2 * self._kept)
        return list(found)

    def _take(self, entry_id: str, topic: str, event: str, data: str, *, aloud: bool = True) -> None:
        at = _parsed(entry_id)
        if self._last is not None and at <= _parsed(self._last):
            return
        self._last, heard = entry_id, Heard(event, data, entry_id)
        self._ring.append((at, topic, heard))
        self.touch(topic)
        if aloud:
            self.tell(topic, heard)


def _set(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def _parsed(entry_id: str) -> _Id:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


def _read(text: str | None) -> _Id | None:
    """Read an id that a client sent back; what is none of ours is not known."""
    first, dash, second = (text or "").partition("-")
    parts = (first, second)
    if not dash or not all(part.isascii() and part.isdecimal() and len(part) < 20 for part in parts):
        return None
    return int(first), int(second)
