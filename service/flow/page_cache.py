"""Rendered pages in the memory of one process, bounded by bytes; a key names everything a page depends on."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from service.errors import Problem

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

    `topics` are those of the live news that end this; `until` is when time alone does, None where it does not;
    `version` is the thread's, 0 where it shows several or none.
    """

    page: Rendered
    topics: tuple[str, ...] = ()
    thread_ids: tuple[str, ...] = ()
    until: datetime | None = None
    version: int = 0


class PageCache:
    """Least recently used pages; nothing in it can be stale, because the thread's version is part of the key."""

    def __init__(self, maximum_bytes: int = 32 * 1024 * 1024) -> None:
        self._maximum = maximum_bytes
        self._bytes = 0
        self._pages: OrderedDict[Hashable, tuple[Rendered, int]] = OrderedDict()
        self._built: dict[Hashable, asyncio.Future[Rendered | None]] = {}

    def __len__(self) -> int:
        return len(self._pages)

    def get(self, key: Hashable) -> Rendered | None:
        """Answer a page and remember that it was wanted."""
        found = self._pages.get(key)
        if found is None:
            return None
        self._pages.move_to_end(key)
        return found[0]

    def being_built(self, key: Hashable) -> asyncio.Future[Rendered | None] | None:
        """Answer the page that somebody is about to build, which is None if they give it up; None if nobody is at it.

        Wait for it under `asyncio.shield`: others do too.
        """
        return self._built.get(key)

    @contextmanager
    def building(self, key: Hashable) -> Iterator[Callable[[Rendered], None]]:
        """Let others who want the page wait for what the block builds, or share the problem that ends it."""
        built = self._built[key] = asyncio.get_running_loop().create_future()

        def done(page: Rendered) -> None:
            self.put(key, page)
            built.set_result(page)

        try:
            yield done
        except Problem as problem:
            built.set_exception(problem)
            # Nobody may have waited.
            built.exception()
            raise
        finally:
            del self._built[key]
            if not built.done():
                built.set_result(None)

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
