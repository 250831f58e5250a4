"""Token buckets: the script in Redis and the memory of one process keep the same promise."""

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from service.embedded_redis import EmbeddedRedis
from service.queue.client import connect
from service.queue.limits import Bucket, Limiter, LocalLimits, Taken
from tests.eventually import turns
from tests.redis_fixture import SERVERS

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        """Answer the time."""
        return self.seconds


def bucket(key: str = "one", limit: int = 3, per_seconds: int = 3600) -> Bucket:
    """Answer a bucket that does not fill again while a test runs."""
    return Bucket("test", key, limit, per_seconds)


@pytest.mark.parametrize("redis_server", SERVERS, indirect=True)
async def test_a_bucket_gives_its_tokens_and_then_says_when_there_are_more(
    redis_client: Redis, redis_prefix: str
) -> None:
    """Three are let in, with what is left; the fourth learns when to come again; another key has its own."""
    limiter = Limiter(redis_client, redis_prefix)
    taken = [(await limiter.take([bucket()]))[0] for _ in range(4)]
    assert [one.allowed for one in taken] == [True, True, True, False]
    assert [one.remaining for one in taken] == [2, 1, 0, 0]
    assert 1100 < taken[3].retry_after_seconds <= 1200
    assert 3500 < taken[3].reset_seconds <= 3600
    assert (await limiter.take([bucket("two")]))[0].allowed


@pytest.mark.parametrize("redis_server", SERVERS, indirect=True)
@pytest.mark.parametrize("is_local", [False, True])
async def test_several_tokens_are_taken_at_once_or_none(redis_client: Redis, redis_prefix: str, is_local: bool) -> None:
    """Who wants more than there are takes none, and learns when there are as many."""
    local, limiter = LocalLimits(), Limiter(redis_client, redis_prefix)

    async def take(wanted: int) -> Taken:
        wants = [bucket(limit=10)._replace(wanted=wanted)]
        return local.take(wants)[0] if is_local else (await limiter.take(wants))[0]

    first, second, third = await take(6), await take(5), await take(4)
    assert (first.allowed, first.remaining) == (True, 4)
    assert (second.allowed, second.remaining) == (False, 0)
    assert 300 < second.retry_after_seconds <= 360
    assert (third.allowed, third.remaining) == (True, 0)


@pytest.mark.parametrize("redis_server", SERVERS, indirect=True)
async def test_of_several_buckets_all_pay_or_none(redis_client: Redis, redis_prefix: str) -> None:
    """Who is refused by one limit does not use up another."""
    limiter = Limiter(redis_client, redis_prefix)
    narrow, wide = bucket("narrow", limit=1), bucket("wide", limit=10)
    assert all(one.allowed for one in await limiter.take([narrow, wide]))
    for _ in range(5):
        refused, untouched = await limiter.take([narrow, wide])
        assert (refused.allowed, untouched.allowed, untouched.remaining) == (False, True, 8)


async def test_two_processes_share_a_bucket(redis_server: EmbeddedRedis, redis_prefix: str) -> None:
    """What one process let in counts for the other."""
    clients = [connect(redis_server.url) for _ in range(2)]
    limiters = [Limiter(client, redis_prefix) for client in clients]
    taken = [(await limiters[turn % 2].take([bucket()]))[0].allowed for turn in range(4)]
    assert taken == [True, True, True, False]
    for client in clients:
        await client.aclose()


async def test_a_key_lasts_no_longer_than_its_bucket(redis_client: Redis, redis_prefix: str) -> None:
    """Redis forgets a bucket once it is full again, so that nobody's visit is kept."""
    await Limiter(redis_client, redis_prefix).take([bucket(limit=3600)])
    assert 0 < await redis_client.pttl(f"{redis_prefix}:limit:one") <= 1002


async def test_a_limit_that_is_lowered_locks_nobody_out(redis_client: Redis, redis_prefix: str) -> None:
    """Who spent much under a former limit waits for one period of the new one at the most."""
    limiter = Limiter(redis_client, redis_prefix)
    for _ in range(3):
        await limiter.take([bucket(per_seconds=86_400)])
    [taken] = await limiter.take([bucket(per_seconds=60)])
    assert not taken.allowed
    assert taken.reset_seconds <= 60


async def test_without_redis_each_process_counts_by_itself(own_redis: EmbeddedRedis) -> None:
    """A Redis that is away is no open door, nobody waits for it twice in a second, and it is asked again."""
    client, clock = connect(own_redis.url), Clock()
    limiter = Limiter(client, clock=clock)
    assert (await limiter.take([bucket(limit=1)]))[0].allowed
    own_redis.stop()
    taken = [(await limiter.take([bucket(limit=2)]))[0].allowed for _ in range(4)]
    assert taken == [True, True, False, False]
    own_redis.start()
    clock.seconds += 1.1
    # Redis comes back as it was, or empty; either way it is it that answers.
    assert (await limiter.take([bucket("fresh")]))[0].remaining == 2
    assert await client.exists("colloquy:limit:fresh")
    await client.aclose()


@given(
    limit=st.integers(1, 20),
    per_seconds=st.integers(1, 600),
    pauses=st.lists(st.floats(0, 300, allow_nan=False), min_size=1, max_size=60),
)
def test_no_window_lets_in_more_than_twice_its_limit(limit: int, per_seconds: int, pauses: list[float]) -> None:
    """Whoever asks in whatever rhythm gets at most `limit` at once, and `limit` more within each period."""
    clock = Clock()
    local, let_in = LocalLimits(clock), []
    for pause in pauses:
        clock.seconds += pause
        if local.take([bucket(limit=limit, per_seconds=per_seconds)])[0].allowed:
            let_in.append(clock.seconds)
    for start in let_in:
        assert sum(start <= at < start + per_seconds for at in let_in) <= 2 * limit
        assert let_in.count(start) <= limit


@given(turns=st.lists(st.sampled_from(["a", "b", "wait"]), max_size=30))
def test_who_waits_as_told_is_let_in(turns: list[str]) -> None:
    """After `retry_after_seconds` there is a token, and not before."""
    clock = Clock()
    local = LocalLimits(clock)
    for turn in turns:
        if turn == "wait":
            clock.seconds += 1
            continue
        [taken] = local.take([bucket(turn, limit=2, per_seconds=10)])
        if not taken.allowed:
            clock.seconds += taken.retry_after_seconds * 0.99
            assert not _peek(local, turn).allowed
            clock.seconds += taken.retry_after_seconds * 0.01 + 1e-5
            assert local.take([bucket(turn, limit=2, per_seconds=10)])[0].allowed


def _peek(local: LocalLimits, key: str) -> Taken:
    """Ask without taking: a second bucket that is never free keeps the first one whole."""
    never = Bucket("never", "never", 1, 86_400)
    local.take([never])
    return local.take([bucket(key, limit=2, per_seconds=10), never])[0]


def test_a_flood_from_very_many_networks_keeps_the_memory_bounded() -> None:
    """However many networks come within a period, a process remembers a bounded number of them."""
    local = LocalLimits(Clock())
    for number in range(120_000):
        local.take([bucket(str(number))])
    assert len(local._full_at) <= 50_001


async def test_a_token_that_is_held_comes_back_or_is_spent() -> None:
    """Given back it was never taken, spent it is gone; and nobody is refused while others may give one back."""
    local, one = LocalLimits(Clock()), bucket(limit=2)
    for _ in range(5):
        assert (await local.hold(one)).allowed
        local.settle(one, spent=False)
    assert [(await local.hold(one)).allowed for _ in range(2)] == [True, True]
    waiting = [asyncio.create_task(local.hold(one)) for _ in range(3)]
    await turns(3)
    assert not any(task.done() for task in waiting)
    local.settle(one, spent=False)
    assert (await waiting[0]).allowed
    waiting[1].cancel()
    local.settle(one, spent=True)
    await turns(3)
    assert not waiting[2].done()
    local.settle(one, spent=True)
    assert not (await waiting[2]).allowed
    assert not (await local.hold(one)).allowed


@given(
    limit=st.integers(1, 4),
    outcomes=st.lists(st.booleans(), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
)
async def test_however_many_hold_at_once_no_more_are_refused_than_there_are_tokens(
    limit: int, outcomes: list[bool], order: Random
) -> None:
    """Of requests under way together at most `limit` are spent, and whoever is refused finds them all spent."""
    local, one = LocalLimits(Clock()), bucket(limit=limit)
    going: list[bool] = []

    async def ask(spent: bool) -> bool:
        if not (await local.hold(one)).allowed:
            return False
        going.append(spent)
        return True

    tasks = [asyncio.create_task(ask(spent)) for spent in outcomes]
    spent, refused_at = 0, []
    while True:
        await turns(4)
        assert spent + len(going) <= limit
        refused_at += [spent for task in tasks if task.done() and not task.result()]
        if not going:
            break
        ended = going.pop(order.randrange(len(going)))
        local.settle(one, spent=ended)
        spent += ended
    assert all(task.done() for task in tasks)
    assert set(refused_at) <= {limit}
