"""The fan-out hands every listener its topics in order, misses nothing it could know of, and outlives Redis."""

import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis

from service.embedded_redis import EmbeddedRedis
from service.queue.client import QueueUnavailable, connect, connect_blocking
from service.queue.fanout import RESET, Fanout, Heard, News, Subscription
from service.queue.live import Decided, DecisionBoard, DecisionHub
from tests.eventually import eventually
from tests.redis_fixture import SERVERS

pytestmark = pytest.mark.anyio
on_each_server = pytest.mark.parametrize("redis_server", SERVERS, indirect=True, scope="session")

LONG_SECONDS = 15.0
FanoutMaker = Callable[..., Fanout]


def news(number: int, topic: str = "review:a") -> News:
    """Something to tell."""
    return News(topic, "opened", {"number": number})


def said(heard: Heard | None) -> str:
    """The data of what was heard."""
    assert heard is not None
    return heard.data


async def all_of(listener: Subscription, number: int) -> list[str]:
    """The next so many, as data."""
    return [said(await listener.next(LONG_SECONDS)) for _ in range(number)]


@pytest.fixture
async def make(redis_client: Redis, redis_blocking_client: Redis, redis_prefix: str) -> AsyncIterator[FanoutMaker]:
    """A maker of the fan-outs of several processes, each with its reader; `started()` waits for the readers."""
    hubs: list[DecisionHub] = []

    def make_one(*, kept: int = 2_000) -> Fanout:
        fanout = Fanout(redis_client, redis_prefix, kept=kept)
        hubs.append(DecisionHub(redis_blocking_client, redis_prefix, listeners=[fanout]))
        return fanout

    make_one.hubs = hubs  # type: ignore[attr-defined]
    yield make_one
    for hub in hubs:
        await hub.stop()


async def start(make: FanoutMaker) -> None:
    """Start every reader and wait until it hears."""
    hubs: list[DecisionHub] = make.hubs  # type: ignore[attr-defined]
    for hub in hubs:
        await hub.start()
    await eventually(lambda: all(hub.connected for hub in hubs))


async def hears(fanout: Fanout) -> None:
    """Wait until a fan-out has caught up: what is told from now on arrives by itself."""
    listener = fanout.subscribe(["probe"])
    await fanout.publish([News("probe", "probe", {})])
    while (await listener.next(LONG_SECONDS)) == RESET:
        continue
    listener.close()


@on_each_server
async def test_each_listener_hears_its_topics_in_order(make: FanoutMaker) -> None:
    """Two processes hear the same, each listener only what it listens to, in the order of telling."""
    first, second = make(), make()
    await start(make)
    await hears(first)
    await hears(second)
    mine, other = first.subscribe(["review:a"]), second.subscribe(["review:a", "thread:b"])
    await first.publish([news(1), news(2, "thread:b"), news(3)])
    await second.publish([news(4)])
    assert await all_of(mine, 3) == ['{"number":1}', '{"number":3}', '{"number":4}']
    assert await all_of(other, 4) == [f'{{"number":{number}}}' for number in (1, 2, 3, 4)]
    assert await mine.next(0) is None
    mine.close()
    await first.publish([news(5)])
    assert await all_of(other, 1) == ['{"number":5}']
    assert mine.is_over
    assert await mine.next(LONG_SECONDS) is None


async def test_who_comes_back_goes_on_behind_the_last_one(make: FanoutMaker) -> None:
    """With the id of the last event a listener hears what came since, in another process too, and nothing twice."""
    first = make()
    await start(make)
    await hears(first)
    listener = first.subscribe(["review:a"])
    await first.publish([news(number) for number in range(3)])
    heard = [await listener.next(LONG_SECONDS) for _ in range(3)]
    assert heard[0] is not None
    again = first.subscribe(["review:a"], after=heard[0].id)
    assert await all_of(again, 2) == ['{"number":1}', '{"number":2}']
    late = make()
    await start(make)
    await hears(late)
    elsewhere = late.subscribe(["review:a"], after=heard[0].id)
    assert await all_of(elsewhere, 2) == ['{"number":1}', '{"number":2}']
    await first.publish([news(3)])
    assert await all_of(elsewhere, 1) == await all_of(again, 1) == ['{"number":3}']


@pytest.mark.parametrize("after", ["", "x", "1-", "1-1-1", "1-1", "-1-1", "٣-١", "9" * 40 + "-1"])
async def test_who_was_away_too_long_is_told_to_read_again(make: FanoutMaker, after: str) -> None:
    """An id that is none of ours, or from before what is kept, is answered with `reset`."""
    fanout = make()
    await start(make)
    await hears(fanout)
    listener = fanout.subscribe(["review:a"], after=after)
    assert await listener.next(LONG_SECONDS) == RESET
    await fanout.publish([news(1)])
    assert await all_of(listener, 1) == ['{"number":1}']


async def test_a_slow_listener_loses_the_oldest_and_is_told(make: FanoutMaker) -> None:
    """Whoever does not read hears `reset` and the newest; nobody else waits for it."""
    fanout = make()
    await start(make)
    await hears(fanout)
    slow, quick = fanout.subscribe(["review:a"], waiting=4), fanout.subscribe(["review:a"])
    await fanout.publish([news(number) for number in range(10)])
    assert len(await all_of(quick, 10)) == 10
    assert await slow.next(LONG_SECONDS) == RESET
    assert await all_of(slow, 4) == [f'{{"number":{number}}}' for number in (6, 7, 8, 9)]
    assert await slow.next(0) is None


async def test_the_end_ends_every_listener(make: FanoutMaker) -> None:
    """Once it is over nobody waits any more, and whoever comes later does not begin to."""
    fanout = make()
    waiting = fanout.subscribe(["review:a"])
    fanout.end()
    assert await waiting.next(LONG_SECONDS) is None
    late = fanout.subscribe(["review:a"], after="1-1")
    assert await late.next(LONG_SECONDS) is None
    assert (waiting.is_over, late.is_over, fanout.listening) == (True, True, 0)


async def test_no_more_is_kept_than_said(make: FanoutMaker, redis_client: Redis, redis_prefix: str) -> None:
    """The stream in Redis is trimmed about where it is told to be, and forgets itself when nothing is told."""
    fanout = make(kept=100)
    for _ in range(20):
        await fanout.publish([news(number) for number in range(50)])
    assert await redis_client.xlen(f"{redis_prefix}:live:kept") <= 300
    assert 0 < await redis_client.pttl(f"{redis_prefix}:live:kept") <= 3_600_000


async def test_outlives_a_killed_redis(own_redis: EmbeddedRedis) -> None:
    """While Redis is gone telling fails at once; when it is back listeners hear `reset` and then what is told."""
    reader, client = connect_blocking(own_redis.url), connect(own_redis.url)
    fanout = Fanout(client)
    hub = DecisionHub(reader, listeners=[fanout])
    await hub.start()
    await hears(fanout)
    listener = fanout.subscribe(["review:a"])
    for _ in range(2):
        assert own_redis.pid is not None
        os.kill(own_redis.pid, signal.SIGKILL)
        await eventually(lambda: not hub.connected)
        with pytest.raises(QueueUnavailable):
            await fanout.publish([news(0)])
        own_redis.start()
        assert await listener.next(LONG_SECONDS) == RESET
        await fanout.publish([news(1)])
        assert await all_of(listener, 1) == ['{"number":1}']
    await hub.stop()
    await reader.aclose()
    await client.aclose()


async def test_a_broken_line_loses_nothing_that_is_kept(
    make: FanoutMaker, redis_client: Redis, redis_server: EmbeddedRedis
) -> None:
    """What was told while the reader's line was down is read from what is kept, before `reset`."""
    fanout = make()
    await start(make)
    await hears(fanout)
    listener = fanout.subscribe(["review:a"])
    await redis_client.client_kill_filter(_type="pubsub")
    await fanout.publish([news(number) for number in range(3)])
    assert await all_of(listener, 4) == [*(f'{{"number":{number}}}' for number in range(3)), RESET.data]


async def test_decisions_are_heard_beside_it(
    redis_client: Redis, redis_blocking_client: Redis, redis_prefix: str
) -> None:
    """One connection carries both: a wait for a decision ends while news are heard."""
    fanout = Fanout(redis_client, redis_prefix)
    hub, board = (
        DecisionHub(redis_blocking_client, redis_prefix, listeners=[fanout]),
        DecisionBoard(redis_client, redis_prefix),
    )
    await hub.start()
    await hears(fanout)
    listener = fanout.subscribe(["review:a"])
    decided = Decided("r", "comment", "thread", "site", "published", 7)
    with hub.expect("r") as waiter:
        await fanout.publish([news(1)])
        await board.publish([decided])
        assert await waiter.wait(LONG_SECONDS) == decided
    assert await all_of(listener, 1) == ['{"number":1}']
    await hub.stop()
