"""The live stream of a site's queues: over a live server, through a restart of Redis, until the process stops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from service import schemas
from service.embedded_redis import EmbeddedRedis
from service.flow import live_news, manage_sites
from service.flow.live import MOST_OF_ONE, QueueNews
from service.queue.fanout import Heard, News, Subscription
from service.routes import event_stream
from service.settings import Settings
from tests.eventually import eventually
from tests.service.live_server import LiveServer, live_server
from tests.service.people import person
from tests.service_fixture import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
LIVE = "/v1/review/test/live"


@pytest.fixture
def redis_server(own_redis: EmbeddedRedis) -> EmbeddedRedis:
    """A Redis that a test may restart."""
    return own_redis


@pytest.fixture
async def server(service: Service, settings: Settings) -> AsyncIterator[LiveServer]:
    """An API process beside the one of the test, on the same database and Redis."""
    async with live_server(settings) as running:
        yield running


async def held(service: Service, body: str = "A rude opinion.") -> str:
    """Let a comment be held and answer its id."""
    comment_id: str = (await service.submit(body))["comment"]["id"]
    await service.drain()
    return comment_id


async def test_what_happens_in_the_queue_is_heard(service: Service, server: LiveServer) -> None:
    """A moderator hears the counts at once, then what is opened, claimed, returned and decided, and new counts."""
    async with server.stream(LIVE, service.tokens["moderator"]) as stream:
        assert stream.answer.status_code == 200
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["cache-control"] == "no-store"
        first = await stream.next()
        assert (first.name, first.data["depth"], first.id) == ("queue", 0, None)
        comment_id = await held(service)
        opened = await stream.until("opened", comment_id=comment_id)
        assert opened.id is not None
        assert (await stream.until("queue", depth=1)).data["claimed"] == 0
        [item] = await service.claim()
        assert (await stream.until("claimed")).data == {"item_id": item["item_id"], "comment_id": comment_id}
        path = f"/v1/review/test/items/{item['item_id']}/release"
        await service.call("POST", path, as_="moderator", json={"lease": item["lease"]["token"]}, expect=204)
        await stream.until("returned", item_id=item["item_id"])
        [item] = await service.claim()
        wanted = {"lease": item["lease"]["token"], "revision": 1, "action": "approve", "reasons": []}
        path = f"/v1/review/test/items/{item['item_id']}/decision"
        await service.call("POST", path, as_="moderator", json=wanted, expect=200)
        await stream.until("decided", item_id=item["item_id"])
        await stream.until("queue", depth=0)


async def test_who_comes_back_misses_nothing(service: Service, server: LiveServer) -> None:
    """With Last-Event-ID the stream goes on behind that event; one that is not known any more is told to read again."""
    token = service.tokens["moderator"]
    async with server.stream(LIVE, token) as stream:
        opened = await _opened(service, stream)
    second = await held(service, "A second rude opinion.")
    assert opened.id is not None
    async with server.stream(LIVE, token, **{"last-event-id": opened.id}) as stream:
        assert (await stream.until("opened")).data["comment_id"] == second
    async with server.stream(LIVE, token, **{"last-event-id": "1-0"}) as stream:
        assert (await stream.next()).name == "reset"


async def _opened(service: Service, stream: Any) -> Any:
    await stream.until("queue")
    return await stream.until("opened", comment_id=await held(service))


async def test_a_restart_of_redis_ends_no_stream(
    service: Service, server: LiveServer, own_redis: EmbeddedRedis
) -> None:
    """Open streams stay open while Redis is away, hear `reset` when it is back, and what happens after that."""
    async with server.stream(LIVE, service.tokens["moderator"]) as stream:
        await _opened(service, stream)
        assert own_redis.pid is not None
        os.kill(own_redis.pid, signal.SIGKILL)
        await eventually(lambda: not service.context.hub.connected)
        own_redis.start()
        await stream.until("reset")
        await eventually(lambda: service.context.hub.connected)
        second = await held(service, "A second rude opinion.")
        await stream.until("opened", comment_id=second)


async def test_open_streams_do_not_keep_a_process_from_stopping(service: Service, server: LiveServer) -> None:
    """A process that is told to stop ends its streams, and is gone well before it would be killed."""
    async with AsyncExitStack() as open_ones:
        streams = [
            await open_ones.enter_async_context(server.stream(LIVE, service.tokens["moderator"])) for _ in range(20)
        ]
        for stream in streams:
            await stream.until("queue")
        began = time.monotonic()
        assert await server.stop() == 0
        assert time.monotonic() - began < 4
        for stream in streams:
            await stream.ends()


async def test_counts_are_not_sent_more_than_once_a_second(service: Service, server: LiveServer) -> None:
    """However much is told, counts come at most once a second, and only when they changed."""
    async with server.stream(LIVE, service.tokens["moderator"]) as stream:
        await stream.until("queue")
        await held(service)
        topic = live_news.review_topic((await service.context.directory.find("test")).id)
        began, counts = time.monotonic(), 0
        for number in range(100):
            await live_news.tell(service.context, [News(topic, "probe", {"number": number})])
            if number % 50 == 0:
                await held(service, f"A rude opinion, number {number}.")
        await live_news.tell(service.context, [News(topic, "last", {})])
        while (event := await stream.next()).name != "last":
            counts += event.name == "queue"
        assert counts <= 2 + (time.monotonic() - began)
        assert (await stream.until("queue", depth=3)).data["kinds"] == {"held": 3}


async def test_only_a_moderator_of_the_site_hears(service: Service, server: LiveServer) -> None:
    """A moderator of another site is refused, and nobody hears what happens on a site that is not theirs."""
    await manage_sites.create_site(service.context, "test", schemas.SiteInput(slug="other", name="Other"))
    async with server.stream("/v1/review/other/live", service.tokens["moderator"]) as refused:
        assert refused.answer.status_code == 403
    async with server.stream("/v1/review/other/live", service.tokens["root"]) as stream:
        await stream.until("queue", depth=0)
        await held(service)
        other = await service.context.directory.find("other")
        await live_news.tell(service.context, [News(live_news.review_topic(other.id), "last", {})])
        assert (await stream.next()).name == "last"


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_client_that_wants_no_stream_is_answered_the_counts(service: Service) -> None:
    """Without `Accept: text/event-stream` the answer is one event and its end, to a token and to a session alike."""
    browser = await person(service, "nora@daily.example")
    for answer in (await service.call("GET", LIVE, as_="moderator"), await browser.call("GET", LIVE)):
        assert answer.status_code == 200
        events = [part for part in answer.text.split("\n\n") if part.startswith("event: queue\ndata: ")]
        assert [json.loads(event.partition("data: ")[2])["depth"] for event in events] == [0]
    refused = await service.call("POST", LIVE, as_="moderator", json={})
    assert (refused.status_code, refused.json()["code"]) == (405, "method.not_allowed")


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_moderators_do_not_hear_of_the_admins_queue(service: Service) -> None:
    """What was escalated is counted for admins alone."""

    async def names(who: str) -> set[str]:
        text = (await service.call("GET", LIVE, as_=who, expect=200)).text
        return {one["name"] for one in json.loads(text.partition("data: ")[2].partition("\n")[0])["queues"]}

    assert await names("admin") - await names("moderator") == {"escalated"}


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_one_member_has_ten_streams(service: Service) -> None:
    """Of a member's eleventh stream the oldest makes room; others keep theirs, and one that was left makes room too."""
    news, site = QueueNews(service.context), await service.context.directory.find("test")

    async with AsyncExitStack() as open_ones:

        async def listen(who: str) -> Subscription:
            return await open_ones.enter_async_context(news.listen(site, who=who, is_admin=True, after=None))

        other, *mine = [await listen("other"), *[await listen("one") for _ in range(MOST_OF_ONE)]]
        assert not any(stream.is_over for stream in (other, *mine))
        async with news.listen(site, who="one", is_admin=True, after=None) as last:
            assert [stream.is_over for stream in (other, *mine)] == [False, True, *[False] * (MOST_OF_ONE - 1)]
        assert last.is_over
        await listen("one")
        assert [stream.is_over for stream in mine] == [True, *[False] * (MOST_OF_ONE - 1)]
    assert service.context.fanout.listening == 0


class Chatty(Subscription):
    """Always has something to say."""

    def __init__(self) -> None:
        self.is_over = False

    async def next(self, within_seconds: float) -> Heard | None:
        """Answer the same event again."""
        return Heard("probe", "{}")


@pytest.mark.parametrize("patience", ["WRITE_SECONDS", "LONGEST_SECONDS"])
async def test_who_stops_reading_is_dropped(monkeypatch: pytest.MonkeyPatch, patience: str) -> None:
    """A stream whose reader takes nothing more ends by itself, after the patience of one write or its own time."""
    monkeypatch.setattr(event_stream, patience, 0.05)
    taken: list[Any] = []

    async def send(message: Any) -> None:
        if len(taken) == 5:
            await asyncio.Event().wait()
        taken.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    async with asyncio.timeout(10):
        await event_stream.answer_stream(receive, send, Chatty())
    assert len(taken) == 5


def test_pings_come_often_enough() -> None:
    """A quiet stream says something every 15 seconds, and is opened anew every five minutes."""
    assert (event_stream.PING_SECONDS, event_stream.LONGEST_SECONDS) == (15.0, 300.0)
