"""Rendered pages in the memory of one process, bounded by bytes; a key names everything a page depends on."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

#: What the cache's own objects take beside a page and its key, about.
ENTRY_BYTES = 1024
#: One page that took a larger part would push out too many others.
_LARGEST_PART = 16


class Rendered(NamedTuple):
    """A page as it goes out, and its strong ETag."""

    body: bytes
    etag: str


class Shown(NamedTuple):
    """A page that is current as of its reading, and what it is about.

    `topics` are those of the live news that end this; `until` is when time alone does, None where it does not.
    """

    page: Rendered
    topics: tuple[str, ...] = ()
    thread_ids: tuple[str, ...] = ()
    until: datetime | None = None


class PageCache:
    """Least recently used pages; nothing in it can be stale, because the thread's version is part of the key."""

    def __init__(self, maximum_bytes: int = 32 * 1024 * 1024) -> None:
        self._maximum = maximum_bytes
        self._bytes = 0
        self._pages: OrderedDict[Hashable, tuple[Rendered, int]] = OrderedDict()
        self._built: dict[Hashable, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self._pages)

    def get(self, key: Hashable) -> Rendered | None:
        """Answer a page and remember that it was wanted."""
        found = self._pages.get(key)
        if found is None:
            return None
        self._pages.move_to_end(key)
        return found[0]

    def being_built(self, key: Hashable) -> asyncio.Event | None:
        """Answer what is set when somebody has built a page, or given it up; None where nobody is at it."""
        return self._built.get(key)

    @asynccontextmanager
    async def building(self, key: Hashable) -> AsyncIterator[None]:
        """Let others who want the page wait for the end of this block."""
        built = self._built[key] = asyncio.Event()
        try:
            yield
        finally:
            del self._built[key]
            built.set()

    def put(self, key: Hashable, page: Rendered) -> None:
        """Keep a page that is not too large, and let go of the ones that were not wanted for longest."""
        size = len(page.body) + len(repr(key).encode()) + ENTRY_BYTES
        if size > self._maximum // _LARGEST_PART:
            return
        if (old := self._pages.pop(key, None)) is not None:
            self._bytes -= old[1]
        self._pages[key] = (page, size)
        self._bytes += size
        while self._bytes > self._maximum:
            self._bytes -= self._pages.popitem(last=False)[1][1]
