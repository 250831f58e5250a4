"""One cancellation ends whoever waits for Redis, at whichever turn of the event loop it comes."""

import asyncio

import pytest

from service.embedded_redis import EmbeddedRedis
from service.queue.client import connect, connect_blocking
from service.queue.live import DecisionHub
from service.queue.review import ReviewQueue, Standing
from service.queue.scoring import ScoringStream
from tests.eventually import turns

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("turn", range(1, 40))]

PROMPT_SECONDS = 10


async def test_cancelled_call_ends(redis_server: EmbeddedRedis, redis_prefix: str, turn: int) -> None:
    """A call that is cancelled before it is done ends as cancelled, and the client goes on working."""
    client = connect(redis_server.url)
    queue = ReviewQueue(client, redis_prefix)
    task = asyncio.create_task(queue.add("site", [Standing("a", 1, "q")]))
    await turns(turn)
    was_done = not task.cancel()
    await asyncio.wait((task,), timeout=PROMPT_SECONDS)
    assert task.cancelled() is not was_done
    assert await queue.counts("site") in ((0, 0), (1, 0))
    await client.aclose()


async def test_cancelled_loop_ends(redis_server: EmbeddedRedis, redis_prefix: str, turn: int) -> None:
    """A worker's loop that fetches for ever is ended by one cancellation."""
    client, blocking = connect(redis_server.url), connect_blocking(redis_server.url)
    stream = ScoringStream(client, blocking, consumer="one", prefix=redis_prefix)

    async def work() -> None:
        while True:
            await stream.fetch(1, 1)

    task = asyncio.create_task(work())
    await turns(turn)
    task.cancel()
    await asyncio.wait((task,), timeout=PROMPT_SECONDS)
    assert task.cancelled()
    await client.aclose()
    await blocking.aclose()


async def test_hub_stops_at_any_turn(redis_server: EmbeddedRedis, redis_prefix: str, turn: int) -> None:
    """A hub that is stopped while it starts stops at once, and so does the start."""
    client = connect_blocking(redis_server.url)
    hub = DecisionHub(client, redis_prefix, silence_seconds=0.001)
    starting = asyncio.create_task(hub.start())
    await turns(turn)
    async with asyncio.timeout(PROMPT_SECONDS):
        await hub.stop()
        await starting
    assert not hub.connected
    await hub.stop()
    await client.aclose()
