"""Token buckets that hold across processes: in Redis, and in this process while Redis is away."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from redis.asyncio import Redis

from service import telemetry
from service.queue.client import QueueUnavailable, load_script, only_unavailable

_MICROSECONDS: Final = 1_000_000
_MOST_LOCAL: Final = 50_000
_AGAIN_AFTER_SECONDS: Final = 1.0


class Bucket(NamedTuple):
    """A bucket of `limit` tokens that fills within `per_seconds`; `name` is public, `key` tells whose it is.

    `wanted` tokens are taken at once, or none.
    """

    name: str
    key: str
    limit: int
    per_seconds: int
    wanted: int = 1


class Taken(NamedTuple):
    """What became of one bucket: whether it had what was wanted, how many are left, and when there are more."""

    bucket: Bucket
    allowed: bool
    remaining: int
    reset_seconds: float
    retry_after_seconds: float


class LocalLimits:
    """Buckets in the memory of one process, with the arithmetic of the script in Redis."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: dict[str, float] = {}
        self._held: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def take(self, buckets: Sequence[Bucket]) -> list[Taken]:
        """Take a token from every bucket, or from none."""
        now = self._clock()
        found = [self._look(bucket, now) for bucket in buckets]
        if all(taken.allowed for taken in found):
            if len(self._full_at) > _MOST_LOCAL:
                self._make_room(now)
            for taken in found:
                self._full_at[taken.bucket.key] = now + taken.reset_seconds
        return found

    async def hold(self, bucket: Bucket) -> Taken:
        """Take a token that `settle` spends or gives back; while others hold the last ones, wait for what they do."""
        while True:
            [taken] = self.take([bucket])
            if taken.allowed:
                self._held[bucket.key] = self._held.get(bucket.key, 0) + 1
            if taken.allowed or bucket.key not in self._held:
                return taken
            turn = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(bucket.key, deque()).append(turn)
            await turn

    def settle(self, bucket: Bucket, *, spent: bool) -> None:
        """Spend a token that was held, or give it back to whoever waits for one."""
        if not spent and bucket.key in self._full_at:
            self._full_at[bucket.key] -= bucket.per_seconds / bucket.limit
        self._held[bucket.key] -= 1
        is_last = self._held[bucket.key] == 0
        if is_last:
            del self._held[bucket.key]
        self._wake(bucket.key, all_of_them=is_last, any_of_them=is_last or not spent)

    def _wake(self, key: str, *, all_of_them: bool, any_of_them: bool) -> None:
        """Let those who wait look again: one for each token that came back, and all where nobody holds one any more."""
        turns = self._waiting.get(key, deque())
        while turns and any_of_them:
            turn = turns.popleft()
            if not turn.done():
                turn.set_result(None)
                any_of_them = all_of_them
        if not turns:
            self._waiting.pop(key, None)

    def _make_room(self, now: float) -> None:
        """Forget full buckets; of a flood from more networks than are kept, the older half too."""
        left = [(key, at) for key, at in self._full_at.items() if at > now]
        self._full_at = dict(left[-_MOST_LOCAL // 2 :])

    def _look(self, bucket: Bucket, now: float) -> Taken:
        before = min(max(self._full_at.get(bucket.key, now), now), now + bucket.per_seconds)
        after = before + bucket.wanted * bucket.per_seconds / bucket.limit
        late = after - bucket.per_seconds - now
        # A microsecond is as fine as the script computes.
        if late > 1e-6:
            return Taken(bucket, False, 0, before - now, late)
        return Taken(bucket, True, int(-late * bucket.limit / bucket.per_seconds + 1e-6), after - now, 0.0)


class Limiter:
    """Buckets in Redis. While it cannot be reached each process counts by itself, which is never an open door."""

    def __init__(self, client: Redis, prefix: str = "colloquy", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._prefix = f"{prefix}:limit:"
        self._script = load_script(client, "limits_take")
        self._clock = clock
        self._local = LocalLimits(clock)
        self._away_until = 0.0

    async def take(self, buckets: Sequence[Bucket]) -> list[Taken]:
        """Take a token from every bucket, or from none."""
        if self._clock() >= self._away_until:
            try:
                return await self._take(buckets)
            except QueueUnavailable:
                # One request a second finds out whether Redis is back; the others need not wait for it.
                self._away_until = self._clock() + _AGAIN_AFTER_SECONDS
        telemetry.limits_local_total.inc()
        return self._local.take(buckets)

    @only_unavailable
    async def _take(self, buckets: Sequence[Bucket]) -> list[Taken]:
        keys = [self._prefix + bucket.key for bucket in buckets]
        rates = [
            part for bucket in buckets for part in (bucket.limit, bucket.per_seconds * _MICROSECONDS, bucket.wanted)
        ]
        return [
            Taken(bucket, bool(allowed), remaining, reset / _MICROSECONDS, retry / _MICROSECONDS)
            for bucket, (allowed, remaining, reset, retry) in zip(buckets, await self._script(keys, rates), strict=True)
        ]
