"""News of decisions between processes: said once, heard by whoever listens then; SQL answers everyone else."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Protocol, Self

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from service.queue.client import QueueUnavailable, only_unavailable

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0


class Decided(msgspec.Struct, frozen=True):
    """One revision got a decision; `version` is the thread's after it, None where the page did not change."""

    revision_id: str
    comment_id: str
    thread_id: str
    site_id: str
    status: str
    version: int | None


class DecisionBoard:
    """Tells every process at once what was decided, after the commit."""

    def __init__(self, client: Redis, prefix: str = "colloquy") -> None:
        self._client = client
        self._channel = _channel(prefix)

    @only_unavailable
    async def publish(self, messages: Sequence[Decided]) -> None:
        """Send a batch of decisions as one message."""
        if messages:
            await self._client.publish(self._channel, msgspec.json.encode(messages))


class Waiter:
    """One wait for one revision; it hears only what is said between entering and leaving it."""

    def __init__(self, waiters: dict[str, set["Waiter"]], revision_id: str, *, connected: bool) -> None:
        self._waiters = waiters
        self._revision_id = revision_id
        self._outcome: asyncio.Future[Decided | None] = asyncio.get_running_loop().create_future()
        if not connected:
            self.settle(None)

    async def wait(self, timeout_seconds: float) -> Decided | None:
        """Return the decision, or None when time ran out or the line broke: then read SQL."""
        if not self._outcome.done():
            await asyncio.wait((self._outcome,), timeout=timeout_seconds)
        return self._outcome.result() if self._outcome.done() else None

    def settle(self, outcome: Decided | None) -> None:
        """End the wait; only the first outcome counts."""
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    def __enter__(self) -> Self:
        self._waiters.setdefault(self._revision_id, set()).add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        waiting = self._waiters.get(self._revision_id, set())
        waiting.discard(self)
        if not waiting:
            self._waiters.pop(self._revision_id, None)


class Listener(Protocol):
    """Whoever hears another channel over the same connection."""

    channel: str

    async def catch_up(self) -> None:
        """Be told that the channel is heard from now on, and read what was said before."""

    def hear(self, data: str) -> None:
        """Be told what was said."""

    def lapse(self) -> None:
        """Be told that the connection broke."""


class DecisionHub:
    """The one reader of a process: it outlives any outage of Redis and wakes whoever waits for a revision.

    Give it the client of `connect_blocking`. While `connected` is False every wait returns None at once.
    """

    def __init__(
        self,
        client: Redis,
        prefix: str = "colloquy",
        *,
        listeners: Sequence[Listener] = (),
        silence_seconds: float = 5.0,
    ) -> None:
        self.connected = False
        #: Told each decision that is heard, before those who wait for it go on.
        self.taps: list[Callable[[Decided], None]] = []
        self._listeners = {one.channel: one for one in listeners}
        self._silence_seconds = silence_seconds
        self._client = client
        self._channel = _channel(prefix)
        self._waiters: dict[str, set[Waiter]] = {}
        self._decoder = msgspec.json.Decoder(list[Decided])
        self._reader: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._pause = FIRST_PAUSE_SECONDS

    @property
    def waiting(self) -> int:
        """How many waits are under way."""
        return sum(map(len, self._waiters.values()))

    async def start(self) -> None:
        """Start reading; returns after the first attempt to connect, whether or not Redis is there."""
        if self._reader is None:
            self._tried.clear()
            self._reader = asyncio.create_task(self._read_for_ever(), name="decision-hub")
        await self._tried.wait()

    async def stop(self) -> None:
        """Stop reading and end every wait."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.wait((reader,))
        self._tried.set()
        self._lapse()

    def expect(self, revision_id: str) -> Waiter:
        """Return the wait for a revision, to be entered (`with`) before the revision is enqueued."""
        return Waiter(self._waiters, revision_id, connected=self.connected)

    async def _read_for_ever(self) -> None:
        while True:
            try:
                await self._read_until_broken()
            except Exception as error:
                # Nothing may end this loop but `stop`: without it every request would wait in vain.
                if self.connected or not self._tried.is_set():
                    log.warning("decision hub has no redis: %s", type(error.__cause__ or error).__name__)
            self._lapse()
            self._tried.set()
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    async def _read_until_broken(self) -> None:
        async with self._client.pubsub() as pubsub:
            await _subscribe(pubsub, self._channel, *self._listeners)
            asked = False
            while True:
                message = await _next_message(pubsub, self._silence_seconds)
                if message is not None:
                    asked = False
                    await self._hear(message)
                elif asked:
                    raise QueueUnavailable("silence")
                else:
                    # A peer that vanished without a word closes nothing; only an unanswered question shows it.
                    await _ask(pubsub)
                    asked = True

    async def _hear(self, message: dict[str, Any]) -> None:
        if listener := self._listeners.get(message["channel"]):
            if message["type"] == "subscribe":
                await listener.catch_up()
            elif message["type"] == "message":
                listener.hear(message["data"])
        elif message["type"] == "subscribe":
            # A second confirmation means that the client reconnected by itself and may have missed news.
            self._lapse()
            self._pause = FIRST_PAUSE_SECONDS
            self.connected = True
            self._tried.set()
        elif message["type"] == "message" and (self._waiters or self.taps):
            self._wake(message["data"])

    def _wake(self, data: str) -> None:
        try:
            batch = self._decoder.decode(data)
        except msgspec.DecodeError:
            log.warning("decision hub heard a message it cannot read")
            return
        for decided in batch:
            for tap in self.taps:
                tap(decided)
            for waiter in self._waiters.get(decided.revision_id, ()):
                waiter.settle(decided)

    def _lapse(self) -> None:
        if self.connected:
            for listener in self._listeners.values():
                listener.lapse()
        self.connected = False
        for waiting in self._waiters.values():
            for waiter in waiting:
                waiter.settle(None)


# Each step alone is guarded: a cancellation that one of them swallowed must end the reader before the next.
@only_unavailable
async def _subscribe(pubsub: PubSub, *channels: str) -> None:
    await pubsub.subscribe(*channels)


@only_unavailable
async def _next_message(pubsub: PubSub, within_seconds: float) -> dict[str, Any] | None:
    message: dict[str, Any] | None = await pubsub.get_message(timeout=within_seconds)
    return message


@only_unavailable
async def _ask(pubsub: PubSub) -> None:
    await pubsub.ping()


def _channel(prefix: str) -> str:
    return f"{prefix}:decided"
