"""Promises 1 and 3: while Redis is away comments are taken, read and reviewed, and when it is back all are decided."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.embedded_redis import EmbeddedRedis
from tests.eventually import eventually
from tests.journey.harness import CIVIL, Installation, frozen

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SECONDS = 1.0


@pytest.fixture
async def here(tmp_path: Path, own_redis: EmbeddedRedis) -> AsyncIterator[Installation]:
    """An installation on a Redis that is the test's to stop, with one published and two held comments."""
    async with Installation(tmp_path / "home", REDIS_URL=own_redis.url) as started:
        await started.start()
        policy = await moderate(started, "GET", "/v1/admin/sites/demo/policy", as_="admin_token")
        held = {**policy["policy"], "mode": "pre-moderation"}
        await moderate(started, "PUT", "/v1/admin/sites/demo/policy", as_="admin_token", json=policy["policy"])
        await started.all_published(await started.submit_many(1))
        await moderate(started, "PUT", "/v1/admin/sites/demo/policy", as_="admin_token", json=held)
        for number in range(2):
            answer = await started.submit(CIVIL.format(number), page="held", wait=10)
            assert answer.json()["comment"]["status"] == "held"
        await moderate(started, "PUT", "/v1/admin/sites/demo/policy", as_="admin_token", json=policy["policy"])
        yield started


async def moderate(here: Installation, method: str, path: str, *, as_: str = "moderator_token", **options: Any) -> Any:
    """Send a request of a moderator or an admin and answer its JSON."""
    headers = {"authorization": f"Bearer {here.demo[as_]}"}
    answer = await here.client.request(method, path, headers=headers, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def degraded(here: Installation) -> bool:
    """True when readiness is 200, says `degraded` and names Redis."""
    code, body = await here.health("ready")
    named = {"part": "redis", "ok": False, "reason": "redis.unavailable"} in body.get("parts", [])
    return code == 200 and body["status"] == "degraded" and named


async def test_everything_but_deciding_goes_on(here: Installation, own_redis: EmbeddedRedis) -> None:
    """Without Redis submits are 202 within a second, reads and reviews work, and nothing owed is lost by it."""
    own_redis.stop()
    await eventually(lambda: degraded(here))
    assert (await here.health("workers"))[0] == 503
    ids = []
    for number in range(10):
        began_at = time.monotonic()
        answer = await here.submit(CIVIL.format(number), page="during", wait=10)
        assert (answer.status_code, time.monotonic() - began_at < SECONDS) == (202, True)
        ids.append(answer.json()["comment"]["id"])
    assert (await here.thread())["thread"]["count"] == 1
    await review_both(here)
    assert (await here.thread("held"))["thread"]["count"] == 2
    assert await here.statuses(ids) == {"pending"}
    own_redis.start()
    await here.all_published(ids)
    await eventually(lambda: ready(here))


async def ready(here: Installation) -> bool:
    """True when nothing is degraded any more."""
    return (await here.health("ready"))[1].get("status") == "ready"


async def review_both(here: Installation) -> None:
    """Claim the two held comments, which only SQL knows of now, and approve them."""
    claimed = await moderate(here, "POST", "/v1/review/demo/claims", json={"limit": 10})
    assert len(claimed["items"]) == 2
    for item in claimed["items"]:
        wanted = {"lease": item["lease"]["token"], "revision": item["revision"], "action": "approve"}
        await moderate(here, "POST", f"/v1/review/demo/items/{item['item_id']}/decision", json=wanted)


async def test_a_hanging_redis_is_treated_like_a_missing_one(here: Installation, own_redis: EmbeddedRedis) -> None:
    """A Redis that accepts connections and never answers delays a submit by a bounded time and loses nothing."""

    assert own_redis.pid is not None
    async with frozen(own_redis.pid):
        began_at = time.monotonic()
        answer = await here.submit("A civil opinion during a hang.", page="hang", wait=10)
        assert (answer.status_code, time.monotonic() - began_at < 3 * SECONDS) == (202, True)
        assert (await here.thread())["thread"]["count"] == 1
        await eventually(lambda: degraded(here))
    await here.all_published([answer.json()["comment"]["id"]])
