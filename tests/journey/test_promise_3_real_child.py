"""Promise 3, with a real child process around a model that misbehaves: the others are decided, the culprit is held."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from moderation.policy import default_policy
from service.workers.loop import Parts
from service.workers.scorer_process import ScorerProcess
from service.workers.scoring import ScorerIsDown, ScoringWorker
from tests.service_fixture import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CIVIL = ["A first civil opinion.", "A second civil opinion.", "A third civil opinion."]


@pytest.fixture
def database_kind() -> str:
    """One kind is enough: what fails here is the model."""
    return "sqlite"


def child(function: str = "run", timeout_seconds: float = 0.5) -> ScorerProcess:
    """The process of a strange scorer."""
    program = f"from tests.service.strange_scorers import {function}; {function}()"
    return ScorerProcess([sys.executable, "-c", program], timeout_seconds=timeout_seconds)


def worker_around(service: Service, scorer: ScorerProcess) -> ScoringWorker:
    """A worker of the service that scores through the process."""
    return ScoringWorker(service.context, scorer, Parts("scorer", "redis", "database"), batch_size=32)


@pytest.fixture
async def scorer() -> AsyncIterator[ScorerProcess]:
    """A strange scorer that ends with the test."""
    process = child()
    yield process
    await process.stop()


@pytest.fixture
async def strange(service: Service) -> Service:
    """The service with a policy for the strange model."""
    policy: dict[str, Any] = {**msgspec.to_builtins(default_policy()), "model": "strange-1"}
    await service.call("PUT", "/v1/admin/sites/test/policy", as_="admin", json=policy, expect=200)
    return service


@pytest.mark.parametrize("order", ["raise", "exit", "too few", "nan", "die", "hang", "other model", "not scores"])
async def test_one_text_that_breaks_the_model_is_held_alone(
    strange: Service, scorer: ScorerProcess, order: str
) -> None:
    """Whatever a text makes the model do, it alone is held, its neighbours are published and the scorer is up."""
    for body in [CIVIL[0], order, *CIVIL[1:]]:
        await strange.submit(body)
    worker = worker_around(strange, scorer)
    assert await worker.drain_once(block_ms=1) == 4
    assert (await strange.thread())["thread"]["count"] == 3
    [item] = await strange.claim()
    assert item["comment"]["body"] == order
    assert [cause["kind"] for cause in item["causes"]] == ["scorer"]
    assert worker._parts.ok("scorer")


async def test_a_model_that_cannot_be_loaded_leaves_all_pending(strange: Service) -> None:
    """Without a model nothing is decided, and the part says why; the entries wait for another worker."""
    await strange.submit(CIVIL[0])
    broken = child("run_without_model")
    worker = worker_around(strange, broken)
    for _ in range(2):
        with pytest.raises(ScorerIsDown):
            await worker.drain_once(block_ms=1)
    assert worker._parts.reason("scorer") == "scorer.start"
    assert (await strange.thread())["thread"]["count"] == 0
    await broken.stop()
    await strange.drain()
    assert [item["comment"]["body"] for item in await strange.claim()] == [CIVIL[0]]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_child_that_dies_or_freezes_between_batches_is_replaced(
    strange: Service, scorer: ScorerProcess, number: signal.Signals
) -> None:
    """The next batch after the child's end or freeze is scored by a fresh one, and nobody is held for it."""
    worker = worker_around(strange, scorer)
    await strange.submit(CIVIL[0])
    await worker.drain_once(block_ms=1)
    assert scorer.pid is not None
    os.kill(scorer.pid, number)
    for body in CIVIL[1:]:
        await strange.submit(body)
    await worker.drain_once(block_ms=1)
    assert (await strange.thread())["thread"]["count"] == 3
