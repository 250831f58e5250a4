"""The requests that both sides are sent, as they go over the line."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import random
from collections.abc import Callable, Sequence
from urllib.parse import quote

from bench.bare import Ready, ready
from bench.kept import written
from bench.same_comments import large
from bench.texts import comments

Make = Callable[[], Sequence[bytes]]
COUNTED = 50
_JSON = {"content-type": "application/json"}
_NUMBERS = itertools.count()
_FRESH = itertools.count(1)


def always(request: bytes) -> Make:
    """Answer one request again and again."""
    return lambda: [request]


def page(name: str, **headers: str) -> bytes:
    """Ask us for the first page of a thread: 20 roots, newest first, with up to 3 replies each."""
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    return written("GET", f"/v1/sites/demo/threads/{quote(name, safe='')}", given)


def pages_not_kept(name: str, number: int) -> Make:
    """Ask us for the same page behind cursors that nobody asked for before, so that none is kept ready."""

    def make() -> list[bytes]:
        return [written("GET", f"/v1/sites/demo/threads/{name}?after={_before_all()}") for _ in range(number)]

    return make


def _before_all() -> str:
    """Answer another cursor each time that stands before the newest comment."""
    token = json.dumps(["newest", 0, f"{'z' * 22}{next(_FRESH)}"], separators=(",", ":"))
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def isso_page(name: str) -> bytes:
    """Ask isso for the same: 20 roots, newest first, with up to 3 replies each."""
    return written("GET", f"/?uri={quote('/' + name, safe='')}&sort=newest&limit=20&nested_limit=3")


def shuffled(requests: Sequence[bytes]) -> Make:
    """Answer requests in another order each time."""
    chosen = random.Random(3)
    return lambda: chosen.sample(requests, len(requests))


def counts(pages: Sequence[str]) -> bytes:
    """Ask us how many comments pages have."""
    return written("GET", "/v1/sites/demo/counts?" + "&".join(f"page={one}" for one in pages))


def isso_counts(pages: Sequence[str]) -> bytes:
    """Ask isso the same."""
    return written("POST", "/count", _JSON, json.dumps([f"/{one}" for one in pages]).encode())


def submits(size: int, number: int, *, wait: bool) -> Make:
    """Send us comments, each text new; with `wait` they are answered once they are decided."""
    headers = _JSON | ({"prefer": "wait=10"} if wait else {})
    path = f"/v1/sites/demo/threads/{large(size)}/comments"

    def make() -> list[bytes]:
        return [
            written("POST", path, headers, json.dumps({"body": text, "author": {"name": "A reader"}}).encode())
            for text in _new_texts(number)
        ]

    return make


def isso_submits(size: int, number: int) -> Make:
    """Send isso the same."""
    path = f"/new?uri={quote('/' + large(size), safe='')}"

    def make() -> list[bytes]:
        return [
            written("POST", path, _JSON, json.dumps({"text": text, "author": "A reader", "title": "It"}).encode())
            for text in _new_texts(number)
        ]

    return make


def _new_texts(number: int) -> list[str]:
    seed = next(_NUMBERS)
    return [f"{text} {seed}" for text in comments(number, seed=1_000 + seed)]


def received(port: int, request: bytes) -> Ready:
    """Answer what a side answers to a request of ours, for the floor to send."""
    head, _, _ = request.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    method, path, _ = line.split(" ")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, headers=dict(one.split(": ", 1) for one in lines if not one.startswith("host:")))
    answer = connection.getresponse()
    found = ready(answer.status, answer.getheaders(), answer.read())
    connection.close()
    return found
