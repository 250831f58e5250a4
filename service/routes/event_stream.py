"""Server-sent events (WHATWG HTML, 9.2) to one listener, until it goes, its time is over or the process stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from litestar import Response
from litestar.types import ASGIApp, HTTPResponseBodyEvent, Receive, Send

from service.flow.live import Heard, Subscription

EVENT_STREAM: Final = "text/event-stream"
#: A comment every so often, so that no proxy takes a quiet line for a dead one, and a dead one is noticed.
PING_SECONDS: Final = 15.0
#: After this the listener connects again, is let in again, and goes on behind the last event it heard.
LONGEST_SECONDS: Final = 300.0
#: So long one event may wait to be written; who takes none in this time has stopped reading.
WRITE_SECONDS: Final = 30.0
RETRY_MS: Final = 2_000
_PING: Final = b": ping\n\n"
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would keep events until its buffer is full.
    (b"x-accel-buffering", b"no"),
]


class EventStream(Response[Any]):
    """An answer that is written by an ASGI application of its own.

    A handler made by `@asgi` would be the plain way, but the router of Litestar 2 fails on its path parameters.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__("", media_type=EVENT_STREAM)
        self._app = app

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Answer the application that writes the answer."""
        return self._app


async def answer_once(send: Send, events: Sequence[Heard]) -> None:
    """Answer these events and end."""
    await _begin(send, RETRY_MS)
    await send(_body(b"".join(map(_encoded, events)), more=False))


async def answer_stream(
    receive: Receive, send: Send, listener: Subscription, *, retry_ms: int = RETRY_MS, longest_seconds: float = 0.0
) -> None:
    """Send what a subscription hears for as long as it is listened to; who stops reading is dropped."""
    gone = asyncio.create_task(_until_gone(receive))
    writing = asyncio.create_task(_write(send, listener, retry_ms, longest_seconds or LONGEST_SECONDS))
    try:
        await asyncio.wait((gone, writing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        writing.cancel()
        await asyncio.gather(gone, writing, return_exceptions=True)


async def _write(send: Send, listener: Subscription, retry_ms: int, longest_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + longest_seconds

    async def write(message: HTTPResponseBodyEvent) -> None:
        # The last one is written when the time is over.
        async with asyncio.timeout(max(1.0, min(WRITE_SECONDS, until - loop.time()))):
            await send(message)

    async with asyncio.timeout(WRITE_SECONDS):
        await _begin(send, retry_ms)
    while not listener.is_over and (left := until - loop.time()) > 0:
        heard = await listener.next(min(PING_SECONDS, left))
        if not listener.is_over:
            await write(_body(_PING if heard is None else _encoded(heard)))
    await write(_body(b"", more=False))


def _body(body: bytes, *, more: bool = True) -> HTTPResponseBodyEvent:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _begin(send: Send, retry_ms: int) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
    await send(_body(f"retry: {retry_ms}\n\n".encode()))


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@lru_cache(maxsize=64)
def _encoded(heard: Heard) -> bytes:
    """Write one event, for all who hear it; JSON has no line end outside of its texts, where it is escaped."""
    which = f"id: {heard.id}\n" if heard.id is not None else ""
    return f"{which}event: {heard.event}\ndata: {heard.data}\n\n".encode()
