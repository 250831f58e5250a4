"""The scoring stream hands out each revision to one consumer at a time, until it is settled."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from service.queue.scoring import ScoringStream
from tests.redis_fixture import SERVERS, ConsumerMaker, revisions_of

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("redis_server", SERVERS, indirect=True, scope="session")]


@pytest.fixture
def stream(scoring_consumer: ConsumerMaker) -> ScoringStream:
    """The consumer named `one`."""
    return scoring_consumer("one")


async def test_fetch_keeps_order(stream: ScoringStream) -> None:
    """What is enqueued is fetched in that order, each for the first time."""
    assert await stream.enqueue(["a", "b", "c"]) == 3
    entries = await stream.fetch(2, 0)
    assert [(entry.revision_id, entry.deliveries) for entry in entries] == [("a", 1), ("b", 1)]
    assert revisions_of(await stream.fetch(2, 0)) == ["c"]


async def test_fetch_of_nothing_is_empty(stream: ScoringStream) -> None:
    """An empty stream, an empty batch and a batch of none all answer with nothing."""
    assert await stream.enqueue([]) == 0
    assert await stream.fetch(5, 1) == []
    assert await stream.fetch(0, 1) == []
    await stream.acknowledge([])
    await stream.keep([])


async def test_enqueue_adds_once(stream: ScoringStream) -> None:
    """A revision that waits or is in flight is not added again, one that was acknowledged is."""
    assert await stream.enqueue(["a", "a", "b"]) == 2
    entries = await stream.fetch(1, 0)
    assert await stream.enqueue(["a", "b"]) == 0
    await stream.acknowledge(entries)
    assert await stream.enqueue(["a", "b"]) == 1


async def test_an_entry_carries_its_trace(scoring_consumer: ConsumerMaker) -> None:
    """The place that a revision was enqueued with comes with it, also when another takes it over; none stays none."""
    one, other = scoring_consumer("one"), scoring_consumer("other")
    await one.enqueue(["a"], trace="00-trace-span-01")
    await one.enqueue(["b"])
    first = await one.fetch(5, 0)
    assert [(entry.revision_id, entry.trace) for entry in first] == [("a", "00-trace-span-01"), ("b", None)]
    again = await other.recover(5, 0)
    assert [(entry.revision_id, entry.trace) for entry in again] == [("a", "00-trace-span-01"), ("b", None)]
    await other.acknowledge(again)
    assert (await one.depth(0)).waiting == 0


async def test_concurrent_enqueue_adds_once(scoring_consumer: ConsumerMaker) -> None:
    """Many processes that sweep the same revisions at once add each of them once."""
    owed = [f"r{number}" for number in range(40)]
    added = await asyncio.gather(*(scoring_consumer(f"c{number}").enqueue(owed) for number in range(25)))
    assert sum(added) == len(owed)
    assert revisions_of(await scoring_consumer("reader").fetch(100, 0)) == owed


async def test_concurrent_fetches_share_nothing(scoring_consumer: ConsumerMaker) -> None:
    """Consumers that fetch at once get each entry exactly once among them."""
    owed = [f"r{number}" for number in range(100)]
    await scoring_consumer("one").enqueue(owed)
    batches = await asyncio.gather(*(scoring_consumer(f"c{number}").fetch(10, 100) for number in range(12)))
    assert sorted(revisions_of([entry for batch in batches for entry in batch])) == sorted(owed)


async def test_blocked_fetch_wakes(stream: ScoringStream) -> None:
    """A fetch that waits returns as soon as something is enqueued, long before its time is out."""
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(stream.fetch(5, 2000))
        await stream.enqueue(["a"])
    assert revisions_of(waiting.result()) == ["a"]


async def test_bury_moves_to_the_dead(stream: ScoringStream, redis_client: Redis, redis_prefix: str) -> None:
    """A buried entry is out of the stream, is recorded once with its reason, and may be enqueued again."""
    await stream.enqueue(["a", "b"])
    entries = await stream.fetch(1, 0)
    await stream.bury(entries, "scorer.crashed")
    await stream.bury(entries, "scorer.crashed")
    dead: Any = await redis_client.xrange(f"{redis_prefix}:scoring:dead")
    assert [fields for _, fields in dead] == [{"revision_id": "a", "reason": "scorer.crashed", "deliveries": "1"}]
    assert await stream.recover(5, 0) == []
    assert await stream.enqueue(["a", "b"]) == 1


async def test_the_dead_are_bounded(stream: ScoringStream) -> None:
    """The list of the dead keeps the last ones up to its limit."""
    await stream.enqueue(["a", "b", "c", "d", "e"])
    await stream.bury(await stream.fetch(5, 0), "")
    assert (await stream.depth(0)).dead == 3


async def test_depth_counts(stream: ScoringStream, redis_client: Redis) -> None:
    """Depth tells what waits, what is in flight, what is dead, and the age of the oldest that is owed."""
    now_ms = int((await redis_client.time())[0] * 1000)
    empty = await stream.depth(now_ms)
    assert (empty.waiting, empty.in_flight, empty.dead, empty.oldest_age_ms) == (0, 0, 0, None)
    await stream.enqueue(["a", "b", "c"])
    await stream.fetch(1, 0)
    depth = await stream.depth(now_ms + 600_000)
    assert (depth.waiting, depth.in_flight, depth.dead) == (2, 1, 0)
    assert depth.oldest_age_ms is not None
    assert 590_000 < depth.oldest_age_ms <= 600_000
    assert (await stream.depth(0)).oldest_age_ms == 0


async def test_only_ids_reach_redis(stream: ScoringStream, redis_client: Redis, redis_prefix: str) -> None:
    """An entry carries the id of the revision and nothing else."""
    await stream.enqueue(["a"])
    entries: Any = await redis_client.xrange(f"{redis_prefix}:scoring:stream")
    assert [fields for _, fields in entries] == [{"revision_id": "a"}]
