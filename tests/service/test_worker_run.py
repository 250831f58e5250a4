"""One worker process: what it reports is true and known at once, and it ends soon when told to."""

import asyncio
import dataclasses
import sys
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from service.queue.client import QueueUnavailable
from service.queue.scorer_status import ScorerState
from service.queue.scoring import Entry, ScoringStream
from service.workers.fallback import ScorerWithFallback
from service.workers.loop import Parts, wait_for_any
from service.workers.run import Worker
from service.workers.scorer_process import ScorerProcess
from service.workers.scoring import ScoringWorker
from tests.eventually import eventually
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

LONG_SECONDS = 60.0
SOON_SECONDS = 3.0


@pytest.fixture
def database_kind() -> str:
    """One kind is enough: what is tested is the loop."""
    return "sqlite"


class Running:
    """A worker under way, and how to end it."""

    def __init__(self, service: Service, function: str = "run") -> None:
        program = f"from tests.service.strange_scorers import {function}; {function}()"
        scorer = ScorerWithFallback(ScorerProcess([sys.executable, "-c", program], timeout_seconds=5))
        # It reports unasked once a minute, so what is seen earlier was told at once.
        self.worker = Worker(service.context, scorer, name="test", report_every_seconds=LONG_SECONDS)
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.worker.run(self.stop, health_socket=None))

    async def end(self) -> None:
        """Tell it to stop and wait until it has."""
        self.stop.set()
        await self.task


@pytest.fixture
async def running(service: Service) -> AsyncIterator[Running]:
    """A worker under way."""
    started = Running(service)
    yield started
    await started.end()


async def state(service: Service) -> tuple[ScorerState, str | None]:
    """What the API reads of the scorer."""
    found = await service.context.scorers.read()
    return found.state, found.reason


async def test_every_part_starts_by_saying_so() -> None:
    """Before anything was tried no part is ok, and each says that it is starting."""
    parts = Parts("scorer", "redis")
    assert [(part.ok, part.reason) for part in parts.readiness().parts] == [
        (False, "scorer.starting"),
        (False, "redis.starting"),
    ]


async def test_only_a_change_is_news() -> None:
    """A part that goes on failing for the same reason sets off nothing, and one that is back does."""
    parts = Parts("scorer")
    parts.failed("scorer", "scorer.timeout")
    assert parts.changed.is_set()
    parts.changed.clear()
    parts.failed("scorer", "scorer.timeout")
    assert not parts.changed.is_set()
    parts.succeeded("scorer")
    assert parts.changed.is_set()


async def test_a_wait_for_any_ends_with_the_first() -> None:
    """Waiting for several events ends with whichever comes first, or with the time."""
    first, second = asyncio.Event(), asyncio.Event()
    waiting = asyncio.create_task(wait_for_any(first, second, seconds=LONG_SECONDS))
    second.set()
    await waiting
    await wait_for_any(first, seconds=0.001)


async def test_a_worker_that_is_ready_is_known_at_once(service: Service, running: Running) -> None:
    """The API learns that scoring works when it does, not with the next regular report."""
    await eventually(lambda: is_reported(service, ScorerState.UP))
    assert running.worker.parts.ok("scorer")


async def is_reported(service: Service, wanted: ScorerState) -> bool:
    """True when the best report is of that state."""
    return (await state(service))[0] is wanted


async def test_a_worker_that_stops_says_so(service: Service) -> None:
    """After an orderly end nobody waits for a score, and the end comes soon."""
    worker = Running(service)
    await eventually(lambda: is_reported(service, ScorerState.UP))
    began_at = time.monotonic()
    await worker.end()
    assert time.monotonic() - began_at < SOON_SECONDS
    assert await state(service) == (ScorerState.DOWN, "scorer.stopping")


async def test_an_idle_worker_says_nothing_of_sql_that_it_did_not_ask(service: Service) -> None:
    """A turn without entries leaves the database's part as it was."""
    scorer = ScorerWithFallback(
        ScorerProcess([sys.executable, "-c", "from tests.service.strange_scorers import run; run()"], timeout_seconds=5)
    )
    worker = Worker(service.context, scorer, name="test")
    worker.parts.failed("database", "database.unavailable")
    await worker._drain()
    assert worker.parts.reason("database") == "database.unavailable"
    await worker._sweep()
    assert worker.parts.ok("database")
    await scorer.stop()


class SilentStream(ScoringStream):
    """A stream that cannot be reached."""

    async def forget_consumers(self, min_idle_ms: int) -> int:
        raise QueueUnavailable("silent")


async def test_a_sweep_that_used_no_redis_says_nothing_of_it(
    service: Service, redis_client: Redis, redis_blocking_client: Redis, redis_prefix: str
) -> None:
    """Redis is not called back by a sweep that found nothing to put on it, so that its part does not flap."""
    stream = SilentStream(redis_client, redis_blocking_client, consumer="silent", prefix=redis_prefix)
    scorer = ScorerWithFallback(ScorerProcess([sys.executable, "-c", "pass"], timeout_seconds=5))
    worker = Worker(dataclasses.replace(service.context, stream=stream), scorer, name="test")
    worker.parts.failed("redis", "redis.unavailable")
    with pytest.raises(QueueUnavailable):
        await worker._sweep()
    assert worker.parts.reason("redis") == "redis.unavailable"
    assert worker.parts.ok("database")
    await scorer.stop()


class LosingStream(ScoringStream):
    """A stream whose answers are lost on the way while `losing`."""

    losing = False

    async def fetch(self, count: int, block_ms: int) -> list[Entry]:
        found = await super().fetch(count, block_ms)
        if self.losing:
            raise QueueUnavailable("lost")
        return found


async def test_what_was_handed_out_as_redis_broke_is_asked_for_again(
    service: Service, redis_client: Redis, redis_blocking_client: Redis, redis_prefix: str
) -> None:
    """Entries that left Redis and never arrived are taken up at once after the break, not when they have idled."""
    stream = LosingStream(redis_client, redis_blocking_client, consumer="losing", prefix=redis_prefix)
    context = dataclasses.replace(service.context, stream=stream)
    worker = ScoringWorker(context, service.scorer, Parts("scorer", "redis", "database"), batch_size=32)
    for number in range(2):
        await service.submit(f"A civil opinion, number {number}.")
        stream.losing = True
        with pytest.raises(QueueUnavailable):
            await worker.drain_once(block_ms=1)
        stream.losing = False
        assert await worker.drain_once(block_ms=1) == 1
    assert (await service.thread())["thread"]["count"] == 2


async def test_a_batch_leaves_no_task_behind(service: Service) -> None:
    """The task that keeps a batch in our name has ended when the batch is settled."""
    await service.submit("An opinion.")
    before = asyncio.all_tasks()
    assert await service.worker.drain_once() == 1
    assert asyncio.all_tasks() <= before
