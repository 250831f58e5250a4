"""The mix of requests that a busy site gets: mostly reading, popular threads more often, now and then a comment."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from bench.kept import written
from bench.texts import comments

#: Reading is 94.5 of 100, half of them with the ETag that was seen last; one request in two hundred is a comment.
WEIGHTS = {"read": 0.6, "revalidated": 0.345, "counts": 0.05, "submitted": 0.0025, "decided": 0.0025}
WANTED = {"read": {200}, "revalidated": {200, 304}, "counts": {200}, "submitted": {202}, "decided": {201}}
RUDE_SHARE, RUDE = 0.03, "You are an idiot and a liar, dear reader, and your plan is stupid."
COUNTED = 50
_WAIT_SECONDS = 10
_JSON = {"content-type": "application/json"}


class Asked(NamedTuple):
    """A request, its kind and the page that it is about."""

    kind: str
    page: str
    request: bytes


class Mix:
    """Requests at random; the page of rank n is asked for 1/n as often as the first."""

    def __init__(self, pages: Sequence[str], chosen: random.Random) -> None:
        self._chosen, self._pages = chosen, list(pages)
        self._ranks = list(itertools.accumulate(1 / rank for rank in range(1, len(pages) + 1)))
        self._texts = itertools.cycle(comments(2_000, seed=51))
        self._etags: dict[str, bytes] = {}
        self._counts = written("GET", "/v1/sites/demo/counts?" + "&".join(f"page={one}" for one in pages[:COUNTED]))
        self._reads = {page: written("GET", _path(page)) for page in pages}

    def next(self, kind: str) -> Asked:
        """Answer the next request of a kind."""
        [page] = self._chosen.choices(self._pages, cum_weights=self._ranks)
        if kind == "counts":
            return Asked(kind, page, self._counts)
        if kind in ("submitted", "decided"):
            return Asked(kind, page, self._submit(page, wait=kind == "decided"))
        etag = self._etags.get(page) if kind == "revalidated" else None
        if etag is None:
            return Asked(kind, page, self._reads[page])
        return Asked(kind, page, written("GET", _path(page), {"if-none-match": etag.decode()}))

    def remember(self, asked: Asked, head: bytes) -> None:
        """Keep the page's ETag, as a browser would."""
        _, found, rest = head.partition(b"\r\netag: ")
        if found:
            self._etags[asked.page] = rest.partition(b"\r\n")[0]

    def _submit(self, page: str, *, wait: bool) -> bytes:
        text = RUDE if self._chosen.random() < RUDE_SHARE else next(self._texts)
        # Each text is new, or it would be a duplicate.
        body = {"body": f"{text} {self._chosen.getrandbits(60):x}", "author": {"name": "A reader"}}
        headers = _JSON | ({"prefer": f"wait={_WAIT_SECONDS}"} if wait else {})
        return written("POST", f"{_path(page)}/comments", headers, json.dumps(body).encode())


def _path(page: str) -> str:
    return f"/v1/sites/demo/threads/{quote(page, safe='')}"
