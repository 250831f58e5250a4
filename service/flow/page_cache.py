"""Rendered pages in the memory of one process, bounded by bytes; a key names everything a page depends on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

#: What the cache's own objects take beside a page and its key, about.
ENTRY_BYTES = 1024
#: One page that took a larger part would push out too many others.
_LARGEST_PART = 16


class Rendered(NamedTuple):
    """A page as it goes out, and its strong ETag."""

    body: bytes
    etag: str


class PageCache:
    """Least recently used pages; nothing in it can be stale, because the thread's version is part of the key."""

    def __init__(self, maximum_bytes: int = 32 * 1024 * 1024) -> None:
        self._maximum = maximum_bytes
        self._bytes = 0
        self._pages: OrderedDict[Hashable, tuple[Rendered, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pages)

    def get(self, key: Hashable) -> Rendered | None:
        """Answer a page and remember that it was wanted."""
        found = self._pages.get(key)
        if found is None:
            return None
        self._pages.move_to_end(key)
        return found[0]

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
