"""The decision hub outlives every way in which Redis goes away, and ends no wait later than it must."""

import asyncio
import os
import signal
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from service.embedded_redis import EmbeddedRedis
from service.queue.client import connect, connect_blocking
from service.queue.live import Decided, DecisionBoard, DecisionHub, Waiter
from tests.eventually import eventually

pytestmark = pytest.mark.anyio

LONG_SECONDS = 60.0
EARLY_SECONDS = 15.0
DECIDED = Decided("r", "comment", "thread", "site", "published", 7)


async def ends_early(waiter: Waiter) -> None:
    """The wait ends without a decision, well before its own time is out."""
    async with asyncio.timeout(EARLY_SECONDS):
        assert await waiter.wait(LONG_SECONDS) is None


@pytest.mark.parametrize("connect_hub", [connect, connect_blocking])
async def test_outlives_a_killed_redis(own_redis: EmbeddedRedis, connect_hub: Callable[[str], Redis]) -> None:
    """When Redis is killed waits end early; when it is back the hub hears again by itself, whichever client it has."""
    reader, client = connect_hub(own_redis.url), connect(own_redis.url)
    hub, board = DecisionHub(reader), DecisionBoard(client)
    await hub.start()
    for _ in range(2):
        with hub.expect("r") as waiter:
            assert own_redis.pid is not None
            os.kill(own_redis.pid, signal.SIGKILL)
            await ends_early(waiter)
        await eventually(lambda: not hub.connected)
        with hub.expect("r") as waiter:
            await ends_early(waiter)
        own_redis.start()
        await eventually(lambda: hub.connected)
        with hub.expect("r") as waiter:
            await board.publish([DECIDED])
            assert await waiter.wait(LONG_SECONDS) == DECIDED
    await hub.stop()
    await reader.aclose()
    await client.aclose()


async def test_starts_without_redis(own_redis: EmbeddedRedis) -> None:
    """A hub starts, and stops, while Redis is down, and connects when it comes."""
    own_redis.stop()
    reader = connect_blocking(own_redis.url)
    hub = DecisionHub(reader)
    await hub.start()
    assert not hub.connected
    await hub.stop()
    await hub.start()
    own_redis.start()
    await eventually(lambda: hub.connected)
    await hub.stop()
    await reader.aclose()


async def test_asks_in_silence(redis_blocking_client: Redis, redis_client: Redis, redis_prefix: str) -> None:
    """While nothing is said the hub asks whether Redis is there, and an answer keeps it connected."""
    board = DecisionBoard(redis_client, redis_prefix)
    hub = DecisionHub(redis_blocking_client, redis_prefix, silence_seconds=0.2)
    await hub.start()

    async def pings() -> int:
        stats = await redis_blocking_client.info("commandstats")
        return int(stats.get("cmdstat_ping", {"calls": 0})["calls"])

    before = await pings()

    async def asked_twice() -> bool:
        return await pings() >= before + 2

    with hub.expect("r") as waiter:
        await eventually(asked_twice)
        await board.publish([DECIDED])
        assert await waiter.wait(LONG_SECONDS) == DECIDED
    await hub.stop()


async def test_notices_a_hung_redis(own_redis: EmbeddedRedis) -> None:
    """A Redis that hangs without closing the connection is noticed, and heard again when it goes on."""
    reader = connect_blocking(own_redis.url)
    hub = DecisionHub(reader, silence_seconds=0.05)
    await hub.start()
    assert own_redis.pid is not None
    with hub.expect("r") as waiter:
        os.kill(own_redis.pid, signal.SIGSTOP)
        try:
            await ends_early(waiter)
            assert not hub.connected
        finally:
            os.kill(own_redis.pid, signal.SIGCONT)
    await eventually(lambda: hub.connected)
    await hub.stop()
    await reader.aclose()


@pytest.mark.parametrize("connect_hub", [connect, connect_blocking])
async def test_broken_line_ends_waits(
    redis_client: Redis, redis_server: EmbeddedRedis, redis_prefix: str, connect_hub: Callable[[str], Redis]
) -> None:
    """When the line breaks under a wait it ends early, because news may have been missed, and the hub hears again."""
    reader = connect_hub(redis_server.url)
    hub, board = DecisionHub(reader, redis_prefix), DecisionBoard(redis_client, redis_prefix)
    await hub.start()
    with hub.expect("r") as waiter:
        assert await redis_client.client_kill_filter(_type="pubsub") == 1
        await ends_early(waiter)
    await eventually(lambda: hub.connected)
    with hub.expect("r") as waiter:
        await board.publish([DECIDED])
        assert await waiter.wait(LONG_SECONDS) == DECIDED
    await hub.stop()
    await reader.aclose()
