"""The decision hub wakes whoever waits, misses nothing said while connected, and outlives Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from service.queue.live import Decided, DecisionBoard, DecisionHub
from tests.redis_fixture import SERVERS

pytestmark = pytest.mark.anyio
on_each_server = pytest.mark.parametrize("redis_server", SERVERS, indirect=True, scope="session")

LONG_SECONDS = 30.0


def decided(revision_id: str, status: str = "published") -> Decided:
    """A decision about a revision."""
    return Decided(revision_id, f"comment of {revision_id}", "thread", "site", status, 7)


@pytest.fixture
async def hub(redis_blocking_client: Redis, redis_prefix: str) -> AsyncIterator[DecisionHub]:
    """A hub that reads."""
    hub = DecisionHub(redis_blocking_client, redis_prefix)
    await hub.start()
    yield hub
    await hub.stop()


@pytest.fixture
def board(redis_client: Redis, redis_prefix: str) -> DecisionBoard:
    """The board that the hub reads."""
    return DecisionBoard(redis_client, redis_prefix)


@on_each_server
async def test_hears_what_is_said_at_once(hub: DecisionHub, board: DecisionBoard) -> None:
    """A decision published right after a wait was entered, before anyone waits, is not missed."""
    assert hub.connected
    for number in range(200):
        with hub.expect(f"r{number}") as waiter:
            await board.publish([decided(f"r{number}")])
            assert await waiter.wait(LONG_SECONDS) == decided(f"r{number}")


async def test_hears_only_its_own(hub: DecisionHub, board: DecisionBoard) -> None:
    """A wait ends with the first decision about its revision and with nobody else's."""
    with hub.expect("mine") as waiter:
        await board.publish([decided("other"), decided("mine", "held"), decided("mine")])
        assert await waiter.wait(LONG_SECONDS) == decided("mine", "held")
        assert await waiter.wait(LONG_SECONDS) == decided("mine", "held")


async def test_thousand_waits(hub: DecisionHub, board: DecisionBoard) -> None:
    """A thousand waits at once are all answered, by decisions that come in batches, and leave nothing behind."""
    entered = asyncio.Semaphore(0)

    async def wait(revision_id: str) -> Decided | None:
        with hub.expect(revision_id) as waiter:
            entered.release()
            return await waiter.wait(LONG_SECONDS)

    revisions = [f"r{number % 900}" for number in range(1000)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(wait(revision_id)) for revision_id in revisions]
        for _ in tasks:
            await entered.acquire()
        assert hub.waiting == 1000
        for start in range(0, 900, 32):
            await board.publish([decided(f"r{number}") for number in range(start, min(start + 32, 900))])
    assert [task.result() for task in tasks] == [decided(revision_id) for revision_id in revisions]
    assert hub.waiting == 0


async def test_time_runs_out(hub: DecisionHub) -> None:
    """A wait for a decision that does not come ends with None, and one that is cancelled leaves nothing behind."""
    with hub.expect("r") as waiter:
        assert await waiter.wait(0.01) is None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await waiter.wait(LONG_SECONDS)
    assert hub.waiting == 0


async def test_empty_batch_says_nothing(hub: DecisionHub, board: DecisionBoard) -> None:
    """An empty batch and a message that cannot be read end neither the hub nor a wait."""
    with hub.expect("r") as waiter:
        await board.publish([])
        await board.publish([decided("r")])
        assert await waiter.wait(LONG_SECONDS) == decided("r")


async def test_unreadable_message_is_passed_over(
    hub: DecisionHub, board: DecisionBoard, redis_client: Redis, redis_prefix: str
) -> None:
    """A message that cannot be read is passed over, and an unknown field of a newer process is ignored."""
    newer = (
        '[{"revision_id":"r","comment_id":"c","thread_id":"t","site_id":"s","status":"held","version":null,"mood":1}]'
    )
    with hub.expect("r") as waiter:
        for data in ("{", '[{"revision_id": 1}]', newer):
            assert await redis_client.publish(f"{redis_prefix}:decided", data) == 1
        assert await waiter.wait(LONG_SECONDS) == Decided("r", "c", "t", "s", "held", None)
    assert hub.connected


async def test_stop_ends_waits(hub: DecisionHub) -> None:
    """Stopping ends every wait at once, and a hub that was stopped waits for nothing."""
    async with asyncio.timeout(LONG_SECONDS / 2):
        with hub.expect("r") as waiter:
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(waiter.wait(LONG_SECONDS))
                await hub.stop()
            assert waiting.result() is None
        with hub.expect("r") as waiter:
            assert await waiter.wait(LONG_SECONDS) is None
    await hub.stop()


async def test_starts_again(hub: DecisionHub, board: DecisionBoard) -> None:
    """A hub that was stopped can be started again, and starting twice reads once."""
    await hub.stop()
    await hub.start()
    await hub.start()
    with hub.expect("r") as waiter:
        await board.publish([decided("r")])
        assert await waiter.wait(LONG_SECONDS) == decided("r")
