"""Moderators: what happens in the queues of a site, as it happens."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.params import HeaderParameter
from litestar.types import Receive, Scope, Send

from service import schemas, telemetry
from service.access import requires_moderator
from service.errors import unavailable
from service.flow.context import Row
from service.flow.live import QueueNews
from service.flow.reviewer import is_admin
from service.routes import requests
from service.routes.event_stream import EVENT_STREAM, EventStream, answer_once, answer_stream
from service.routes.requests import SiteSlug
from service.settings import Settings

#: Streams of moderators in one process, whatever readers have open; each costs a connection and a few kilobytes.
MOST_STREAMS: Final = 1_000
LastEventId = Annotated[
    str | None, HeaderParameter(name="Last-Event-ID", description="The id of the last event that was heard.")
]


@get("/v1/review/{site:str}/live", guards=[requires_moderator], media_type=EVENT_STREAM, tags=["review"])
async def review_live(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    last_event_id: LastEventId = None,
) -> Response[schemas.LiveEvent]:
    """Hear of items that are opened, claimed, returned and decided, and of the queues' counts, as it happens.

    `Accept: text/event-stream` keeps the stream open; any other client is answered the counts and is done.
    """
    _, found, visit = requests.visited(request)
    member, news = requests.as_member(visit), request.app.state.queue_news
    admin = is_admin(member, found)
    wants_stream = EVENT_STREAM in request.headers.get("accept", "")
    if wants_stream and news.listening >= MOST_STREAMS:
        telemetry.live_refused_total.labels("moderators").inc()
        raise unavailable("live stream", retry_after_seconds=30)
    stream = _Live(news, found, member.actor, admin, last_event_id) if wants_stream else _Once(news, found, admin)
    return EventStream(stream)


def show_streams(settings: Settings, *, readers: int, moderators: int) -> None:
    """Show how many streams are open in this process, and how many may be."""
    for of, number, most in (("readers", readers, settings.live_streams), ("moderators", moderators, MOST_STREAMS)):
        telemetry.live_streams.labels(of).set(number)
        telemetry.live_streams_most.labels(of).set(most)


class _Once:
    """The counts, and the end."""

    def __init__(self, news: QueueNews, site: Row, admin: bool) -> None:
        self._news, self._site, self._admin = news, site, admin

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await answer_once(send, [await self._news.once(self._site, is_admin=self._admin)])


class _Live:
    """The counts, and everything that happens until the listener goes."""

    def __init__(self, news: QueueNews, site: Row, who: str, admin: bool, after: str | None) -> None:
        self._news, self._site, self._who, self._admin, self._after = news, site, who, admin, after

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        listening = self._news.listen(self._site, who=self._who, is_admin=self._admin, after=self._after)
        async with listening as listener:
            await answer_stream(receive, send, listener)


HANDLERS = [review_live]
