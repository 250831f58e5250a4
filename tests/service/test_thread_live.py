"""The live stream of a thread: what readers hear, over a live server, from several processes, through outages."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from msgspec import structs

from service.embedded_redis import EmbeddedRedis
from service.errors import Problem
from service.flow.close_threads import close_threads
from service.flow.live_threads import ThreadNews
from service.queue.fanout import Heard, Subscription
from service.settings import Settings
from service.store import threads
from tests.eventually import eventually
from tests.service.answers import problem
from tests.service.live_server import Event, LiveServer, Stream, live_server
from tests.service_fixture import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
PAGE = "/v1/sites/test/threads/page"
LIVE = f"{PAGE}/live"
ADMIN = "/v1/admin/sites/test/threads"


@pytest.fixture
def redis_server(own_redis: EmbeddedRedis) -> EmbeddedRedis:
    """A Redis that a test may restart."""
    return own_redis


@pytest.fixture
async def server(service: Service, settings: Settings) -> AsyncIterator[LiveServer]:
    """An API process beside the one of the test, on the same database and Redis."""
    async with live_server(settings) as running:
        yield running


async def shown(server: LiveServer, event: Event, page: str = PAGE) -> dict[str, dict[str, object]]:
    """Read the page at once, as a widget does that heard an event; it must not be older than the event."""
    answer = (await server.client.get(page)).json()
    assert answer["thread"]["version"] >= event.data["version"]
    return {one["id"]: one for one in answer["comments"]}


async def remove(service: Service, comment_id: str, revision: int) -> None:
    """Take a published comment down."""
    wanted = {"action": "remove", "reasons": ["other"], "revision": revision}
    path = f"/v1/review/test/comments/{comment_id}/decision"
    await service.call("POST", path, as_="moderator", json=wanted, expect=200)


async def test_what_readers_see_is_heard_when_the_page_shows_it(service: Service, server: LiveServer) -> None:
    """A comment, a reply, an edit and a removal are each told with a version that the page has by then."""
    root = (await service.published("First."))["comment"]["id"]
    async with server.stream(LIVE) as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        first = await stream.next()
        assert (first.name, first.data) == ("thread", {"state": "open", "count": 1, "version": 1})
        sent = await service.published("A reply.", parent_id=root)
        reply = sent["comment"]["id"]
        told = await stream.until("comment", id=reply)
        assert told.id is not None
        assert told.data.keys() == {"id", "parent_id", "status", "version"}
        assert (told.data["parent_id"], told.data["status"]) == (root, "published")
        assert [one["id"] for one in (await shown(server, told))[root]["replies"]] == [reply]  # type: ignore[attr-defined]
        await stream.until("thread", count=2)
        path = f"/v1/sites/test/comments/{reply}"
        await service.call("PATCH", path, as_=sent["author_token"], json={"body": "Another."}, expect=200)
        await service.drain()
        told = await stream.until("comment", id=reply, status="published")
        assert (await shown(server, told))[root]["replies"][0]["body"] == "Another."  # type: ignore[index]
        await remove(service, reply, 2)
        told = await stream.until("comment", id=reply, status="removed", parent_id=root)
        assert (await shown(server, told))[root]["replies"] == []
        await stream.until("thread", count=1)


async def test_nothing_is_told_that_readers_do_not_see(service: Service, server: LiveServer) -> None:
    """A comment that waits or is refused is no news; neither is what happens under another page."""
    await service.published("First.")
    async with server.stream(LIVE) as stream:
        await stream.until("thread")
        await service.submit("A rude one.")
        await service.submit("A vile one.")
        await service.published("Elsewhere.", page="other")
        last = (await service.published("Last."))["comment"]["id"]
        assert (await stream.until("comment")).data["id"] == last


async def test_the_first_comment_of_a_page_is_heard(service: Service, server: LiveServer) -> None:
    """Who has a page open that has no thread yet hears of its first comment."""
    async with server.stream(f"{LIVE}") as stream:
        assert (await stream.next()).data == {"state": "open", "count": 0, "version": 0}
        await service.published("The first of all.")
        told = await stream.until("thread", count=1)
        assert len(await shown(server, told)) == 1
        second = (await service.published("The second."))["comment"]["id"]
        await stream.until("comment", id=second)


async def test_closing_and_opening_are_told(service: Service, server: LiveServer) -> None:
    """A thread that a person closes, one that is opened again, and one whose time has come, are told as they are."""
    await service.published("First.")
    async with server.stream(LIVE) as stream:
        await stream.until("thread", state="open")
        await service.call("PATCH", f"{ADMIN}/page", as_="publisher", json={"state": "closed"}, expect=200)
        told = await stream.until("thread", state="closed")
        await shown(server, told)
        await service.call("PATCH", f"{ADMIN}/page", as_="publisher", json={"state": "open"}, expect=200)
        await stream.until("thread", state="open")
        soon = {"closes_at": "2020-01-01T00:00:00Z"}
        await service.call("PATCH", f"{ADMIN}/page", as_="publisher", json=soon, expect=200)
        await stream.until("thread", state="closed")


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_time_that_comes_is_told(service: Service) -> None:
    """When the sweep finds that the time of a thread has come, its readers hear that it is closed."""
    await service.published("First.")
    later = {"closes_at": "2098-01-01T00:00:00Z"}
    await service.call("PATCH", f"{ADMIN}/page", as_="publisher", json=later, expect=200)
    async with listening(service) as (news, listen):
        listener = await listen()
        await heard(listener, "thread", state="open")
        service.clock.advance(100 * 366 * 86_400)
        assert await close_threads(service.context) == 1
        await heard(listener, "thread", state="closed")
        assert news.listening == 1


async def test_a_thread_that_moves_is_followed(service: Service, server: LiveServer) -> None:
    """Whoever listens to the old page or to the new one hears the thread, after a move and after a merge."""
    await service.published("First.")
    async with server.stream(LIVE) as old, server.stream("/v1/sites/test/threads/new/live") as new:
        await old.until("thread", count=1)
        await new.until("thread", count=0)
        await service.call("POST", f"{ADMIN}/page/move", as_="publisher", json={"to_page": "new"}, expect=200)
        told = await new.until("thread", count=1)
        await shown(server, told, "/v1/sites/test/threads/new")
        second = (await service.published("Second.", page="new"))["comment"]["id"]
        await old.until("comment", id=second)
        await new.until("comment", id=second)
        await service.published("Elsewhere.", page="target")
        async with server.stream("/v1/sites/test/threads/target/live") as target:
            await target.until("thread", count=1)
            await service.call("POST", f"{ADMIN}/new/move", as_="publisher", json={"to_page": "target"}, expect=200)
            for stream in (old, new):
                await stream.until("reset")
                told = await stream.until("thread", count=3)
                assert len(await shown(server, told)) == 3
            await target.until("thread", count=3)
            third = (await service.published("Third.", page="target"))["comment"]["id"]
            for stream in (old, new, target):
                await stream.until("comment", id=third)


async def test_who_comes_back_misses_nothing(service: Service, server: LiveServer) -> None:
    """With Last-Event-ID the stream goes on behind that event; one that is not known any more is told to read again."""
    await service.published("First.")
    async with server.stream(LIVE) as stream:
        told = await _second(service, stream)
    third = (await service.published("Third."))["comment"]["id"]
    assert told.id is not None
    async with server.stream(LIVE, **{"last-event-id": told.id}) as stream:
        first = await stream.next()
        assert (first.name, first.data["id"]) == ("comment", third)
        # A stream that has just ended may be thought open still, and what it knew last is told first.
        await stream.until("thread", count=3)
    async with server.stream(LIVE, **{"last-event-id": "1-0"}) as stream:
        assert (await stream.next()).name == "reset"


async def _second(service: Service, stream: Stream) -> Event:
    await stream.until("thread", count=1)
    second = (await service.published("Second."))["comment"]["id"]
    return await stream.until("comment", id=second)


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_readers_of_several_processes_hear_the_same(
    service: Service, server: LiveServer, settings: Settings
) -> None:
    """Two API processes tell the same events under the same ids, and each goes on where the other's stream ended."""
    await service.published("First.")
    async with live_server(settings) as another:
        async with server.stream(LIVE) as here, another.stream(LIVE) as there:
            for stream in (here, there):
                await stream.until("thread", count=1)
            second = (await service.published("Second."))["comment"]["id"]
            told, same = [await stream.until("comment", id=second) for stream in (here, there)]
            assert told == same
        third = (await service.published("Third."))["comment"]["id"]
        assert told.id is not None
        async with another.stream(LIVE, **{"last-event-id": told.id}) as stream:
            assert (await stream.next()).data["id"] == third


async def test_an_outage_of_redis_ends_no_stream(
    service: Service, server: LiveServer, own_redis: EmbeddedRedis
) -> None:
    """Open streams outlive Redis, hear `reset` when it is back, and what happens after that."""
    await service.published("First.")
    async with server.stream(LIVE) as stream:
        await stream.until("thread", count=1)
        assert own_redis.pid is not None
        os.kill(own_redis.pid, signal.SIGKILL)
        await eventually(lambda: not service.context.hub.connected)
        own_redis.start()
        await stream.until("reset")
        await eventually(lambda: service.context.hub.connected)
        second = (await service.published("Second."))["comment"]["id"]
        told = await stream.until("comment", id=second)
        assert second in await shown(server, told)


async def test_streams_end_with_their_process(service: Service, server: LiveServer) -> None:
    """A process that is told to stop ends its readers' streams and is gone well before it would be killed."""
    async with AsyncExitStack() as open_ones:
        streams = [await open_ones.enter_async_context(server.stream(LIVE)) for _ in range(20)]
        for stream in streams:
            await stream.until("thread")
        began = time.monotonic()
        assert await server.stop() == 0
        assert time.monotonic() - began < 4
        for stream in streams:
            await stream.ends()


async def test_a_network_has_only_so_many_streams(service: Service, settings: Settings) -> None:
    """One stream too many of a network is refused with the limit's name, and let in when another ended."""
    few = structs.replace(settings, live_streams_per_network=3)
    async with live_server(few) as server, AsyncExitStack() as open_ones:
        streams = [await open_ones.enter_async_context(server.stream(LIVE)) for _ in range(2)]
        for stream in streams:
            await stream.until("thread")
        async with server.stream(LIVE) as last:
            await last.until("thread")
            async with server.stream(LIVE) as refused:
                assert refused.answer.status_code == 429
                assert refused.answer.headers["retry-after"] == "30"
                told = json.loads(await refused.answer.aread())
            assert (told["code"], told["extra"]["limit"]) == ("limits.exceeded", "live_streams_per_network")

        async def is_let_in() -> bool:
            async with server.stream(LIVE) as again:
                return again.answer.status_code == 200

        await eventually(is_let_in)


class _Listening:
    """The streams of this process, without a server."""

    def __init__(self, service: Service, news: ThreadNews, closing: AsyncExitStack) -> None:
        self._service, self._news, self._closing = service, news, closing

    async def __call__(self, page: str = "page", network: str = "192.0.2.1") -> Subscription:
        """Listen to a page."""
        site = await self._service.context.directory.find("test")
        return await self._closing.enter_async_context(self._news.listen(site, page, network=network, after=None))


class listening:  # noqa: N801 - It reads as a verb where it is used.
    """Give the live news of this process, and a way to listen, until the block ends."""

    def __init__(self, service: Service, *, least_often_seconds: float = 60.0, **settings: int) -> None:
        context = replace(service.context, settings=structs.replace(service.context.settings, **settings))
        self._news = ThreadNews(context, most_often_seconds=0.01, least_often_seconds=least_often_seconds)
        self._closing = AsyncExitStack()
        self._service = service

    async def __aenter__(self) -> tuple[ThreadNews, _Listening]:
        return self._news, _Listening(self._service, self._news, self._closing)

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()
        await self._news.stop()
        assert (self._news.listening, self._service.context.fanout.listening) == (0, 0)


async def heard(listener: Subscription, event: str, **data: object) -> Heard:
    """Answer the next event of this name that holds these fields."""
    while True:
        one = await listener.next(20)
        assert one is not None
        said = json.loads(one.data)
        if one.event == event and all(said.get(key) == value for key, value in data.items()):
            return one


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_process_has_only_so_many_streams(service: Service) -> None:
    """Beyond its number a process refuses with 503 and when to come again; who is there stays."""
    async with listening(service, live_streams=2) as (news, listen):
        first, second = await listen(), await listen("other", "192.0.2.2")
        with pytest.raises(Problem) as refused:
            await listen("third", "192.0.2.3")
        assert (refused.value.code, refused.value.headers) == ("service.unavailable", {"retry-after": "30"})
        assert [one.is_over for one in (first, second)] == [False, False]
        assert news.listening == 2


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_readers_take_no_moderator_s_place(service: Service) -> None:
    """However many readers listen, a moderator's stream is counted by itself."""
    async with listening(service) as (news, listen):
        await listen()
        assert news.listening == 1
        answer = await service.call("GET", "/v1/review/test/live", as_="moderator")
        assert answer.status_code == 200


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_what_nobody_told_is_found(service: Service) -> None:
    """A change whose news were lost is told all the same, by the look that is taken now and then."""
    await service.published("First.")
    async with listening(service, least_often_seconds=0.05) as (_, listen):
        listener = await listen()
        await heard(listener, "thread", count=1)
        site = await service.context.directory.find("test")
        async with service.context.database.writing() as connection:
            thread = await threads.by_page(connection, site.id, "page")
            assert thread is not None
            await threads.bump(connection, site.id, thread.id, 41)
        await heard(listener, "thread", count=42)


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_reader_who_takes_nothing_holds_nobody_up(service: Service) -> None:
    """Of two who listen the one that does not read loses the oldest and is told so; the other misses nothing."""
    await service.published("First.")
    async with listening(service) as (_, listen):
        idle, quick = await listen(), await listen(network="192.0.2.2")
        number = 300
        for index in range(number):
            service.context.fanout.tell(next(iter(idle.topics)), Heard("comment", json.dumps({"number": index})))
            await heard(quick, "comment", number=index)
        first = await idle.next(1)
        assert first is not None
        assert first.event == "reset"


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_many_who_come_at_once_ask_once(service: Service) -> None:
    """Whoever listens to a page that others listen to costs no question to the database."""
    await service.published("First.")
    asked = 0
    real = threads.by_pages

    async def counted(*given: object, **more: object) -> object:
        nonlocal asked
        asked += 1
        return await real(*given, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "by_pages", counted)
        async with listening(service) as (_, listen):
            all_of_them = await asyncio.gather(*(listen(network=f"192.0.2.{number}") for number in range(50)))
            for listener in all_of_them:
                await heard(listener, "thread", count=1)
    assert asked <= 2


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_client_that_wants_no_stream_is_answered_the_state(service: Service) -> None:
    """Without `Accept: text/event-stream` the answer is the state and its end; nothing is made by asking."""
    empty = await service.call("GET", "/v1/sites/test/threads/nothing/live", expect=200)
    assert _data(empty.text) == {"state": "open", "count": 0, "version": 0}
    await service.published("First.")
    answer = await service.call("GET", LIVE, headers={"origin": "https://news.example"}, expect=200)
    assert _data(answer.text) == {"state": "open", "count": 1, "version": 1}
    assert answer.headers["access-control-allow-origin"] == "https://news.example"
    assert answer.headers["cache-control"] == "no-store"
    problem(await service.call("GET", LIVE, headers={"origin": "https://evil.example"}), "origin.refused")
    problem(await service.call("GET", "/v1/sites/none/threads/page/live"), "site.unknown")


def _data(text: str) -> object:
    [event] = [part for part in text.split("\n\n") if part.startswith("event: thread\ndata: ")]
    return json.loads(event.partition("data: ")[2])
