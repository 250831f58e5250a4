"""Whatever Redis loses of the scoring stream, a sweep adds what is missing and doubles nothing."""

import asyncio

import pytest
from redis.asyncio import Redis

from service.queue.scoring import ScoringStream
from tests.eventually import eventually
from tests.redis_fixture import SERVERS, ConsumerMaker, revisions_of

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("redis_server", SERVERS, indirect=True, scope="session")]


@pytest.fixture
def stream(scoring_consumer: ConsumerMaker) -> ScoringStream:
    """The consumer named `one`."""
    return scoring_consumer("one")


async def test_flush_before_fetch(stream: ScoringStream, redis_client: Redis) -> None:
    """After a flush a sweep adds everything again and it is fetched, the group made anew."""
    await stream.enqueue(["a", "b"])
    await stream.fetch(1, 0)
    await redis_client.flushall()
    assert await stream.fetch(5, 0) == []
    await redis_client.flushall()
    assert await stream.enqueue(["a", "b"]) == 2
    assert revisions_of(await stream.fetch(5, 0)) == ["a", "b"]


async def test_flush_between_fetch_and_acknowledge(stream: ScoringStream, redis_client: Redis) -> None:
    """A late acknowledgement after a flush leaves the entry that the sweep added meanwhile alone."""
    await stream.enqueue(["a"])
    stale = await stream.fetch(1, 0)
    await redis_client.flushall()
    await stream.acknowledge(stale)
    await stream.keep(stale)
    await stream.bury(stale, "poison")
    assert await stream.enqueue(["a"]) == 1
    await stream.acknowledge(stale)
    assert await stream.enqueue(["a"]) == 0
    assert revisions_of(await stream.fetch(1, 0)) == ["a"]


async def test_same_id_of_another_revision_is_left_alone(
    stream: ScoringStream, redis_client: Redis, redis_prefix: str
) -> None:
    """An entry that got the id of a lost one after a flush is neither acknowledged nor buried by the old holder."""
    await stream.enqueue(["a"])
    stale = await stream.fetch(1, 0)
    await redis_client.flushall()
    await redis_client.xadd(f"{redis_prefix}:scoring:stream", {"revision_id": "b"}, id=stale[0].entry_id)
    await stream.acknowledge(stale)
    await stream.bury(stale, "poison")
    assert revisions_of(await stream.fetch(5, 0)) == ["b"]


async def test_flush_while_fetch_blocks(stream: ScoringStream, redis_client: Redis) -> None:
    """A flush under a waiting fetch is survived by it, and the next fetch gets what was swept."""
    assert await stream.fetch(1, 0) == []

    async def blocked() -> bool:
        return int((await redis_client.info("clients"))["blocked_clients"]) > 0

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(stream.fetch(5, 2000))
        await eventually(blocked)
        await redis_client.flushall()
        await stream.enqueue(["a"])
    assert revisions_of(waiting.result() or await stream.fetch(5, 0)) == ["a"]


async def test_lost_markers_add_nothing_twice(stream: ScoringStream, redis_client: Redis, redis_prefix: str) -> None:
    """When only the markers are lost, a sweep adds what is missing and doubles nothing."""
    await stream.enqueue(["a", "b", "c"])
    await stream.fetch(1, 0)
    await redis_client.delete(f"{redis_prefix}:scoring:queued")
    assert await stream.enqueue(["a", "b", "c", "d"]) == 1
    assert revisions_of(await stream.fetch(9, 0)) == ["b", "c", "d"]


async def test_lost_marker_of_one(stream: ScoringStream, redis_client: Redis, redis_prefix: str) -> None:
    """When the marker of one entry is lost, it is found again in the stream."""
    await stream.enqueue(["a", "b", "c"])
    await redis_client.hdel(f"{redis_prefix}:scoring:queued", "b")
    assert await stream.enqueue(["b"]) == 0


async def test_lost_stream_adds_all_again(stream: ScoringStream, redis_client: Redis, redis_prefix: str) -> None:
    """When only the stream is lost, a sweep adds every revision again despite its marker."""
    await stream.enqueue(["a", "b"])
    await redis_client.delete(f"{redis_prefix}:scoring:stream")
    assert await stream.enqueue(["a", "b"]) == 2
    assert revisions_of(await stream.fetch(9, 0)) == ["a", "b"]


async def test_lost_entry_is_added_again(stream: ScoringStream, redis_client: Redis, redis_prefix: str) -> None:
    """When one entry is lost, a sweep adds that one only."""
    await stream.enqueue(["a", "b"])
    entries = await stream.fetch(1, 0)
    await redis_client.xdel(f"{redis_prefix}:scoring:stream", entries[0].entry_id)
    assert await stream.enqueue(["a", "b"]) == 1
    assert revisions_of(await stream.fetch(9, 0)) == ["b", "a"]


async def test_doubled_entries_are_reduced_to_one(
    stream: ScoringStream, redis_client: Redis, redis_prefix: str
) -> None:
    """Entries that name one revision twice are noticed by the next sweep, which keeps the first."""
    await stream.enqueue(["a"])
    await redis_client.xadd(f"{redis_prefix}:scoring:stream", {"revision_id": "a"})
    assert await stream.enqueue(["a"]) == 0
    assert revisions_of(await stream.fetch(9, 0)) == ["a"]


async def test_lost_group_delivers_again(stream: ScoringStream, redis_client: Redis, redis_prefix: str) -> None:
    """When only the group is lost, everything not yet acknowledged is delivered again."""
    await stream.enqueue(["a", "b"])
    await stream.acknowledge(await stream.fetch(1, 0))
    await stream.fetch(1, 0)
    await redis_client.xgroup_destroy(f"{redis_prefix}:scoring:stream", "scorers")
    assert await stream.recover(5, 0) == []
    assert await stream.recover_own(5) == []
    assert await stream.forget_consumers(0) == 0
    assert revisions_of(await stream.fetch(5, 0)) == ["b"]


async def test_large_stream_is_repaired(stream: ScoringStream, redis_client: Redis, redis_prefix: str) -> None:
    """The repair of lost markers reads the whole stream, page after page."""
    owed = [f"r{number}" for number in range(2500)]
    await stream.enqueue(owed)
    await redis_client.delete(f"{redis_prefix}:scoring:queued")
    assert await stream.enqueue([*owed, "new"]) == 1
