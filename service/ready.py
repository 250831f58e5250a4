"""Answers from memory: what everybody is given who asks the same is written once, and sent again as it is.

An answer is sent again only where it is sure that nothing changed: this process heard the news of Redis without a gap,
nothing was told of the threads that the answer shows, no transaction of this process came after its reading, and it was
looked at against the database within two seconds. Everything else goes the whole way, through guards and SQL, and what
comes of that is kept here in turn. See docs/decisions/0032-answers-from-memory.md.
"""

from __future__ import annotations

import gzip
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import brotli

from service import limits
from service.addresses import Network
from service.flow import live_news
from service.flow.context import Context, Row
from service.flow.manage_limits import rates_of
from service.queue.limits import LocalLimits, Taken
from service.queue.live import Decided
from service.visits import Ready, Visit, network_in

#: After so long an answer is looked at against the database; for as long again others are given what was kept
#: while one request looks.
FRESH_SECONDS: Final = 1.0
#: Where compressing saves less than the header that tells of it, or little more.
_LEAST_COMPRESSED_BYTES: Final = 400
#: Quick ones: a page of 36 kB takes about a millisecond, once per version.
_BROTLI_QUALITY, _GZIP_LEVEL = 4, 5
_KEPT_BYTES: Final = 32 * 1024 * 1024
#: What an entry takes beside its bytes, about; each topic that ends it has an entry of its own.
_ENTRY_BYTES, _TOPIC_BYTES = 2048, 200
#: One answer that took a larger part would push out too many others.
_LARGEST_PART: Final = 16
_MOST_NETWORKS: Final = 20_000
#: With one of these a request is somebody's own, and goes the whole way.
_PERSONAL: Final = frozenset({b"authorization", b"cookie", b"x-goog-api-key"})
_SUFFIXES: Final = {"br": "-br", "gzip": "-gz", "": ""}

Headers = list[tuple[bytes, bytes]]
Key = tuple[bytes, bytes]
Asked = dict[bytes, bytes]


class Mark(NamedTuple):
    """What was known when a request began: news and transactions after it may not be in its answer."""

    heard: int
    changes: int
    at: float


class Answer(NamedTuple):
    """What is sent."""

    status: int
    headers: Headers
    body: bytes


class Found(NamedTuple):
    """An answer from memory, with the request's headers, what the limits said, and whose route's it is."""

    answer: Answer
    asked: Asked
    spent: list[Taken]
    route: str


class _Coded(NamedTuple):
    """An answer in one content coding: its ETag, bytes and headers, and those of a 304."""

    etag: str
    body: bytes
    headers: Headers
    unchanged: Headers


class Kept:
    """One answer in every coding that was asked for, and until when it may be sent."""

    __slots__ = (
        "_codings",
        "_fixed",
        "_is_looked_at",
        "_until",
        "_until_at_most",
        "changes",
        "rates",
        "ready",
        "route",
        "site",
        "size",
    )

    def __init__(self, ready: Ready, site: Row, mark: Mark, route: str, fixed: Callable[[Ready, str], Headers]) -> None:
        self.ready = ready
        self.route = route
        self.site = site
        self.rates = rates_of(site)
        self.changes = mark.changes
        self._until = self._until_at_most = 0.0
        self._is_looked_at = False
        self._fixed = fixed
        self._codings: dict[str, _Coded] = {}
        # Both codings together are smaller than what they are made of.
        self.size = 2 * len(ready.shown.page.body) + _ENTRY_BYTES + _TOPIC_BYTES * len(ready.shown.topics)

    def begin(self, at: float) -> None:
        """Let it be given from a moment of the process's clock on."""
        self._until, self._until_at_most = at + FRESH_SECONDS, at + 2 * FRESH_SECONDS

    def end(self) -> None:
        """Let nobody be given it any more."""
        self._until = self._until_at_most = 0.0

    def is_given(self, at: float) -> bool:
        """Answer whether a request is given it; the first after its time looks whether it still holds."""
        if at < self._until:
            return True
        looks, self._is_looked_at = not self._is_looked_at, True
        return at < self._until_at_most and not looks

    def take_over(self, other: Kept) -> None:
        """Take what was compressed already of the same bytes, under the same headers."""
        if other.ready.shown.page.etag == self.ready.shown.page.etag and other.ready.headers == self.ready.headers:
            self._codings = other._codings

    def answer(self, asked: Asked) -> Answer:
        """Answer a request by its headers: in a coding that it takes, or that what it has is the same."""
        coding = coding_of(asked.get(b"accept-encoding", b""))
        if len(self.ready.shown.page.body) < _LEAST_COMPRESSED_BYTES:
            coding = ""
        coded = self._codings.get(coding) or self._code(coding)
        known = asked.get(b"if-none-match")
        if known is not None and matches(known.decode("latin-1"), coded.etag):
            return Answer(304, coded.unchanged, b"")
        return Answer(200, coded.headers, coded.body)

    def _code(self, coding: str) -> _Coded:
        page = self.ready.shown.page
        body, etag = page.body, f'{page.etag[:-1]}{_SUFFIXES[coding]}"'
        if coding == "br":
            body = brotli.compress(body, quality=_BROTLI_QUALITY)
        elif coding == "gzip":
            body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        unchanged = self._fixed(self.ready, etag)
        headers = [
            (b"content-type", self.ready.media_type.encode()), (b"content-length", str(len(body)).encode()), *unchanged,
        ]  # fmt: skip
        if coding:
            headers.append((b"content-encoding", coding.encode()))
        coded = self._codings[coding] = _Coded(etag, body, headers, unchanged)
        return coded


class ReadyAnswers:
    """The answers of one process, those that nobody wanted for longest out first."""

    def __init__(
        self,
        context: Callable[[], Context],
        local_limits: Callable[[], LocalLimits],
        *,
        trusted: Sequence[Network],
        completed: Callable[[Headers], Headers],
        is_served: Callable[[bytes | None], bool],
    ) -> None:
        self._context = context
        self._local_limits = local_limits
        self._trusted = trusted
        self._completed = completed
        self._is_served = is_served
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._by_topic: dict[str, set[Key]] = {}
        self._bytes = 0
        self._heard = 0
        self._listens_to: Context | None = None
        self._networks: dict[tuple[Any, ...], str] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def mark(self) -> Mark:
        """Answer what is known now, for the answer that is about to be made."""
        context = self._listening()
        return Mark(self._heard, context.database.changes, time.monotonic())

    def find(self, scope: Any) -> Found | None:
        """Answer a request from memory; None sends it the whole way."""
        key = (scope.get("raw_path", b""), scope["query_string"])
        kept = self._kept.get(key)
        if kept is None or scope["method"] not in ("GET", "HEAD") or not self._is_current(kept):
            return None
        asked: Asked = dict(scope["headers"])
        if not _PERSONAL.isdisjoint(asked) or not kept.ready.apart.isdisjoint(asked):
            return None
        origin = asked.get(b"origin")
        if origin is not None and origin.decode("latin-1") not in kept.site.allowed_origins:
            return None
        if not self._is_served(asked.get(b"host")):
            return None
        caller = limits.Caller(kept.site.id, self._network(scope), None)
        spent = self._local_limits().take(limits.buckets_of(limits.READ, kept.rates, caller))
        self._kept.move_to_end(key)
        # Who is over a limit takes nothing, and is refused in the usual way.
        return Found(kept.answer(asked), asked, spent, kept.route) if spent[0].allowed else None

    def keep(self, scope: Any, visit: Visit, mark: Mark) -> Kept:
        """Keep the answer of a request that went the whole way."""
        assert visit.ready is not None
        assert visit.site is not None
        key = (scope.get("raw_path", b""), scope["query_string"])
        kept = Kept(visit.ready, visit.site, mark, scope.get("path_template", "none"), self._fixed)
        if (before := self._kept.get(key)) is not None:
            kept.take_over(before)
        # Else something was told while it was read, which may be in it or not.
        if self._heard == mark.heard:
            kept.begin(mark.at)
        if visit.ready.apart.isdisjoint(name for name, _ in scope["headers"]):
            self._put(key, kept)
        return kept

    def told(self, topic: str) -> None:
        """Be told that there are news of a topic: what shows it is read again."""
        self._heard += 1
        for key in self._by_topic.get(topic, ()):
            self._kept[key].end()

    def _is_current(self, kept: Kept) -> bool:
        context = self._listening()
        if not context.hub.connected or kept.changes != context.database.changes:
            return False
        if context.directory.at_hand(kept.site.slug) is not kept.site:
            return False
        until = kept.ready.shown.until
        return (until is None or context.now() < until) and kept.is_given(time.monotonic())

    def _put(self, key: Key, kept: Kept) -> None:
        self._drop(key)
        if kept.size > _KEPT_BYTES // _LARGEST_PART:
            return
        self._kept[key] = kept
        self._bytes += kept.size
        for topic in kept.ready.shown.topics:
            self._by_topic.setdefault(topic, set()).add(key)
        while self._bytes > _KEPT_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        self._bytes -= kept.size
        for topic in kept.ready.shown.topics:
            others = self._by_topic[topic]
            others.discard(key)
            if not others:
                del self._by_topic[topic]

    def _fixed(self, ready: Ready, etag: str) -> Headers:
        """Answer the headers that an answer has in every case, also as a 304."""
        own: Headers = [
            (b"etag", etag.encode()),
            *((name.encode(), value.encode()) for name, value in ready.headers),
            (b"vary", ", ".join(("Origin", "Accept-Encoding", *ready.varies)).encode()),
        ]
        return self._completed(own)

    def _network(self, scope: Any) -> str:
        client = scope.get("client")
        peer = client[0] if client else None
        hops = [value for name, value in scope["headers"] if name == b"x-forwarded-for"] if self._trusted else ()
        key = (peer, *hops)
        found = self._networks.get(key)
        if found is None:
            if len(self._networks) >= _MOST_NETWORKS:
                self._networks.clear()
            found = self._networks[key] = network_in(scope, self._trusted)
        return found

    def _listening(self) -> Context:
        context = self._context()
        if context is not self._listens_to:
            self._listens_to = context
            self._kept.clear()
            self._by_topic.clear()
            self._bytes = 0
            context.fanout.taps.append(self.told)
            context.hub.taps.append(self._decided)
        return context

    def _decided(self, decided: Decided) -> None:
        # It comes before the news of the thread, and whoever waited for it may read the page at once.
        if decided.version is not None:
            self.told(live_news.thread_topic(decided.thread_id))


def matches(header: str | None, etag: str) -> bool:
    """Answer whether If-None-Match names the ETag (RFC 9110, weak comparison)."""
    if header is None:
        return False
    named = [one.strip().removeprefix("W/") for one in header.split(",")]
    return "*" in named or etag in named


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
        return float(value)
    except ValueError:
        return 0.0
