"""The composition root: the only place that plugs real things in."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from litestar import Litestar, Router
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp

from service.access import guard_of
from service.errors import Problem
from service.flow.context import Context, new_uuid7, utc_now
from service.flow.page_cache import PageCache
from service.flow.signing import AuthorTokens
from service.queue.client import connect, connect_blocking
from service.queue.live import DecisionBoard, DecisionHub
from service.queue.review import ReviewQueue
from service.queue.scorer_status import ScorerBoard
from service.queue.scoring import ScoringStream
from service.routes import admin, comments, operations, pages, problems, review, threads
from service.routes.edge import Edge
from service.routes.openapi import openapi_config
from service.routes.requests import ApiRequest
from service.settings import Settings, secret_key_of
from service.store.database import Database
from service.workers.run import Worker, stop_on_signals, worker_name
from service.workers.scorer_process import ScorerProcess

HANDLERS: list[BaseRouteHandler] = [
    *comments.HANDLERS,
    *threads.HANDLERS,
    *review.HANDLERS,
    *admin.HANDLERS,
    *operations.HANDLERS,
    *pages.HANDLERS,
]


@asynccontextmanager
async def open_context(
    settings: Settings,
    *,
    consumer: str = "api",
    now: Callable[[], datetime] = utc_now,
    new_id: Callable[[], str] = new_uuid7,
) -> AsyncIterator[Context]:
    """Give the parts of one process, connected, and close them at the end."""
    database = Database(settings.database, readers=settings.database_pool)
    client, blocking = connect(settings.redis_url), connect_blocking(settings.redis_url)
    prefix = settings.redis_prefix
    context = Context(
        settings=settings,
        database=database,
        stream=ScoringStream(client, blocking, consumer=consumer, prefix=prefix),
        reviews=ReviewQueue(client, prefix),
        scorers=ScorerBoard(client, prefix),
        decisions=DecisionBoard(client, prefix),
        hub=DecisionHub(blocking, prefix),
        author_tokens=AuthorTokens(database, secret_key_of(settings)),
        now=now,
        new_id=new_id,
    )
    try:
        yield context
    finally:
        await client.aclose()
        await blocking.aclose()
        await database.dispose()


def create_litestar(settings: Settings, context: Context | None = None) -> Litestar:
    """Answer the application; without a context it opens one for as long as it runs."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        if context is not None:
            app.state.context = context
            yield
            return
        async with open_context(settings) as opened:
            app.state.context = opened
            await opened.author_tokens.ensure_key(now=opened.now())
            await opened.hub.start()
            try:
                yield
            finally:
                await opened.hub.stop()

    app = Litestar(
        route_handlers=[Router("/", route_handlers=HANDLERS)],
        lifespan=[lifespan],
        exception_handlers={
            Problem: problems.on_problem,
            HTTPException: problems.on_http_exception,
            Exception: problems.on_unforeseen,
        },
        request_class=ApiRequest,
        request_max_body_size=settings.max_body_bytes,
        openapi_config=openapi_config(),
        logging_config=None,
    )
    app.state.page_cache = PageCache()
    for handler in own_handlers(app):
        guard_of(handler)
    return app


def own_handlers(app: Litestar) -> list[BaseRouteHandler]:
    """Answer every handler but the framework's own (OPTIONS, the schema), which show nothing of any site."""
    found = [handler for route in app.routes for handler in getattr(route, "route_handlers", [])]
    return [handler for handler in found if not handler.fn.__module__.startswith("litestar.")]


def create_app() -> ASGIApp:
    """Answer the ASGI application of one API process, from the environment."""
    settings = Settings.from_environment(os.environ)
    app = create_litestar(settings)
    return Edge(app, lambda: app.state.context)


async def run_worker(settings: Settings) -> None:
    """Run one worker process until a signal."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    name = worker_name(settings.worker_name)
    scorer = ScorerProcess([sys.executable, "-m", "service", "scorer"], timeout_seconds=settings.scorer_timeout_seconds)
    async with open_context(settings, consumer=name) as context:
        worker = Worker(context, scorer, name=name)
        embedded = settings.worker_name == "embedded"
        await worker.run(stop, health_socket=settings.home / "worker.sock" if embedded else None)
