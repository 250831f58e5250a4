"""What may be used once: remembered in Redis, and in this process while Redis is away."""

from __future__ import annotations

from redis.asyncio import Redis

from service.queue.client import QueueUnavailable, only_unavailable

_MOST_LOCAL = 10_000


class Spent:
    """Remembers what was used, and by whom."""

    def __init__(self, client: Redis, prefix: str = "colloquy") -> None:
        self._client = client
        self._prefix = prefix
        self._local: dict[str, str] = {}

    async def spend(self, name: str, by: str, *, seconds: int) -> bool:
        """Answer whether this is the first use, or another by the same one; an empty `by` is nobody's."""
        try:
            before = await self._spend(name, by, seconds)
        except QueueUnavailable:
            # Another process may let the same in once more, which is better than to let nobody in.
            if len(self._local) >= _MOST_LOCAL:
                self._local.clear()
            before = self._local.get(name)
            self._local.setdefault(name, by)
        return before is None or (before == by != "")

    @only_unavailable
    async def _spend(self, name: str, by: str, seconds: int) -> str | None:
        key = f"{self._prefix}:spent:{name}"
        if await self._client.set(key, by, nx=True, ex=seconds):
            return None
        return str(await self._client.get(key) or "")
