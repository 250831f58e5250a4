"""Promise 1: SQL is the truth, Redis an index; what Redis forgets delays work, loses nothing and doubles nothing."""

from collections import Counter

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from service.queue.review import Standing
from service.store.tables import decisions, review_items
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

EVERYTHING = "*"
ONLY_THE_STREAM = ":scoring:stream"
ONLY_THE_MARKERS = ":scoring:queued"


@pytest.fixture
async def forget(redis_client: Redis, redis_prefix: str) -> "Forget":
    """A way to make Redis forget keys of this test."""
    return Forget(redis_client, redis_prefix)


class Forget:
    """Deletes what matches under the prefix of a test: `FLUSHALL`, as far as the test can see."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client, self._prefix = client, prefix

    async def __call__(self, what: str = EVERYTHING) -> None:
        keys = [key async for key in self._client.scan_iter(f"{self._prefix}{what}", count=10_000)]
        assert keys, f"there is nothing at {what} to forget"
        await self._client.delete(*keys)


async def decided(service: Service) -> Counter[str]:
    """How many decisions each comment has."""
    async with service.context.database.reading() as connection:
        return Counter((await connection.execute(sa.select(decisions.c.comment_id))).scalars())


async def submit_three(service: Service) -> list[str]:
    """Submit three civil comments and answer their ids."""
    sent = [await service.submit(f"A civil opinion, number {number}.") for number in range(3)]
    return [one["comment"]["id"] for one in sent]


@pytest.mark.parametrize("lost", [EVERYTHING, ONLY_THE_STREAM, ONLY_THE_MARKERS])
async def test_what_waits_for_a_score_is_scored_all_the_same(service: Service, forget: Forget, lost: str) -> None:
    """Comments that were on the stream when Redis forgot it are each decided once, after the next sweep."""
    ids = await submit_three(service)
    await forget(lost)
    await service.sweep()
    await service.drain()
    assert await decided(service) == Counter(ids)
    assert (await service.thread())["thread"]["count"] == 3


async def test_a_batch_in_hand_survives_the_loss_of_its_entries(service: Service, forget: Forget) -> None:
    """Comments that a worker has in hand while Redis forgets them and a sweep adds them again get one decision each."""
    ids = await submit_three(service)
    service.scorer.down = True
    with pytest.raises(Exception, match=r"scorer\.raised"):
        await service.worker.drain_once(block_ms=1)
    await forget()
    await service.sweep()
    service.scorer.down = False
    await service.drain()
    assert await decided(service) == Counter(ids)
    assert (await service.context.stream.depth(0)).waiting == 0


async def test_the_sweep_adds_only_what_is_missing(service: Service, forget: Forget) -> None:
    """A sweep adds nothing while Redis knows everything, and afterwards exactly what is owed."""
    await submit_three(service)
    await service.sweep()
    assert (await service.context.stream.depth(0)).waiting == 3
    await forget()
    await service.submit("A civil opinion that Redis heard of.")
    await service.sweep()
    await service.sweep()
    assert (await service.context.stream.depth(0)).waiting == 4


async def test_what_is_decided_is_not_swept_up_again(service: Service, forget: Forget) -> None:
    """After a loss the sweep leaves alone what was scored, and what a person decided."""
    await service.published()
    await service.submit("A rude opinion.")
    await service.drain()
    [item] = await service.claim()
    await service.decide(item)
    await service.submit("A civil opinion that keeps a key in Redis.")
    await forget()
    await service.sweep()
    assert (await service.context.stream.depth(0)).waiting == 1
    assert await service.claim() == []


async def test_a_held_comment_can_be_claimed_before_any_sweep(service: Service, forget: Forget) -> None:
    """A moderator is given what waits even while Redis has forgotten the queue."""
    await service.submit("A rude opinion.")
    await service.drain()
    await forget()
    [item] = await service.claim()
    assert await service.claim("moderator2") == []
    await service.decide(item)


async def test_a_held_comment_comes_back_into_the_queue(service: Service, forget: Forget) -> None:
    """The sweep puts what is held back into the queue, once and in its old place."""
    for number in range(3):
        await service.submit(f"A rude opinion, number {number}.")
        await service.drain()
        service.clock.advance(1)
    await forget()
    await service.sweep()
    await service.sweep()
    site_id = await site_of(service)
    assert await service.context.reviews.counts(site_id) == (3, 0)
    bodies = [item["comment"]["body"] for item in await service.claim()]
    assert bodies == [f"A rude opinion, number {number}." for number in range(3)]


async def test_a_lease_holds_through_a_loss(service: Service, forget: Forget) -> None:
    """While a lease runs its holder alone can decide, whether or not Redis and a sweep know of it."""
    await service.submit("A rude opinion.")
    await service.drain()
    [item] = await service.claim()
    await forget()
    assert await service.claim("moderator2") == []
    await service.sweep()
    assert await service.claim("moderator2") == []
    assert (await service.decide(item))["comment"]["status"] == "published"


async def test_a_lease_that_ends_after_a_loss_frees_the_item(service: Service, forget: Forget) -> None:
    """An item whose lease ended while Redis knew nothing of it is given to the next, and refused to the first."""
    await service.submit("A rude opinion.")
    await service.drain()
    [late] = await service.claim(lease_seconds=60)
    await forget()
    service.clock.advance(61)
    await service.sweep()
    [item] = await service.claim("moderator2")
    assert item["item_id"] == late["item_id"]
    assert (await service.decide(late, expect=409))["code"] == "lease.expired"
    await service.decide(item, as_="moderator2")
    async with service.context.database.reading() as connection:
        rows = (await connection.execute(sa.select(review_items.c.state, review_items.c.claim_number))).all()
    assert [tuple(row) for row in rows] == [("decided", 2)]


async def test_renewing_and_releasing_need_no_memory_of_redis(service: Service, forget: Forget) -> None:
    """A holder renews and releases after a loss, and what was released is there for the next."""
    await service.submit("A rude opinion.")
    await service.drain()
    [item] = await service.claim()
    await forget()
    path, lease = f"/v1/review/test/items/{item['item_id']}", {"lease": item["lease"]["token"]}
    renewed = {**lease, "lease_seconds": 120}
    await service.call("POST", f"{path}/renew", as_="moderator", json=renewed, expect=200)
    await service.call("POST", f"{path}/release", as_="moderator", json=lease, expect=204)
    assert len(await service.claim("moderator2")) == 1


async def test_a_queue_that_names_what_is_decided_hides_nothing(service: Service, redis_client: Redis) -> None:
    """A claim of one gets the next item when the first that Redis names was decided while Redis was away."""
    for number in range(2):
        await service.submit(f"A rude opinion, number {number}.")
        await service.drain()
        service.clock.advance(1)
    [first] = await service.claim(limit=1)
    await service.decide(first)
    await service.context.reviews.add(await site_of(service), [Standing(first["item_id"], 0.0, "default")])
    [second] = await service.claim(limit=1)
    assert second["item_id"] != first["item_id"]


async def test_an_item_found_through_sql_is_leased_in_redis_too(service: Service, forget: Forget) -> None:
    """What was claimed past a forgetful Redis is not offered by it again while another item waits behind."""
    for number in range(2):
        await service.submit(f"A rude opinion, number {number}.")
        await service.drain()
        service.clock.advance(1)
    await forget()
    [first] = await service.claim(limit=1)
    await service.context.reviews.add(await site_of(service), [Standing(first["item_id"], 0.0, "default")])
    [second] = await service.claim("moderator2", limit=1)
    assert second["item_id"] != first["item_id"]


async def site_of(service: Service) -> str:
    """The id of the site `test`."""
    async with service.context.database.reading() as connection:
        return str((await connection.execute(sa.text("SELECT id FROM sites WHERE slug = 'test'"))).scalar_one())


async def test_a_queue_that_is_whole_is_not_walked_again(service: Service) -> None:
    """A second sweep that finds Redis knowing another number of items looks at each, and forgets what was closed."""
    site = await site_of(service)
    await service.submit("A rude remark.")
    await service.drain()
    await service.sweep()
    assert await service.context.reviews.known(site) == 1
    [item] = await service.claim()
    await service.decide(item)
    await service.submit("Another rude remark.")
    await service.drain()
    # As after an outage of Redis that lasted as long as the decision.
    await service.context.reviews.add(site, [Standing(item["item_id"], 0.0, "default")])
    assert await service.context.reviews.known(site) == 2
    await service.sweep()
    assert await service.context.reviews.known(site) == 2
    await service.sweep()
    assert await service.context.reviews.known(site) == 1


async def test_a_busy_queue_is_not_walked(service: Service) -> None:
    """What differs at one sweep and not at the next, as while items come and go, is nothing that was lost."""
    site = await site_of(service)
    for number in range(2):
        await service.submit(f"A rude remark, number {number}.")
    await service.drain()
    await service.sweep()
    [item] = await service.claim(limit=1)
    await service.decide(item)
    for _ in range(3):
        # As between the commit of a decision and the moment when Redis hears of it.
        await service.context.reviews.add(site, [Standing(item["item_id"], 0.0, "default")])
        await service.sweep()
        assert await service.context.reviews.known(site) == 2
        await service.context.reviews.remove(site, [item["item_id"]])
        await service.sweep()
        assert await service.context.reviews.known(site) == 1


async def test_an_item_that_redis_lost_comes_back_at_the_second_sweep(service: Service) -> None:
    """An item that Redis lost while it knows the others is put back by the second sweep that misses it."""
    site = await site_of(service)
    for number in range(2):
        await service.submit(f"A rude remark, number {number}.")
    await service.drain()
    await service.sweep()
    [item] = await service.claim(limit=1, lease_seconds=1)
    await service.context.reviews.remove(site, [item["item_id"]])
    await service.sweep()
    assert await service.context.reviews.known(site) == 1
    await service.sweep()
    assert await service.context.reviews.known(site) == 2
