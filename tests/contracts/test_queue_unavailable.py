"""Whatever is wrong with Redis, the room fails with one exception, and soon."""

import asyncio
import inspect
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from service.embedded_redis import EmbeddedRedis
from service.queue.client import QueueUnavailable, connect, connect_blocking
from service.queue.live import Decided, DecisionBoard
from service.queue.review import ReviewQueue, Standing
from service.queue.scorer_status import ScorerBoard, ScorerState, ScorerStatus
from service.queue.scoring import Entry, ScoringStream

pytestmark = pytest.mark.anyio

Call = Callable[[Redis, Redis], Awaitable[object]]
ENTRIES = [Entry("1-1", "a", 1)]
UP = ScorerStatus(ScorerState.UP)


def _stream(client: Redis, blocking: Redis) -> ScoringStream:
    return ScoringStream(client, blocking, consumer="one")


STREAM: dict[str, Call] = {
    "enqueue": lambda c, b: _stream(c, b).enqueue(["a"]),
    "fetch": lambda c, b: _stream(c, b).fetch(1, 10),
    "recover": lambda c, b: _stream(c, b).recover(1, 0),
    "recover_own": lambda c, b: _stream(c, b).recover_own(1),
    "keep": lambda c, b: _stream(c, b).keep(ENTRIES),
    "acknowledge": lambda c, b: _stream(c, b).acknowledge(ENTRIES),
    "bury": lambda c, b: _stream(c, b).bury(ENTRIES, "poison"),
    "depth": lambda c, b: _stream(c, b).depth(0),
    "forget_consumers": lambda c, b: _stream(c, b).forget_consumers(0),
}
REVIEW: dict[str, Call] = {
    "add": lambda c, b: ReviewQueue(c).add("s", [Standing("a", 1, "q")]),
    "take": lambda c, b: ReviewQueue(c).take("s", ["q"], 1, now_ms=0, until_ms=1),
    "renew": lambda c, b: ReviewQueue(c).renew("s", "a", 1),
    "put_back": lambda c, b: ReviewQueue(c).put_back("s", "a"),
    "remove": lambda c, b: ReviewQueue(c).remove("s", ["a"]),
    "mark_leased": lambda c, b: ReviewQueue(c).mark_leased("s", Standing("a", 1, "q"), 1),
    "counts": lambda c, b: ReviewQueue(c).counts("s"),
    "known": lambda c, b: ReviewQueue(c).known("s"),
    "some": lambda c, b: ReviewQueue(c).some("s", 0, 10),
    "note_whole": lambda c, b: ReviewQueue(c).note_whole("s"),
}
BOARD: dict[str, Call] = {
    "report": lambda c, b: ScorerBoard(c).report("w", UP, 1),
    "read": lambda c, b: ScorerBoard(c).read(),
}
NEWS: dict[str, Call] = {
    "publish": lambda c, b: DecisionBoard(c).publish([Decided("r", "c", "t", "s", "held", None)]),
}
CALLS: dict[str, Call] = STREAM | REVIEW | BOARD | NEWS
EVERY_CALL = pytest.mark.parametrize("name", CALLS)


@pytest.fixture
async def own_clients(own_redis: EmbeddedRedis) -> AsyncIterator[tuple[Redis, Redis]]:
    """Clients of a server that the test may harm."""
    clients = connect(own_redis.url), connect_blocking(own_redis.url)
    yield clients
    for client in clients:
        await client.aclose()


async def seconds_to_fail(call: Awaitable[object]) -> float:
    """How long the call takes to fail with `QueueUnavailable`."""
    started = time.monotonic()
    with pytest.raises(QueueUnavailable):
        await call
    return time.monotonic() - started


@pytest.mark.parametrize(
    ("room", "calls"),
    [(ScoringStream, STREAM), (ReviewQueue, REVIEW), (ScorerBoard, BOARD), (DecisionBoard, NEWS)],
)
def test_every_method_is_called_here(room: type, calls: dict[str, Call]) -> None:
    """No public method of the room is missing from these tests."""
    methods = inspect.getmembers(room, inspect.iscoroutinefunction)
    assert {name for name, _ in methods if not name.startswith("_")} == set(calls)


@EVERY_CALL
@pytest.mark.parametrize("url", ["unix:///nonexistent/redis.sock", "redis://127.0.0.1:1/0"])
async def test_absent_server(name: str, url: str) -> None:
    """Without a server each method fails with `QueueUnavailable` within a second."""
    client, blocking = connect(url), connect_blocking(url)
    assert await seconds_to_fail(CALLS[name](client, blocking)) < 1.0
    await client.aclose()
    await blocking.aclose()


@pytest.mark.slow
async def test_hung_server(own_redis: EmbeddedRedis) -> None:
    """With a server that accepts and never answers each method fails, a short one within about a second."""
    client, blocking = connect(own_redis.url), connect_blocking(own_redis.url)
    assert own_redis.pid is not None
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        async with asyncio.TaskGroup() as group:
            took = {name: group.create_task(seconds_to_fail(call(client, blocking))) for name, call in CALLS.items()}
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
    assert took.pop("fetch").result() < 4.5
    assert max(task.result() for task in took.values()) < 2.0
    await client.aclose()
    await blocking.aclose()


async def test_killed_server(own_redis: EmbeddedRedis, own_clients: tuple[Redis, Redis]) -> None:
    """Each method that worked fails after the server was killed, and works once it is back."""
    for call in CALLS.values():
        await call(*own_clients)
    assert own_redis.pid is not None
    os.kill(own_redis.pid, signal.SIGKILL)
    for call in CALLS.values():
        with pytest.raises(QueueUnavailable):
            await call(*own_clients)
    own_redis.start()
    for call in CALLS.values():
        await call(*own_clients)


async def test_full_server(own_clients: tuple[Redis, Redis]) -> None:
    """A server without memory refuses what adds, and still lets work be finished."""
    client, blocking = own_clients
    stream = _stream(client, blocking)
    await stream.enqueue(["a", "b"])
    entries = await stream.fetch(2, 0)
    await client.config_set("maxmemory", 1)
    for name in ("add", "report"):
        with pytest.raises(QueueUnavailable):
            await CALLS[name](client, blocking)
    with pytest.raises(QueueUnavailable):
        await stream.enqueue(["c"])
    with pytest.raises(QueueUnavailable):
        await stream.bury(entries[1:], "poison")
    await stream.acknowledge(entries[:1])
    assert (await stream.depth(0)).in_flight == 1
    await client.config_set("maxmemory", 0)
    assert await stream.enqueue(["a", "b"]) == 1


async def test_read_only_server(own_clients: tuple[Redis, Redis]) -> None:
    """A server that became a replica refuses what writes."""
    client, blocking = own_clients
    await CALLS["add"](client, blocking)
    await client.replicaof("127.0.0.1", 1)
    for name in ("enqueue", "acknowledge", "take"):
        with pytest.raises(QueueUnavailable):
            await CALLS[name](client, blocking)


async def test_scripts_are_sent_again(own_clients: tuple[Redis, Redis]) -> None:
    """A server that forgot the scripts gets them again unnoticed."""
    client, blocking = own_clients
    stream = _stream(client, blocking)
    assert await stream.enqueue(["a"]) == 1
    await client.script_flush()
    assert await stream.enqueue(["a", "b"]) == 1


async def test_message_names_the_cause_only() -> None:
    """The exception carries the kind of the cause and neither the address nor any argument."""
    client = connect("redis://user:secret@127.0.0.1:1/0")
    with pytest.raises(QueueUnavailable) as caught:
        await ReviewQueue(client).add("site", [Standing("item", 1, "q")])
    assert str(caught.value) == "ConnectionError"
    await client.aclose()
