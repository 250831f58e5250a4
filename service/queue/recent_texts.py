"""Texts of the last while, by the bands of their sketches: an index that forgets by itself and holds no text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from service.queue.client import load_script, only_unavailable

WINDOW_SECONDS: Final = 3600


class RecentTexts:
    """Finds the sketches of a site that share a band with a new one, and keeps the new one for an hour."""

    def __init__(self, client: Redis, prefix: str = "colloquy") -> None:
        self._prefix = prefix
        self._script = load_script(client, "recent_texts")

    @only_unavailable
    async def look(
        self, site_id: str, comment_id: str, bands: Sequence[str], numbers: Sequence[int], *, now_ms: int
    ) -> list[list[int]]:
        """Answer the numbers of other comments that share a band, each once; the comment's own count never."""
        base = f"{self._prefix}:recent:{site_id}"
        keys = [*(f"{base}:band:{band}" for band in bands), f"{base}:text:{comment_id}"]
        own = msgspec.json.encode(list(numbers))
        arguments: list[str | int | bytes] = [now_ms, WINDOW_SECONDS * 1000, comment_id, own, f"{base}:text:"]
        found = await self._script(keys, arguments)
        return [msgspec.json.decode(numbers, type=list[int]) for numbers in found[1::2]]
