"""Rendered pages in the memory of one process, bounded by bytes; a key names everything a page depends on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple


class Rendered(NamedTuple):
    """A page as it goes out, and its strong ETag."""

    body: bytes
    etag: str


class PageCache:
    """Least recently used pages; nothing in it can be stale, because the thread's version is part of the key."""

    def __init__(self, maximum_bytes: int = 32 * 1024 * 1024) -> None:
        self._maximum = maximum_bytes
        self._bytes = 0
        self._pages: OrderedDict[Hashable, Rendered] = OrderedDict()

    def get(self, key: Hashable) -> Rendered | None:
        """Answer a page and remember that it was wanted."""
        page = self._pages.get(key)
        if page is not None:
            self._pages.move_to_end(key)
        return page

    def put(self, key: Hashable, page: Rendered) -> None:
        """Keep a page, and let go of the ones that were not wanted for longest."""
        if (old := self._pages.pop(key, None)) is not None:
            self._bytes -= len(old.body)
        self._pages[key] = page
        self._bytes += len(page.body)
        while self._bytes > self._maximum and self._pages:
            self._bytes -= len(self._pages.popitem(last=False)[1].body)
