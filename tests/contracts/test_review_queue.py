"""The review queue hands each item to one moderator at a time, in order, whatever Redis forgets meanwhile."""

import asyncio

import pytest
from redis.asyncio import Redis

from service.embedded_redis import EmbeddedRedis
from service.queue.client import connect
from service.queue.review import ReviewQueue, Standing
from tests.redis_fixture import SERVERS

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("redis_server", SERVERS, indirect=True, scope="session")]

SITE = "site-1"
QUEUES = ["q"]


def at(*items: tuple[str, float], queue: str = "q") -> list[Standing]:
    """Stand items in a queue."""
    return [Standing(item, order, queue) for item, order in items]


@pytest.fixture
def queue(redis_client: Redis, redis_prefix: str) -> ReviewQueue:
    """A queue that no other test uses."""
    return ReviewQueue(redis_client, redis_prefix)


async def take(queue: ReviewQueue, limit: int, now_ms: int = 0, lease_ms: int = 100) -> list[str]:
    """Take from the site of these tests."""
    return await queue.take(SITE, QUEUES, limit, now_ms=now_ms, until_ms=now_ms + lease_ms)


async def test_lower_order_comes_first(queue: ReviewQueue) -> None:
    """Items are taken by their order, equals by their id, fractions and negatives included."""
    assert await queue.add(SITE, at(("d", 2), ("c", 2), ("b", 1e-7), ("a", -1_700_000_000.25))) == 4
    assert await take(queue, 3) == ["a", "b", "c"]
    assert await take(queue, 3) == ["d"]
    assert await take(queue, 3) == []


async def test_add_adds_once(queue: ReviewQueue) -> None:
    """An item that is ready or leased is not added again, and stands where it was put last."""
    assert await queue.add(SITE, at(("a", 1), ("b", 2), ("a", 1))) == 2
    assert await take(queue, 1) == ["a"]
    assert await queue.add(SITE, at(("a", 9), ("b", 0))) == 0
    assert await queue.counts(SITE) == (1, 1)
    await queue.put_back(SITE, "a")
    assert await take(queue, 2) == ["b", "a"]


async def test_the_lowest_of_all_queues_comes_first(queue: ReviewQueue) -> None:
    """Who takes from several queues gets what comes next of all of them, whichever it is in, and nothing of others."""
    await queue.add(SITE, [*at(("a", 3), ("b", 1)), *at(("c", 2), ("d", 4), queue="r"), *at(("e", 0), queue="s")])
    assert await queue.take(SITE, ["q", "r"], 3, now_ms=0, until_ms=100) == ["b", "c", "a"]
    assert await queue.take(SITE, ["q"], 3, now_ms=0, until_ms=100) == []
    assert await queue.take(SITE, ["s", "r"], 3, now_ms=0, until_ms=100) == ["e", "d"]


async def test_an_item_moves_between_queues(queue: ReviewQueue) -> None:
    """An item that is put into another queue is in that one alone, also when it was leased meanwhile."""
    await queue.add(SITE, at(("a", 1), ("b", 2)))
    await take(queue, 1)
    assert await queue.add(SITE, at(("a", 5), ("b", 6), queue="r")) == 0
    await queue.put_back(SITE, "a")
    assert await take(queue, 5) == []
    assert await queue.take(SITE, ["r"], 5, now_ms=0, until_ms=100) == ["a", "b"]


async def test_nothing_to_do(queue: ReviewQueue) -> None:
    """Empty arguments and unknown items change nothing and fail nothing."""
    assert await queue.add(SITE, []) == 0
    await queue.remove(SITE, [])
    await queue.remove(SITE, ["unknown"])
    await queue.put_back(SITE, "unknown")
    await queue.renew(SITE, "unknown", 5)
    await queue.add(SITE, at(("a", 1)))
    assert await take(queue, 0) == []
    assert await queue.counts(SITE) == (1, 0)


async def test_sites_are_apart(queue: ReviewQueue) -> None:
    """What is added for one site is never taken for another."""
    await queue.add("other", at(("a", 1)))
    assert await take(queue, 5) == []
    assert await queue.counts("other") == (1, 0)


async def test_concurrent_takers_share_nothing(
    queue: ReviewQueue, redis_server: EmbeddedRedis, redis_prefix: str
) -> None:
    """Sixty takers on two clients empty the queue and no two of them hold the same item."""
    items = [f"i{number:03}" for number in range(150)]
    await queue.add(SITE, at(*((item, float(number)) for number, item in enumerate(items))))
    clients = [connect(redis_server.url) for _ in range(2)]
    takers = [take(ReviewQueue(clients[number % 2], redis_prefix), 3) for number in range(60)]
    taken = [item for batch in await asyncio.gather(*takers) for item in batch]
    assert sorted(taken) == items
    for client in clients:
        await client.aclose()


async def test_concurrent_adders_add_once(queue: ReviewQueue) -> None:
    """Many sweeps at once add each item once."""
    items = at(*((f"i{number}", float(number)) for number in range(50)))
    assert sum(await asyncio.gather(*(queue.add(SITE, items) for _ in range(20)))) == 50


async def test_expired_lease_returns_in_order(queue: ReviewQueue) -> None:
    """An item whose lease ran out is taken again from its old place, at the very millisecond the lease ends."""
    await queue.add(SITE, at(("a", 1), ("b", 2), ("c", 3)))
    assert await take(queue, 2, now_ms=0, lease_ms=100) == ["a", "b"]
    assert await take(queue, 1, now_ms=99) == ["c"]
    await queue.put_back(SITE, "c")
    assert await take(queue, 3, now_ms=100) == ["a", "b", "c"]


async def test_renewed_lease_holds(queue: ReviewQueue) -> None:
    """A renewed item stays with its holder until the new end."""
    await queue.add(SITE, at(("a", 1)))
    await take(queue, 1, lease_ms=100)
    await queue.renew(SITE, "a", 200)
    assert await take(queue, 1, now_ms=199) == []
    assert await take(queue, 1, now_ms=200) == ["a"]


async def test_renewal_of_a_ready_item_leases_it(queue: ReviewQueue) -> None:
    """A renewal that SQL granted takes an item that was already ready again back out of the queue."""
    await queue.add(SITE, at(("a", 1)))
    await queue.renew(SITE, "a", 200)
    assert await queue.counts(SITE) == (0, 1)
    assert await take(queue, 1, now_ms=200) == ["a"]


async def test_removed_item_is_gone(queue: ReviewQueue) -> None:
    """A removed item is neither taken nor returned by an expired lease, and may be added anew."""
    await queue.add(SITE, at(("a", 1), ("b", 2), ("c", 3)))
    await take(queue, 1)
    await queue.remove(SITE, ["a", "b"])
    await queue.put_back(SITE, "a")
    assert await take(queue, 5, now_ms=1000) == ["c"]
    assert await queue.add(SITE, at(("a", 7))) == 1


async def test_lease_of_the_row_is_marked(queue: ReviewQueue) -> None:
    """A lease that only SQL remembered is kept until its end, then the item is ready where it was put last."""
    await queue.add(SITE, at(("a", 5), ("b", 6)))
    await queue.mark_leased(SITE, Standing("a", 7, "q"), 100)
    await queue.mark_leased(SITE, Standing("c", 1, "q"), 100)
    assert await queue.counts(SITE) == (1, 2)
    assert await queue.add(SITE, at(("a", 5), ("c", 1))) == 0
    assert await take(queue, 5, now_ms=100) == ["c", "a", "b"]


async def test_marking_never_shortens(queue: ReviewQueue) -> None:
    """A sweep that read the row before a renewal does not cut the renewed lease short."""
    await queue.add(SITE, at(("a", 5)))
    await take(queue, 1, lease_ms=300)
    await queue.mark_leased(SITE, Standing("a", 5, "q"), 100)
    assert await take(queue, 1, now_ms=299) == []


async def test_flush_while_ready(queue: ReviewQueue, redis_client: Redis) -> None:
    """After a flush the sweep adds every open item again, in the same order."""
    items = at(("a", 1.0), ("b", 2.0))
    await queue.add(SITE, items)
    await redis_client.flushall()
    assert await take(queue, 5) == []
    assert await queue.add(SITE, items) == 2
    assert await take(queue, 5) == ["a", "b"]


async def test_flush_while_leased(queue: ReviewQueue, redis_client: Redis) -> None:
    """After a flush under a lease every step of its holder is safe, and the item can be added or marked again."""
    await queue.add(SITE, at(("a", 1)))
    await take(queue, 1)
    await redis_client.flushall()
    await queue.renew(SITE, "a", 500)
    await queue.put_back(SITE, "a")
    assert await queue.counts(SITE) == (0, 0)
    await queue.mark_leased(SITE, Standing("a", 1, "q"), 500)
    assert await queue.add(SITE, at(("a", 1))) == 0
    await queue.remove(SITE, ["a"])
    assert await queue.add(SITE, at(("a", 1))) == 1


async def test_lost_orders_delay_only(queue: ReviewQueue, redis_client: Redis, redis_prefix: str) -> None:
    """When the orders alone are lost, ready items keep theirs and leased ones wait for the sweep."""
    items = at(("a", 1.0), ("b", 2.0), ("c", 3.0))
    await queue.add(SITE, items)
    await take(queue, 2, lease_ms=100)
    await redis_client.delete(f"{redis_prefix}:review:{SITE}:orders")
    await queue.put_back(SITE, "b")
    assert await take(queue, 5, now_ms=100, lease_ms=100) == ["c"]
    assert await queue.add(SITE, items) == 2
    assert await take(queue, 5, now_ms=200) == ["a", "b", "c"]


@pytest.mark.parametrize("key", ["ready:q", "leased"])
async def test_partial_loss_is_swept(queue: ReviewQueue, redis_client: Redis, redis_prefix: str, key: str) -> None:
    """Whichever of its keys is lost, the next sweep leaves every open item ready or leased, and none in both."""
    items = at(("a", 1.0), ("b", 2.0))
    await queue.add(SITE, items)
    await take(queue, 1)
    await redis_client.delete(f"{redis_prefix}:review:{SITE}:{key}")
    assert await queue.add(SITE, items) == 1
    assert sum(await queue.counts(SITE)) == 2
    assert await take(queue, 5, now_ms=1000) == ["a", "b"]
