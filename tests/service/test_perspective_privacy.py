"""Nothing of a text that is only scored is kept anywhere: SQL, Redis, memory and logs are searched for it."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from moderation.scorers.score_cache import key_of as key_in_memory
from service.flow.context import Context
from service.store.tables import metadata
from service.telemetry import JsonFormatter
from service.workers.batcher import Batcher
from tests.eventually import eventually
from tests.service.analysing import ANALYZE, SUGGEST, Client, QuickModel, SeveralScorer, key_of, with_quick
from tests.service.answering import answering
from tests.service.test_second_thoughts import held
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

SECRET = "unspoken-words-of-mine"
TEXT = f"You are a rude person, and these are {SECRET}, said on a quiet evening. Nobody else may read them."
WANTED: dict[str, Any] = {"TOXICITY": {}}


@pytest.fixture
async def context(context: Context) -> AsyncIterator[Context]:
    """A process whose quick model is the test's."""
    mine = with_quick(context, QuickModel())
    yield mine
    await mine.quick.stop()


@pytest.fixture
async def away(service: Service) -> Client:
    """A client whose key would allow the text to be kept."""
    service.scorer = SeveralScorer()
    return Client(service, await key_of(service, may_store=True))


def forms() -> list[str]:
    """What a text could be found again by: its words, and hashes of all of it."""
    raw = TEXT.encode()
    hashes = [hashlib.new(name, raw).hexdigest() for name in ("md5", "sha1", "sha256", "sha512", "blake2b")]
    return [SECRET, *hashes]


def found_in(text: str) -> list[str]:
    """The forms of the text that stand in another."""
    return [one for one in forms() if one in text]


async def everything_in_redis(client: Redis) -> str:
    """Every key of the whole server, whoever made it, with what it holds, and what the server remembers of commands."""
    slow: Any = await client.slowlog_get(1_000)
    return f"{await held(client, '')}\n{slow!r}"


async def everything_in_sql(service: Service) -> tuple[str, dict[str, int]]:
    """Every row of every table, and how many each has."""
    parts: list[str] = []
    counts: dict[str, int] = {}
    async with service.context.database.reading() as connection:
        for table in metadata.sorted_tables:
            rows = (await connection.execute(sa.select(table))).all()
            counts[table.name] = len(rows)
            parts += map(repr, rows)
    return "\n".join(parts), counts


async def is_nowhere(service: Service, client: Redis, lines: pytest.LogCaptureFixture) -> dict[str, int]:
    """Search SQL, Redis and the log; answer how many rows each table has."""
    rows, counts = await everything_in_sql(service)
    assert found_in(rows) == []
    assert found_in(await everything_in_redis(client)) == []
    # The client of these tests logs its own requests; none of that is ours.
    ours = [one for one in lines.records if not one.name.startswith(("httpx", "httpcore"))]
    assert found_in("\n".join(map(JsonFormatter().format, ours))) == []
    return counts


async def waits(service: Service) -> bool:
    """True when a question is in Redis."""
    return await service.context.questions.waiting() == 1


@pytest.mark.parametrize("do_not_store", [True, False])
async def test_what_is_scored_is_kept_nowhere(
    away: Client, redis_client: Redis, caplog: pytest.LogCaptureFixture, do_not_store: bool
) -> None:
    """While a text waits, after it was scored, and when it comes again, it is nowhere, asked for or not."""
    caplog.set_level(logging.DEBUG)
    service = away.service
    body = {"comment": {"text": TEXT}, "requestedAttributes": WANTED, "doNotStore": do_not_store,
            "spanAnnotations": True, "context": {"entries": [{"text": SECRET}]}}  # fmt: skip
    await away.analyze("A text before it, so that the use of the key is noted.")
    before = await is_nowhere(service, redis_client, caplog)
    await service.scorer_reports()
    await eventually(lambda: service.context.answers.hears)
    asked = asyncio.create_task(away.post(ANALYZE, body))
    await eventually(lambda: waits(service))
    await is_nowhere(service, redis_client, caplog)
    batcher = Batcher(service.scorer, cache_entries=100)
    async with answering(service.context, service.scorer, batcher=batcher):
        assert "x-colloquy-model" in (await asked).headers
        again = await away.post(ANALYZE, body)
        assert "x-colloquy-quick" not in again.headers
    assert len(batcher.cache) == 0
    assert batcher.cache._known.get(key_in_memory(service.scorer.model_id, TEXT)) is None
    assert await is_nowhere(service, redis_client, caplog) == before


async def test_the_search_finds(away: Client, redis_client: Redis, redis_prefix: str) -> None:
    """What these tests rest on: a text that is in Redis, in any kind of key, is found."""
    await redis_client.set(f"{redis_prefix}:one", TEXT)
    await redis_client.hset(f"{redis_prefix}:two", "field", hashlib.sha256(TEXT.encode()).hexdigest())
    assert set(found_in(await everything_in_redis(redis_client))) == set(forms()[:1]) | {forms()[3]}
    await redis_client.delete(f"{redis_prefix}:one", f"{redis_prefix}:two")


async def test_what_goes_wrong_keeps_nothing_either(
    away: Client, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """A scorer that fails on the text, a quick model that does, and every refusal leave nothing of it behind."""
    caplog.set_level(logging.DEBUG)
    service, quick = away.service, away.service.context.quick._scorer
    assert isinstance(quick, QuickModel)
    service.scorer.failing = {SECRET}
    async with answering(service.context, service.scorer):
        body = {"comment": {"text": TEXT}, "requestedAttributes": WANTED, "doNotStore": True}
        await away.post(ANALYZE, body)
        quick.failing = True
        await away.post(ANALYZE, body, expect=429)
        for wrong in (
            {**body, SECRET: 1},
            {**body, "requestedAttributes": {SECRET: {}}},
            {**body, "languages": [SECRET]},
            {**body, "comment": {"text": TEXT * 500}},
            {**body, "comment": {"text": TEXT, "type": SECRET}},
            {**body, "clientToken": SECRET * 100},
        ):
            await away.service.call("POST", ANALYZE, params={"key": away.key}, json=wrong)
        await away.service.call("POST", ANALYZE, params={"key": SECRET}, json=body, expect=400)
        await away.service.call("POST", ANALYZE, params={"key": away.key}, content=TEXT.encode(), expect=400)
    await is_nowhere(service, redis_client, caplog)


async def test_a_label_that_must_not_be_stored_keeps_its_number_alone(
    away: Client, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Under `doNotStore` a label of a key that may keep texts has neither text nor hash, and nothing else has them."""
    caplog.set_level(logging.DEBUG)
    service = away.service
    body = {"comment": {"text": TEXT}, "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}}}
    async with answering(service.context, service.scorer):
        await away.post(SUGGEST, {**body, "doNotStore": True})
    assert (await is_nowhere(service, redis_client, caplog))["suggested_scores"] == 1
    async with answering(service.context, service.scorer):
        await away.post(SUGGEST, body)
    rows, _ = await everything_in_sql(service)
    assert set(found_in(rows)) == {SECRET, hashlib.sha256(TEXT.encode()).hexdigest()}
