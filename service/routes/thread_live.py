"""Readers: what happens in the thread of a page, as it happens."""

from __future__ import annotations

import random
from typing import Any, Final

from litestar import Request, Response, get
from litestar.types import Receive, Scope, Send

from service import schemas
from service.access import of_site
from service.flow.context import Row
from service.flow.live_threads import ThreadNews
from service.routes import requests
from service.routes.event_stream import EVENT_STREAM, LONGEST_SECONDS, EventStream, answer_once, answer_stream
from service.routes.live import LastEventId
from service.routes.requests import PagePath, SiteSlug
from service.visits import network_of_client

#: All the readers of a process that stops come back within so long, and not all at once.
RETRY_MS: Final = (2_000, 8_000)
#: Streams that were opened together do not end together.
_LONGEST: Final = (LONGEST_SECONDS, 1.5 * LONGEST_SECONDS)


@get("/v1/sites/{site:str}/threads/{page:str}/live", guards=[of_site], media_type=EVENT_STREAM, tags=["readers"])
async def thread_live(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
    last_event_id: LastEventId = None,
) -> Response[schemas.LiveEvent]:
    """Hear of comments that are published, changed or taken down, and of the thread's state, as it happens.

    `Accept: text/event-stream` keeps the stream open; any other client is answered the state and is done.
    """
    _, found, _ = requests.visited(request)
    news, key = request.app.state.thread_news, requests.page_key(page)
    if EVENT_STREAM not in request.headers.get("accept", ""):
        return EventStream(_Once(news, found, key))
    return EventStream(_Live(news, found, key, network_of_client(request), last_event_id))


class _Once:
    """The state, and the end."""

    def __init__(self, news: ThreadNews, site: Row, page: str) -> None:
        self._news, self._site, self._page = news, site, page

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await answer_once(send, [await self._news.once(self._site, self._page)])


class _Live:
    """The state, and everything that happens until the listener goes."""

    def __init__(self, news: ThreadNews, site: Row, page: str, network: str, after: str | None) -> None:
        self._news, self._site, self._page, self._network, self._after = news, site, page, network, after

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        listening = self._news.listen(self._site, self._page, network=self._network, after=self._after)
        async with listening as listener:
            # Chance here only spreads a load; nothing is decided by it.
            retry_ms, longest = random.randint(*RETRY_MS), random.uniform(*_LONGEST)  # noqa: S311
            await answer_stream(receive, send, listener, retry_ms=retry_ms, longest_seconds=longest)


HANDLERS = [thread_live]
