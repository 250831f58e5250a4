"""Promises 1 and 2: a comment that was committed and never reached the stream is put there by the sweep."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from service.embedded_redis import EmbeddedRedis
from service.queue.client import QueueUnavailable
from service.settings import Settings
from service.store.tables import decisions
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(tmp_path: Path, database_url: str, own_redis: EmbeddedRedis) -> Settings:
    """Settings for a Redis that this test may stop; the fixtures above this one build on it."""
    return Settings.from_environment(
        {
            "COLLOQUY_HOME": str(tmp_path / "home"),
            "DATABASE_URL": database_url,
            "REDIS_URL": own_redis.url,
            "SECRET_KEY": "a-secret-key-for-tests-that-is-long-enough",
            "ALLOWED_HOSTS": "test",
        }
    )


async def count_of_decisions(service: Service) -> int:
    """How many decisions there are."""
    async with service.context.database.reading() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(decisions))).scalar_one())


async def test_the_sweep_enqueues_what_the_api_could_not(service: Service, own_redis: EmbeddedRedis) -> None:
    """A comment whose process ended between commit and XADD is scored after the next sweep, once."""
    own_redis.stop()
    await service.submit("A civil opinion.")
    with pytest.raises(QueueUnavailable):
        await service.sweep()
    own_redis.start()
    await service.drain()
    assert await count_of_decisions(service) == 0
    await service.sweep()
    await service.sweep()
    await service.drain()
    assert (await service.thread())["thread"]["count"] == 1
    assert await count_of_decisions(service) == 1


async def test_an_edit_that_was_not_enqueued_is_swept_up_too(service: Service, own_redis: EmbeddedRedis) -> None:
    """The new text of a published comment is decided after the sweep; until then readers see the old one."""
    sent = await service.published("A civil opinion.")
    own_redis.stop()
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    await service.call("PATCH", path, as_=sent["author_token"], json={"body": "A civil thought."}, expect=200)
    assert (await service.thread())["comments"][0]["body"] == "A civil opinion."
    own_redis.start()
    await service.sweep()
    await service.drain()
    assert (await service.thread())["comments"][0]["body"] == "A civil thought."


async def test_a_decision_that_was_not_announced_is_queued(service: Service, own_redis: EmbeddedRedis) -> None:
    """A comment that was held while Redis was gone reaches the review queue with the next sweep."""
    await service.submit("A rude opinion.")
    entries = await service.context.stream.fetch(10, 1)
    own_redis.stop()
    with pytest.raises(QueueUnavailable):
        await service.worker._settle(entries)
    assert await count_of_decisions(service) == 1
    own_redis.start()
    await service.sweep()
    async with service.context.database.reading() as connection:
        site_id = (await connection.execute(sa.text("SELECT id FROM sites"))).scalar_one()
    assert await service.context.reviews.counts(site_id) == (1, 0)
