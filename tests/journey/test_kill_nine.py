"""Promise 2: a comment answered 201 or 202 survives `kill -9` of any process, and is decided."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.journey.harness import Installation
from tests.service.processes import is_gone

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

API, WORKER, SCORER, REDIS = "service api", "service work", "service scorer", "redis-server"


async def test_the_worker_in_the_middle_of_a_batch(tmp_path: Path) -> None:
    """Comments that a killed worker had in hand are each decided once by its successor."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        sending = asyncio.create_task(here.submit_many(120))
        await eventually(lambda: is_busy(here))
        scorer, worker = here.pid_of(SCORER), here.kill(WORKER)
        ids = await sending
        await here.all_published(ids)
        await eventually(lambda: is_gone(worker) and is_gone(scorer))
        assert len(here.pids(WORKER)) == 1


async def is_busy(here: Installation) -> bool:
    """True when the first comments are in the thread while more are under way."""
    return bool((await here.thread())["thread"]["count"])


async def test_the_api_after_its_answers(tmp_path: Path) -> None:
    """Every comment that the API confirmed before it was killed is there afterwards, and decided once."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        sending = [asyncio.create_task(here.submit_until_it_breaks(f"page-{number}")) for number in range(4)]
        await eventually(lambda: has_comments(here, "page-3"))
        for pid in here.pids(API):
            os.kill(pid, signal.SIGKILL)
        ids = [comment_id for confirmed in await asyncio.gather(*sending) for comment_id in confirmed]
        assert len(ids) >= 4
        await eventually(here.scores)
        await here.all_published(ids)


async def has_comments(here: Installation, page: str) -> bool:
    """True when a thread has its first published comment."""
    answer = await here.client.get(f"/v1/sites/demo/threads/{page}")
    return answer.status_code == 200 and int(answer.json()["thread"]["count"]) > 0


async def test_the_embedded_redis(tmp_path: Path) -> None:
    """While Redis is killed and started again submits are answered, and all of them are decided."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        before = await here.submit_many(40)
        killed = here.kill(REDIS)
        during = await here.submit_many(10, page="during")
        await eventually(lambda: bool(here.pids(REDIS)) and here.pids(REDIS) != [killed])
        await here.all_published(before + during)


async def test_the_scorer_child(tmp_path: Path) -> None:
    """A killed scorer costs no comment: a fresh one scores what the old one had."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        sending = asyncio.create_task(here.submit_many(60))
        killed = here.kill(SCORER)
        await here.all_published(await sending)
        assert here.pid_of(SCORER) != killed


async def test_the_supervisor(tmp_path: Path) -> None:
    """When the supervisor is killed its processes end, and the next start has every comment and adopts the Redis."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        ids = await here.submit_many(40)
        redis = here.pid_of(REDIS)
        os.kill(here.pid, signal.SIGKILL)
        here.process.wait()
        await eventually(lambda: here.pids() == [redis])
        await here.start()
        assert here.pids(REDIS) == [redis]
        await here.all_published(ids)
        assert await here.end() == 0
        assert here.pids() == []


async def test_everything_at_once(tmp_path: Path) -> None:
    """After all processes were killed at once, as by a power cut, the next start has every comment."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        ids = await here.submit_many(40)
        for pid in [here.pid, *here.pids()]:
            os.kill(pid, signal.SIGKILL)
        here.process.wait()
        await here.start()
        await here.all_published(ids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_order_to_stop_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """An order to stop while comments are decided ends every process in order with code 0, and none is lost."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        ids = await here.submit_many(30)
        assert await here.end(number) == 0
        assert here.pids() == []
        assert "supervisor.killing" not in here.log
        await here.start()
        await here.all_published(ids)


@pytest.mark.parametrize("moment", ["serve.lock", "redis.lock", "redis.sock", "secret.key", "demo.json"])
async def test_an_order_to_stop_while_starting(tmp_path: Path, moment: str) -> None:
    """Ctrl-C at any moment of the start ends it soon and leaves no process behind."""
    async with Installation(tmp_path / "home") as here:
        await here.start(until=(tmp_path / "home" / moment).exists)
        assert await here.end(signal.SIGINT) in (0, 130)
        assert here.pids() == []
