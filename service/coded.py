"""Content codings: which one a request takes, and bodies in them, compressed once and bounded."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from functools import lru_cache
from typing import Final

import brotli

from service.flow.page_cache import Rendered

#: Where compressing saves less than the header that tells of it, or little more; and what would take too long.
_LEAST_BYTES, _MOST_BYTES = 400, 1024 * 1024
#: Quick ones: a page of 36 kB takes about a millisecond.
_BROTLI_QUALITY, _GZIP_LEVEL = 4, 5
#: Larger ones are compressed beside the event loop.
_AT_ONCE_BYTES: Final = 64 * 1024
_KEPT_BYTES: Final = 16 * 1024 * 1024
_ENTRY_BYTES: Final = 512
#: No browser's header is as long by far, and anybody's may be hundreds of kilobytes.
_MOST_HEADER_BYTES: Final = 256
_MOST_ETAG_BYTES: Final = 4096
_SUFFIXES: Final = {"br": "-br", "gzip": "-gz", "": ""}


class Codings:
    """Bodies in Brotli and gzip, by the page's ETag, whatever address they are asked under."""

    def __init__(self, maximum_bytes: int = _KEPT_BYTES) -> None:
        self._maximum = maximum_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._made: dict[tuple[str, str], asyncio.Future[bytes]] = {}

    async def coded(self, page: Rendered, coding: str) -> bytes:
        """Answer a page's body in a coding; who asks for one that is being made waits for it."""
        if not coding:
            return page.body
        key = (page.etag, coding)
        if (known := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return known
        if (other := self._made.get(key)) is not None:
            return await asyncio.shield(other)
        if len(page.body) <= _AT_ONCE_BYTES:
            return self._keep(key, _compressed(page.body, coding))
        made = self._made[key] = asyncio.ensure_future(asyncio.to_thread(_compressed, page.body, coding))
        # Whoever asked first may leave; the others get what is being made.
        made.add_done_callback(lambda _: self._made.pop(key, None))
        return self._keep(key, await asyncio.shield(made))

    def _keep(self, key: tuple[str, str], body: bytes) -> bytes:
        if key not in self._kept:
            self._kept[key] = body
            self._bytes += len(body) + _ENTRY_BYTES
            while self._bytes > self._maximum:
                self._bytes -= len(self._kept.popitem(last=False)[1]) + _ENTRY_BYTES
        return body


def _compressed(body: bytes, coding: str) -> bytes:
    if coding == "br":
        return bytes(brotli.compress(body, quality=_BROTLI_QUALITY))
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def etag_of(page: Rendered, coding: str) -> str:
    """Answer the strong ETag of a page in a coding: each is a representation of its own (RFC 9110, 8.8.3)."""
    return f'{page.etag[:-1]}{_SUFFIXES[coding]}"'


def matches(header: str | None, etag: str) -> bool:
    """Answer whether If-None-Match names the ETag (RFC 9110, weak comparison); of one too long to be ours, no."""
    if header is None or len(header) > _MOST_ETAG_BYTES:
        return False
    named = [one.strip().removeprefix("W/") for one in header.split(",")]
    return "*" in named or etag in named


def coding_for(page: Rendered, header: bytes) -> str:
    """Answer the coding to send a page in, by Accept-Encoding."""
    if not _LEAST_BYTES <= len(page.body) <= _MOST_BYTES or len(header) > _MOST_HEADER_BYTES:
        return ""
    return coding_of(header)


@lru_cache(maxsize=512)
def coding_of(header: bytes) -> str:
    """Answer the content coding to send by Accept-Encoding (RFC 9110, 12.5.3): br, gzip or, as an empty text, none."""
    weights: dict[str, float] = {}
    for part in header.decode("latin-1").lower().split(","):
        name, _, parameter = part.partition(";")
        weights[name.strip()] = _weight(parameter)
    of_brotli, of_gzip = (weights.get(name, weights.get("*", 0.0)) for name in ("br", "gzip"))
    if max(of_brotli, of_gzip) <= 0:
        return ""
    return "br" if of_brotli >= of_gzip else "gzip"


def _weight(text: str) -> float:
    name, _, value = text.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
