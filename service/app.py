"""The API process: the routes around an opened context."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar, Router
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp
from prometheus_client import generate_latest

from service import telemetry, tracing
from service.access import guard_of
from service.addresses import parse_networks
from service.composition import begin_tracing, open_context
from service.ending import told_of_the_end
from service.errors import Problem
from service.flow.analyse import be_ready, get_ready
from service.flow.context import Context
from service.flow.live import QueueNews
from service.flow.live_threads import ThreadNews
from service.flow.page_cache import PageCache
from service.flow.pulse import beating
from service.flow.stats import Figures
from service.queue.limits import LocalLimits
from service.routes import (
    accounts,
    admin,
    comments,
    console,
    coral,
    forms,
    identity,
    limits,
    live,
    mail,
    moderations,
    operations,
    pages,
    perspective,
    privacy,
    problems,
    reader_acts,
    reports,
    review,
    sanctions,
    search,
    spam,
    stats,
    thread_live,
    threads,
    webhooks,
    widget,
    without_scripts,
)
from service.routes.edge import Edge
from service.routes.openapi import openapi_config
from service.routes.requests import ApiRequest
from service.routes.traced import Traced
from service.sent_tokens import UnknownTokens
from service.settings import Settings
from service.siblings import Siblings

HANDLERS: list[BaseRouteHandler] = [
    *comments.HANDLERS,
    *threads.HANDLERS,
    *thread_live.HANDLERS,
    *without_scripts.HANDLERS,
    *forms.HANDLERS,
    *reader_acts.HANDLERS,
    *mail.HANDLERS,
    *review.HANDLERS,
    *live.HANDLERS,
    *search.HANDLERS,
    *stats.HANDLERS,
    *admin.HANDLERS,
    *privacy.HANDLERS,
    *limits.HANDLERS,
    *accounts.HANDLERS,
    *identity.HANDLERS,
    *sanctions.HANDLERS,
    *reports.HANDLERS,
    *spam.HANDLERS,
    *webhooks.HANDLERS,
    *coral.HANDLERS,
    *moderations.HANDLERS,
    *perspective.HANDLERS,
    *operations.HANDLERS,
    *pages.HANDLERS,
    *console.HANDLERS,
    *widget.HANDLERS,
]


def create_litestar(settings: Settings, context: Context | None = None) -> Litestar:
    """Answer the application; without a context it opens one for as long as it runs."""
    app = Litestar(
        route_handlers=[Router("/", route_handlers=HANDLERS)],
        lifespan=[_running],
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
    for handler in own_handlers(app):
        guard_of(handler)
    plug(app, settings, context)
    return app


def plug(app: Litestar, settings: Settings, context: Context | None) -> None:
    """Give a stopped application what it runs with from its next start on; nothing of a former run stays."""
    app.state.runs_with = settings, context
    app.state.page_cache = PageCache()
    app.state.local_limits = LocalLimits()
    app.state.unknown_tokens = UnknownTokens()
    app.state.figures = Figures()
    app.state.siblings = None
    app.state.trusted_proxies = parse_networks(settings.trusted_proxies)


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    settings, context = app.state.runs_with
    if context is not None:
        async with _serving(app, context):
            yield
        return
    async with open_context(settings) as opened:
        await opened.author_tokens.ensure_key(now=opened.now())
        looking = None if await get_ready(opened) else asyncio.create_task(be_ready(opened), name="the first key")
        await opened.hub.start()
        try:
            async with _beside_others(app, settings), _serving(app, opened):
                yield
        finally:
            if looking is not None:
                looking.cancel()
                await asyncio.wait((looking,))
            await opened.hub.stop()
            await asyncio.to_thread(tracing.end_tracing)


@asynccontextmanager
async def _beside_others(app: Litestar, settings: Settings) -> AsyncIterator[None]:
    if settings.api_workers == 1:
        yield
        return
    app.state.siblings = Siblings(os.getppid(), os.getpid(), partial(generate_latest, telemetry.api_registry))
    async with app.state.siblings.told():
        yield


@asynccontextmanager
async def _serving(app: Litestar, context: Context) -> AsyncIterator[None]:
    app.state.context = context
    app.state.queue_news = news = QueueNews(context)
    app.state.thread_news = of_threads = ThreadNews(context)

    def look() -> None:
        live.show_streams(context.settings, readers=of_threads.listening, moderators=news.listening)

    # A server waits for open streams before it tells the application that it stops.
    with told_of_the_end(context.fanout.end):
        async with beating(context, look):
            yield
    await news.stop()
    await of_threads.stop()


def own_handlers(app: Litestar) -> list[BaseRouteHandler]:
    """Answer every handler but the framework's own (OPTIONS, the schema), which show nothing of any site."""
    found = [handler for route in app.routes for handler in getattr(route, "route_handlers", [])]
    return [handler for handler in found if not handler.fn.__module__.startswith("litestar.")]


def create_app() -> ASGIApp:
    """Answer the ASGI application of one API process, from the environment."""
    settings = Settings.from_environment(os.environ)
    begin_tracing(settings, "colloquy-api")
    app = create_litestar(settings)
    # Compressed before somebody waits for it.
    widget.built(), console.built()
    edge = Edge(app, lambda: app.state.context, settings)
    return Traced(edge) if tracing.is_on() else edge
