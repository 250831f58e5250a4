"""Promise 3, in real processes: while the scorer hangs or dies nothing is published, and later everything is scored."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.journey.harness import CIVIL, Installation, frozen

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SCORER = "service scorer"
AT_ONCE_SECONDS = 1.0


async def stalled(here: Installation) -> bool:
    """True when the workers' page is 503 and gives a reason of the scorer."""
    code, body = await here.health("workers")
    return code == 503 and str(body["parts"][0]["reason"]).startswith("scorer.")


async def test_a_hanging_scorer_publishes_nothing(tmp_path: Path) -> None:
    """While the scorer hangs submits are 202 and nobody waits, reads go on and health says why; then all is scored."""
    async with Installation(tmp_path / "home", SCORER_TIMEOUT_SECONDS="60") as here:
        await here.start()
        async with frozen(here.pid_of(SCORER)):
            ids = [(await here.submit(CIVIL.format("zero"))).json()["comment"]["id"]]
            await eventually(lambda: stalled(here))
            for number in range(20):
                began_at = time.monotonic()
                answer = await here.submit(CIVIL.format(number), wait=10)
                assert (answer.status_code, time.monotonic() - began_at < AT_ONCE_SECONDS) == (202, True)
                ids.append(answer.json()["comment"]["id"])
            assert (await here.thread())["thread"]["count"] == 0
            assert await here.statuses(ids) == {"pending"}
            assert (await here.health("ready"))[0] == 200
        await here.all_published(ids)
        await eventually(here.scores)


async def test_a_scorer_that_hangs_for_good_is_replaced(tmp_path: Path) -> None:
    """A scorer that never comes back is killed after the timeout, and a fresh one scores what it had."""
    async with Installation(tmp_path / "home", SCORER_TIMEOUT_SECONDS="1") as here:
        await here.start()
        hanging = here.pid_of(SCORER)
        os.kill(hanging, signal.SIGSTOP)
        await here.all_published(await here.submit_many(5))
        assert here.pid_of(SCORER) != hanging


async def test_a_frozen_worker_is_noticed(tmp_path: Path) -> None:
    """A worker that says nothing any more turns the workers' page red, and nobody waits for it."""
    async with Installation(tmp_path / "home") as here:
        await here.start()
        async with frozen(here.pid_of("service work")):
            await eventually(lambda: stalled(here))
            began_at = time.monotonic()
            answer = await here.submit("A civil opinion that nobody scores.", wait=10)
            assert (answer.status_code, time.monotonic() - began_at < AT_ONCE_SECONDS) == (202, True)
        await here.all_published([answer.json()["comment"]["id"]])


async def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    """With a model that cannot be loaded the service starts, takes comments, publishes nothing and says why."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text('import sys; sys.modules["moderation.scorers.hashed"] = None')
    async with Installation(tmp_path / "home", SCORER="hashed", PYTHONPATH=str(broken)) as here:
        await here.start(until=lambda: stalled(here))
        answer = await here.submit("A civil opinion without a model.", wait=10)
        assert answer.status_code == 202
        assert (await here.thread())["thread"]["count"] == 0
        await eventually(lambda: says(here, "scorer.start"))


async def says(here: Installation, reason: str) -> bool:
    """True when the workers' page gives this reason."""
    return str((await here.health("workers"))[1]["parts"][0]["reason"]) == reason
