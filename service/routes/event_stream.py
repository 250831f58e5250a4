"""Server-sent events (WHATWG HTML, 9.2) to one listener, until it goes, its time is over or the process stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from litestar import Response
from litestar.types import ASGIApp, HTTPResponseBodyEvent, Receive, Send

from service import telemetry
from service.flow.live import Heard, Subscription

EVENT_STREAM: Final = "text/event-stream"
#: A comment every so often, so that no proxy takes a quiet line for a dead one, and a dead one is noticed.
PING_SECONDS: Final = 15.0
#: After this the listener connects again, is let in again, and goes on behind the last event it heard.
LONGEST_SECONDS: Final = 300.0
#: So long one event may wait to be written; who takes none in this time has stopped reading.
WRITE_SECONDS: Final = 30.0
#: The last one may wait for less: whoever comes back is let in anew.
LAST_WRITE_SECONDS: Final = 1.0
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
    writer = _Writer(send, listener, asyncio.get_running_loop(), longest_seconds or LONGEST_SECONDS)
    gone = asyncio.create_task(_until_gone(receive))
    writing = asyncio.create_task(writer.write_all(retry_ms))
    try:
        while not writer.is_stuck():
            done, _ = await asyncio.wait(
                (gone, writing), timeout=writer.patience_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                break
        else:
            telemetry.live_dropped_total.inc()
    finally:
        gone.cancel()
        writing.cancel()
        await asyncio.gather(gone, writing, return_exceptions=True)


class _Writer:
    """Writes a stream and knows since when it has been waiting for its reader to take something.

    It is looked at now and then instead of timing each write: a timer for each event of each reader costs too much.
    """

    def __init__(
        self, send: Send, listener: Subscription, loop: asyncio.AbstractEventLoop, longest_seconds: float
    ) -> None:
        self._send, self._listener, self._now = send, listener, loop.time
        self._until = loop.time() + longest_seconds
        self._since: float | None = None

    def patience_seconds(self) -> float:
        """Answer when to look again."""
        left = self._until - self._now()
        return min(WRITE_SECONDS, max(left, LAST_WRITE_SECONDS))

    def is_stuck(self) -> bool:
        """Answer whether the reader has taken nothing for longer than it may, less once its time is over."""
        now = self._now()
        longest = WRITE_SECONDS if now < self._until else min(WRITE_SECONDS, LAST_WRITE_SECONDS)
        return self._since is not None and now - self._since >= longest

    async def write_all(self, retry_ms: int) -> None:
        """Write until the time is over or the subscription is."""
        self._since = self._now()
        await _begin(self._send, retry_ms)
        self._since = None
        while not self._listener.is_over and (left := self._until - self._now()) > 0:
            heard = await self._listener.next(min(PING_SECONDS, left))
            if not self._listener.is_over:
                await self._write(_body(_PING if heard is None else _encoded(heard)))
                _count(heard)
        await self._write(_body(b"", more=False))

    async def _write(self, message: HTTPResponseBodyEvent) -> None:
        self._since = self._now()
        await self._send(message)
        self._since = None


def _count(heard: Heard | None) -> None:
    if heard is not None:
        telemetry.live_events_total.inc()
        if heard.event == "reset":
            telemetry.live_resets_total.inc()


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
