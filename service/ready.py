"""Answers from memory: what everybody is given who asks the same is written once, and sent again as it is.

An answer is sent again only where it is sure that nothing changed: this process hears the news of Redis without a gap,
nothing was told of the threads that the answer shows, no transaction of this process came after its reading, and it was
looked at against the database within two seconds. Everything else goes the whole way, through guards and SQL, and what
comes of that is kept here in turn. See docs/decisions/0032-answers-from-memory.md.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from service import limits
from service.addresses import Network
from service.coded import Codings, coding_for, etag_of, matches
from service.flow import live_news
from service.flow.context import Context, Row
from service.flow.manage_limits import rates_of
from service.queue.limits import LocalLimits, Taken
from service.queue.live import Decided
from service.visits import Ready, Visit, network_in

#: After so long an answer is looked at against the database; for as long again others are given what was kept
#: while one request looks, and another one where the first is not back.
FRESH_SECONDS: Final = 1.0
_ANOTHER_LOOKS_SECONDS: Final = 0.25
_KEPT_BYTES: Final = 32 * 1024 * 1024
#: What an entry takes beside its bytes, about; each topic that ends it has a set of its own.
_ENTRY_BYTES, _TOPIC_BYTES = 2048, 450
#: One answer that took a larger part would push out too many others.
_LARGEST_PART: Final = 16
#: The counts of a front page have about six thousand.
_MOST_ADDRESS_BYTES: Final = 16 * 1024
_MOST_NETWORKS, _MOST_HOPS_BYTES = 20_000, 256
_TOPICS_HEARD: Final = 5_000
#: With one of these a request is somebody's own, and goes the whole way.
_PERSONAL: Final = frozenset({b"authorization", b"cookie", b"x-goog-api-key"})

Headers = list[tuple[bytes, bytes]]
Key = tuple[bytes, bytes]
Asked = dict[bytes, bytes]


class Mark(NamedTuple):
    """What was known when a request began: news and transactions after it may not be in its answer."""

    heard: int
    changes: int
    stretch: int | None
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
        "_looked_at",
        "_until",
        "_until_at_most",
        "mark",
        "rates",
        "ready",
        "route",
        "site",
        "size",
    )

    def __init__(self, ready: Ready, site: Row, mark: Mark, route: str, address_bytes: int) -> None:
        self.ready = ready
        self.route = route
        self.site = site
        self.rates = rates_of(site)
        self.mark = mark
        self._until = self._until_at_most = self._looked_at = 0.0
        self._codings: dict[str, _Coded] = {}
        # Both codings together are smaller than what they are made of.
        self.size = (
            2 * len(ready.shown.page.body) + _ENTRY_BYTES + _TOPIC_BYTES * len(ready.shown.topics) + address_bytes
        )

    def begin(self) -> None:
        """Let it be given."""
        self._until, self._until_at_most = self.mark.at + FRESH_SECONDS, self.mark.at + 2 * FRESH_SECONDS

    def end(self) -> None:
        """Let nobody be given it any more."""
        self._until = self._until_at_most = 0.0

    def is_given(self, at: float) -> bool:
        """Answer whether a request is given it; after its time one now and then looks whether it still holds."""
        if at < self._until or at >= self._until_at_most:
            return at < self._until
        looks = at - self._looked_at >= _ANOTHER_LOOKS_SECONDS
        if looks:
            self._looked_at = at
        return not looks

    def take_over(self, other: Kept) -> None:
        """Take what is written already of the same bytes, under the same headers."""
        if other.ready.shown.page.etag == self.ready.shown.page.etag and other.ready.headers == self.ready.headers:
            self._codings = other._codings

    def write(self, coding: str, body: bytes, unchanged: Headers) -> None:
        """Take its body in a coding, and the headers that it has in every case."""
        headers = [
            (b"content-type", self.ready.content_type.encode()), (b"content-length", b"%d" % len(body)), *unchanged,
        ]  # fmt: skip
        if coding:
            headers.append((b"content-encoding", coding.encode()))
        self._codings[coding] = _Coded(etag_of(self.ready.shown.page, coding), body, headers, unchanged)

    def answer(self, asked: Asked) -> Answer | None:
        """Answer a request in the coding that it takes, or that what it has is the same; None for one not written."""
        coded = self._codings.get(self.coding(asked))
        if coded is None:
            return None
        known = asked.get(b"if-none-match")
        if known is not None and matches(known.decode("latin-1"), coded.etag):
            return Answer(304, coded.unchanged, b"")
        return Answer(200, coded.headers, coded.body)

    def coding(self, asked: Asked) -> str:
        """Answer the coding for a request."""
        return coding_for(self.ready.shown.page, asked.get(b"accept-encoding", b""))


class _Heard:
    """Which topics there were news of lately, in order."""

    def __init__(self) -> None:
        self.number = 0
        self._last: OrderedDict[str, int] = OrderedDict()
        self._forgotten = 0

    def note(self, topic: str) -> None:
        self.number += 1
        self._last[topic] = self.number
        self._last.move_to_end(topic)
        if len(self._last) > _TOPICS_HEARD:
            self._forgotten = self._last.popitem(last=False)[1]

    def is_quiet(self, topics: Iterable[str], since: int) -> bool:
        """Answer whether nothing was told of some topics after a number."""
        return since >= self._forgotten and all(self._last.get(topic, 0) <= since for topic in topics)


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
        varies: Sequence[str] = ("Origin", "Accept-Encoding"),
    ) -> None:
        self._context = context
        self._local_limits = local_limits
        self._trusted = trusted
        self._completed = completed
        self._is_served = is_served
        self._varies = varies
        self._codings = Codings()
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._by_topic: dict[str, set[Key]] = {}
        self._bytes = 0
        self._heard = _Heard()
        self._listens_to: Context | None = None
        self._networks: dict[tuple[Any, ...], str] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def mark(self) -> Mark:
        """Answer what is known now, for the answer that is about to be made."""
        context = self._listening()
        return Mark(self._heard.number, context.database.changes, context.fanout.stretch, time.monotonic())

    def find(self, scope: Any) -> Found | None:
        """Answer a request from memory; None sends it the whole way."""
        key = _key_of(scope)
        kept = self._kept.get(key) if key is not None else None
        if kept is None or scope["method"] not in ("GET", "HEAD") or not self._is_current(kept):
            return None
        asked: Asked = dict(scope["headers"])
        # Of a header that stands there twice the whole way reads what it reads.
        if len(asked) != len(scope["headers"]) or not _PERSONAL.isdisjoint(asked):
            return None
        if not kept.ready.apart.isdisjoint(asked) or not self._is_served(asked.get(b"host")):
            return None
        origin = asked.get(b"origin")
        if origin is not None and origin.decode("latin-1") not in kept.site.allowed_origins:
            return None
        answer = kept.answer(asked)
        if answer is None or not kept.is_given(time.monotonic()):
            return None
        caller = limits.Caller(kept.site.id, self._network(scope), None)
        spent = self._local_limits().take(limits.buckets_of(limits.READ, kept.rates, caller))
        assert key is not None
        self._kept.move_to_end(key)
        # Who is over a limit takes nothing, and is refused in the usual way.
        return Found(answer, asked, spent, kept.route) if spent[0].allowed else None

    async def keep(self, scope: Any, visit: Visit, mark: Mark) -> Answer:
        """Write the answer of a request that went the whole way as its sender takes it, and keep it."""
        assert visit.ready is not None
        assert visit.site is not None
        key, asked, shown = _key_of(scope), dict(reversed(scope["headers"])), visit.ready.shown
        size = sum(map(len, key)) if key is not None else 0
        kept = Kept(visit.ready, visit.site, mark, scope.get("path_template", "none"), size)
        coding = kept.coding(asked)
        body = await self._codings.coded(shown.page, coding)
        if key is not None and (before := self._kept.get(key)) is not None:
            kept.take_over(before)
        kept.write(coding, body, self._fixed(visit.ready, etag_of(shown.page, coding)))
        # Else something was told while it was read, which may be in it or not.
        if mark.stretch is not None and self._heard.is_quiet(shown.topics, mark.heard):
            kept.begin()
        for thread_id in shown.thread_ids if shown.version else ():
            self._context().fanout.note_version(live_news.thread_topic(thread_id), shown.version)
        if key is not None and visit.ready.apart.isdisjoint(asked):
            self._put(key, kept)
        answer = kept.answer(asked)
        assert answer is not None
        return answer

    def told(self, topic: str) -> None:
        """Be told that there are news of a topic: what shows it is read again."""
        if topic.startswith(live_news.REVIEW):
            return
        self._heard.note(topic)
        for key in self._by_topic.get(topic, ()):
            self._kept[key].end()

    def _is_current(self, kept: Kept) -> bool:
        context, mark = self._listening(), kept.mark
        if not context.hub.connected or mark.stretch is None or mark.stretch != context.fanout.stretch:
            return False
        if mark.changes != context.database.changes or context.directory.at_hand(kept.site.slug) is not kept.site:
            return False
        until = kept.ready.shown.until
        return until is None or context.now() < until

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
            (b"vary", ", ".join((*self._varies, *ready.varies)).encode()),
        ]
        return self._completed(own)

    def _network(self, scope: Any) -> str:
        client = scope.get("client")
        peer = client[0] if client else None
        hops = [value for name, value in scope["headers"] if name == b"x-forwarded-for"] if self._trusted else ()
        key = (peer, *hops)
        found = self._networks.get(key)
        if found is None:
            found = network_in(scope, self._trusted)
            if sum(map(len, hops)) <= _MOST_HOPS_BYTES:
                if len(self._networks) >= _MOST_NETWORKS:
                    self._networks.clear()
                self._networks[key] = found
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


def _key_of(scope: Any) -> Key | None:
    """Answer what was asked for, to the byte; None where that is not known, or is too long to be kept."""
    path, query = scope.get("raw_path"), scope["query_string"]
    return (path, query) if path and len(path) + len(query) <= _MOST_ADDRESS_BYTES else None
