"""Promise 6: at least once and idempotent; an entry, a request or a sweep that comes twice changes nothing twice."""

import asyncio
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.decision import Status
from service.composition import open_context
from service.flow.score import read_owed, record
from service.queue.scoring import Entry
from service.settings import Settings
from service.store.tables import comments, decisions, outbox, review_items, revisions, scores
from service.workers.loop import Parts
from service.workers.scoring import ScoringWorker
from tests.service_fixture import Clock, Service

pytestmark = pytest.mark.anyio


async def counts(service: Service) -> dict[str, int]:
    """How many rows there are of each kind that scoring writes."""
    async with service.context.database.reading() as connection:
        return {
            table.name: (await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
            for table in (comments, decisions, outbox, review_items, scores)
        }


async def submit_two(service: Service) -> list[Entry]:
    """Submit a civil and a rude comment and answer their entries, which a worker now holds."""
    await service.submit("A civil opinion.")
    await service.submit("A rude opinion.")
    return await service.context.stream.fetch(10, 1)


async def test_an_entry_that_is_processed_twice_decides_once(service: Service) -> None:
    """A worker that handles the same entries again writes nothing and bumps no thread."""
    entries = await submit_two(service)
    await service.worker._settle(entries)
    once, version = await counts(service), (await service.thread())["thread"]["version"]
    await service.worker._settle(entries)
    assert await counts(service) == once
    assert (await service.thread())["thread"]["version"] == version


async def test_two_workers_with_the_same_entries_decide_once(
    service: Service, settings: Settings, clock: Clock
) -> None:
    """Two workers that score the same comments at the same time leave one decision each, and a correct count."""
    entries = await submit_two(service)
    async with open_context(settings, consumer="other", now=clock) as context:
        other = ScoringWorker(context, service.scorer, Parts("scorer", "redis", "database"), batch_size=32)
        await asyncio.gather(service.worker._settle(entries), other._settle(entries))
    found = await counts(service)
    assert (found["decisions"], found["scores"], found["review_items"]) == (2, 2, 1)
    assert (await service.thread())["thread"]["count"] == 1


async def test_a_worker_that_ended_before_it_acknowledged(service: Service, settings: Settings, clock: Clock) -> None:
    """Entries that were committed and not acknowledged come back to the restarted worker, which only acknowledges."""
    await submit_two(service)
    once = await decide_without_acknowledging(service)
    async with open_context(settings, consumer="test", now=clock) as context:
        restarted = ScoringWorker(context, service.scorer, Parts("scorer", "redis", "database"), batch_size=32)
        assert await restarted.drain_once(block_ms=1) == 2
        depth = await context.stream.depth(0)
    assert await counts(service) == once
    assert (depth.waiting, depth.in_flight) == (0, 0)


async def decide_without_acknowledging(service: Service) -> dict[str, int]:
    """Do what a worker does up to its commit, and answer the counts after it."""
    async with service.context.database.reading() as connection:
        ids = list((await connection.execute(sa.select(revisions.c.id).order_by(revisions.c.id))).scalars())
    owed = await read_owed(service.context, ids)
    found = await service.scorer.score([one.body for one in owed])
    told = await record(
        service.context,
        dict(zip([one.revision_id for one in owed], found, strict=True)),
        languages=service.scorer.languages,
    )
    assert [one.status for one in told] == [Status.PUBLISHED, Status.HELD]
    return await counts(service)


async def test_a_worker_that_ended_before_it_announced(service: Service, settings: Settings, clock: Clock) -> None:
    """A held comment whose announcement never left is in the queue after a sweep, once, and can be decided."""
    await submit_two(service)
    await decide_without_acknowledging(service)
    async with service.context.database.reading() as connection:
        row = (await connection.execute(sa.select(review_items.c.site_id, review_items.c.id))).one()
    await service.context.reviews.remove(row.site_id, [row.id])
    await service.sweep()
    await service.sweep()
    assert await service.context.reviews.counts(row.site_id) == (1, 0)
    [item] = await service.claim()
    await service.decide(item)


async def test_a_submit_that_is_retried_is_one_comment(service: Service) -> None:
    """Eight requests at once under one Idempotency-Key make one comment, and all are told its id."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    path, body = "/v1/sites/test/threads/page/comments", {"body": "A civil opinion."}
    answers = await asyncio.gather(*(service.client.post(path, json=body, headers=headers) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["comment"]["id"] for answer in answers}) == 1
    await service.drain()
    retried: dict[str, Any] = await service.submit("A civil opinion.", headers=headers, expect=201)
    assert retried["comment"]["status"] == "published"
    assert (await counts(service))["comments"] == 1


async def test_a_sweep_at_the_same_time_as_a_worker_doubles_nothing(service: Service) -> None:
    """Comments that are swept up while they are being decided are decided once."""
    for number in range(20):
        await service.submit(f"A civil opinion, number {number}.")
    service.clock.advance(3)
    await asyncio.gather(service.drain(), service.sweep(), service.sweep())
    await service.drain()
    assert (await counts(service))["decisions"] == 20
    assert (await service.thread())["thread"]["count"] == 20
