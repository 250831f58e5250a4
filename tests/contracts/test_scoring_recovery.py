"""What a consumer held when it died is delivered to another one, and to nobody while it lives."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from redis.asyncio import Redis

from service.embedded_redis import EmbeddedRedis
from service.queue.scoring import Entry, ScoringStream
from tests.redis_fixture import SERVERS, ConsumerMaker, revisions_of

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("redis_server", SERVERS, indirect=True, scope="session")]

LONG_IDLE_MS = 60_000


@pytest.fixture
def stream(scoring_consumer: ConsumerMaker) -> ScoringStream:
    """The consumer named `one`."""
    return scoring_consumer("one")


async def grow_old(client: Redis, prefix: str, entries: list[Entry]) -> None:
    """Make pending entries look as though nobody had touched them for `LONG_IDLE_MS`."""
    ids: Any = [entry.entry_id for entry in entries]
    await client.xclaim(f"{prefix}:scoring:stream", "scorers", "one", 0, ids, idle=LONG_IDLE_MS, justid=True)


async def test_recover_takes_only_the_idle(
    scoring_consumer: ConsumerMaker, redis_client: Redis, redis_prefix: str
) -> None:
    """Entries that their holder let lie are taken over, with their deliveries counted; others are not."""
    one, two = scoring_consumer("one"), scoring_consumer("two")
    await one.enqueue(["a", "b", "c"])
    entries = await one.fetch(2, 0)
    assert await two.recover(5, LONG_IDLE_MS) == []
    await grow_old(redis_client, redis_prefix, entries[:1])
    recovered = await two.recover(5, LONG_IDLE_MS)
    assert [(entry.revision_id, entry.deliveries) for entry in recovered] == [("a", 2)]
    assert await two.recover(5, LONG_IDLE_MS) == []


async def test_keep_holds_entries(scoring_consumer: ConsumerMaker, redis_client: Redis, redis_prefix: str) -> None:
    """An entry that is kept is not taken over, and keeping it is not a delivery."""
    one, two = scoring_consumer("one"), scoring_consumer("two")
    await one.enqueue(["a"])
    entries = await one.fetch(1, 0)
    await grow_old(redis_client, redis_prefix, entries)
    await one.keep(entries)
    assert await two.recover(5, LONG_IDLE_MS) == []
    assert [entry.deliveries for entry in await two.recover(5, 0)] == [2]


async def test_keep_takes_nothing_back(scoring_consumer: ConsumerMaker) -> None:
    """A slow holder that keeps an entry which was taken over does not take it back."""
    one, two = scoring_consumer("one"), scoring_consumer("two")
    await one.enqueue(["a"])
    entries = await one.fetch(1, 0)
    await two.recover(1, 0)
    await one.keep(entries)
    assert await one.recover_own(5) == []
    assert revisions_of(await two.recover_own(5)) == ["a"]


async def test_recover_own_after_restart(scoring_consumer: ConsumerMaker) -> None:
    """A consumer that starts again under its name gets what it held, in pages, once, and nobody else's."""
    await scoring_consumer("one").enqueue(["a", "b", "c", "d"])
    await scoring_consumer("one").fetch(3, 0)
    await scoring_consumer("two").fetch(1, 0)
    restarted = scoring_consumer("one")
    assert revisions_of(await restarted.recover_own(2)) == ["a", "b"]
    assert revisions_of(await restarted.recover_own(2)) == ["c"]
    assert await restarted.recover_own(2) == []


async def test_recover_clears_deleted_entries(stream: ScoringStream, redis_client: Redis, redis_prefix: str) -> None:
    """A pending entry that is gone from the stream is cleared away and does not hide the ones after it."""
    await stream.enqueue(["a", "b", "c"])
    entries = await stream.fetch(3, 0)
    await redis_client.xdel(f"{redis_prefix}:scoring:stream", entries[0].entry_id)
    assert revisions_of(await stream.recover(1, 0)) == ["b"]
    assert (await stream.depth(0)).in_flight == 2


def fetch_two_and_die(url: str, prefix: str) -> None:
    """Start a process that fetches two entries, and kill it with them in its hands."""
    code = (
        "import asyncio, sys\n"
        "from service.queue.client import connect, connect_blocking\n"
        "from service.queue.scoring import ScoringStream\n"
        "async def hold(url, prefix):\n"
        "    stream = ScoringStream(connect(url), connect_blocking(url), consumer='doomed', prefix=prefix)\n"
        "    print(len(await stream.fetch(2, 1000)), flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(hold(*sys.argv[1:]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, url, prefix], stdout=subprocess.PIPE) as doomed:
        assert doomed.stdout is not None
        assert doomed.stdout.readline() == b"2\n"
        doomed.kill()


async def test_killed_consumer_is_recovered(
    scoring_consumer: ConsumerMaker, redis_server: EmbeddedRedis, redis_prefix: str
) -> None:
    """What a process held when it was killed is delivered to another one."""
    await scoring_consumer("one").enqueue(["a", "b", "c"])
    await asyncio.to_thread(fetch_two_and_die, redis_server.url, redis_prefix)
    other = scoring_consumer("other")
    assert revisions_of(await other.recover(5, 0) + await other.fetch(5, 0)) == ["a", "b", "c"]


async def test_gone_consumers_are_forgotten(
    scoring_consumer: ConsumerMaker, redis_client: Redis, redis_prefix: str
) -> None:
    """Names of consumers that hold nothing are dropped, those that hold something and one's own are not."""
    await scoring_consumer("one").enqueue([f"r{number}" for number in range(7)])
    for number in range(5):
        gone = scoring_consumer(f"gone{number}")
        await gone.acknowledge(await gone.fetch(1, 0))
    await scoring_consumer("holder").fetch(1, 0)
    await scoring_consumer("one").acknowledge(await scoring_consumer("one").fetch(1, 0))
    assert await scoring_consumer("one").forget_consumers(LONG_IDLE_MS) == 0
    assert await scoring_consumer("one").forget_consumers(0) == 5
    left = await redis_client.xinfo_consumers(f"{redis_prefix}:scoring:stream", "scorers")
    assert sorted(item["name"] for item in left) == ["holder", "one"]
