"""The composition root: the only place that plugs real things in, for the API, the workers and the commands."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from service import VERSION, tracing
from service.egress import Egress
from service.flow.context import Context, new_uuid7, utc_now
from service.flow.directory import Directory
from service.flow.jwks import KeySets
from service.flow.networks import Networks
from service.flow.passwords import Passwords
from service.flow.quick import Quick, QuickScorer
from service.flow.sealing import Box
from service.flow.signing import AuthorTokens
from service.home import has_secret_key, secret_key_of
from service.queue.client import connect, connect_blocking
from service.queue.fanout import Fanout
from service.queue.limits import Limiter
from service.queue.live import DecisionBoard, DecisionHub
from service.queue.questions import Answers, QuestionLine
from service.queue.recent_texts import RecentTexts
from service.queue.review import ReviewQueue
from service.queue.scorer_status import ScorerBoard
from service.queue.scoring import ScoringStream
from service.queue.spent import Spent
from service.scorers import threads_of
from service.settings import Settings, SettingsError
from service.store import records
from service.store.database import Database

if TYPE_CHECKING:
    from service.workers.fallback import ScorerWithFallback
    from service.workers.scorer_process import ScorerProcess


@asynccontextmanager
async def open_context(
    settings: Settings,
    *,
    consumer: str = "api",
    now: Callable[[], datetime] = utc_now,
    new_id: Callable[[], str] = new_uuid7,
) -> AsyncIterator[Context]:
    """Give the parts of one process, connected, and close them at the end."""
    async with AsyncExitStack() as closing:
        database = Database(settings.database, readers=settings.database_pool)
        closing.push_async_callback(database.dispose)
        box = Box(await _secret_key(settings, database))
        client, blocking = connect(settings.redis_url), connect_blocking(settings.redis_url)
        closing.push_async_callback(blocking.aclose)
        closing.push_async_callback(client.aclose)
        egress = Egress.of(settings)
        closing.push_async_callback(egress.close)
        webhook_egress = Egress.of_webhooks(settings)
        closing.push_async_callback(webhook_egress.close)
        prefix = settings.redis_prefix
        fanout = Fanout(client, prefix)
        questions = QuestionLine(client, blocking, prefix)
        answers = Answers(questions, prefix)
        quick = Quick(_quick_scorer(settings, os.environ))
        closing.push_async_callback(quick.stop)
        yield Context(
            settings=settings,
            database=database,
            stream=ScoringStream(client, blocking, consumer=consumer, prefix=prefix),
            reviews=ReviewQueue(client, prefix),
            scorers=ScorerBoard(client, prefix),
            decisions=DecisionBoard(client, prefix),
            hub=DecisionHub(blocking, prefix, listeners=[fanout, answers]),
            fanout=fanout,
            questions=questions,
            answers=answers,
            quick=quick,
            box=box,
            passwords=Passwords(),
            egress=egress,
            webhook_egress=webhook_egress,
            key_sets=KeySets(egress),
            networks=Networks(database, box),
            limiter=Limiter(client, prefix),
            spent=Spent(client, prefix),
            recent_texts=RecentTexts(client, prefix),
            author_tokens=AuthorTokens(database, box),
            directory=Directory(database),
            now=now,
            new_id=new_id,
        )


async def _secret_key(settings: Settings, database: Database) -> str:
    """A key made beside signing keys that it cannot open would keep every process from starting."""
    if not has_secret_key(settings):
        async with database.reading() as connection:
            if await records.all_signing_keys(connection):
                raise SettingsError("SECRET_KEY: the database has signing keys made with another one; set it")
    return secret_key_of(settings)


async def check_keys(settings: Settings) -> None:
    """Open the signing keys once, the first made where there is none; raise SettingsError when SECRET_KEY does not."""
    async with open_context(settings) as context:
        await context.author_tokens.ensure_key(now=context.now())


async def finish_upgrade(settings: Settings) -> list[str]:
    """Do what an upgrade asks of the data once the tables are there; answer the sites whose policy was renewed."""
    from service.flow.renew_defaults import renew_defaults, stale_sites

    database = Database(settings.database)
    try:
        if not await stale_sites(database):
            return []
    finally:
        await database.dispose()
    async with open_offline(settings) as context:
        return await renew_defaults(context)


def open_offline(settings: Settings) -> AbstractAsyncContextManager[Context]:
    """Open a context for commands that neither read nor write Redis; a client that is never used connects nowhere."""
    return open_context(
        settings if settings.redis_url else msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1")
    )


async def check_tables(settings: Settings) -> None:
    """Raise SettingsError unless the database can be reached and has the tables of this version."""
    # Imported here, because a process that a supervisor starts again needs no migrations.
    from service.store.migrate import is_current

    if not await is_current(settings.database):
        raise SettingsError("DATABASE_URL: its tables are not of this version; run `python -m service migrate` first")


def begin_tracing(settings: Settings, process: str) -> None:
    """Trace this process from now on, where a collector is named; raise SettingsError where it cannot."""
    if not settings.otel_exporter_otlp_endpoint:
        return
    check_tracing(settings)
    # Imported here, because what it imports is an extra.
    from service import open_telemetry

    open_telemetry.start(process, settings.otel_exporter_otlp_endpoint, version=VERSION)


def check_tracing(settings: Settings) -> None:
    """Raise SettingsError where traces are asked for and what they need is not installed."""
    if settings.otel_exporter_otlp_endpoint and (name := tracing.missing()) is not None:
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT: traces need {name}, which is not installed; run make otel, "
            "or install requirements/otel.txt with pip"
        )


async def run_worker(settings: Settings) -> None:
    """Run one worker process until a signal."""
    # Imported here, because neither the API nor a command needs what the workers import.
    from service.workers.run import Worker, stop_on_signals, worker_name

    stop = asyncio.Event()
    stop_on_signals(stop)
    begin_tracing(settings, "colloquy-worker")
    name = worker_name(settings.worker_name)
    scorer = scorer_of(settings, os.environ)
    async with open_context(settings, consumer=name) as context:
        worker = Worker(context, scorer, name=name)
        embedded = settings.worker_name == "embedded"
        try:
            await worker.run(stop, health_socket=settings.home / "worker.sock" if embedded else None)
        except ExceptionGroup as group:
            # A taken WORKER_PORT is the operator's to mend, so it must not come out as a traceback.
            if refused := group.subgroup(SettingsError):
                raise refused.exceptions[0] from None
            raise
        finally:
            await asyncio.to_thread(tracing.end_tracing)


def scorer_of(settings: Settings, environment: Mapping[str, str]) -> ScorerWithFallback:
    """Answer the scorer of the settings and its fallback, each a child process that is started when it is needed."""
    from service.workers.fallback import ScorerWithFallback

    model = _scorer_process(settings, settings.scorer, environment)
    fallback = _scorer_process(settings, settings.fallback, environment) if settings.fallback else None
    return ScorerWithFallback(model, fallback)


def model_of(settings: Settings, environment: Mapping[str, str]) -> ScorerProcess:
    """Answer the model of SCORER alone, without its fallback, for who wants to know whether it works."""
    return _scorer_process(settings, settings.scorer, environment)


def _quick_scorer(settings: Settings, environment: Mapping[str, str]) -> QuickScorer:
    """Answer the model that an API process answers by where the other would not; started when it is needed."""
    return _scorer_process(settings, "hashed", environment)


def _scorer_process(settings: Settings, name: str, environment: Mapping[str, str]) -> ScorerProcess:
    from service.workers.scorer_process import ScorerProcess

    threads = str(threads_of(settings))
    # Libraries make their pools of threads while they are imported, so they have to be told before.
    told = {"SCORER": name, "SCORER_THREADS": threads, "OMP_NUM_THREADS": threads}
    return ScorerProcess(
        [sys.executable, "-m", "service", "scorer"],
        timeout_seconds=settings.scorer_timeout_seconds,
        start_timeout_seconds=settings.scorer_start_timeout_seconds,
        environment={**environment, **told},
    )
