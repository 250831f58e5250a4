"""The outermost layer where traces are asked for: a span for each request, within the one that its sender names."""

from __future__ import annotations

from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service import telemetry, tracing
from service.routes.edge import PROBED
from service.routes.event_stream import EVENT_STREAM


class Traced:
    """Wraps the edge. A span bears the method and the route's template; the path and the query are nobody's business.

    Of what a sender says of its trace only `traceparent` is heeded: `tracestate` and `baggage` are text of its own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(PROBED):
            await self._app(scope, receive, send)
            return
        method = telemetry.method_label(scope["method"])
        with tracing.span(method, kind="server", parent=_sent(scope), method=method) as span:
            await self._app(scope, receive, _noting(span, scope, method, send))


def _noting(span: tracing.Span, scope: Any, method: str, send: Send) -> Send:
    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            status, template = message["status"], scope.get("path_template")
            if template is not None:
                route = telemetry.route_of(template)
                span.rename(f"{method} {route}")
                span.note(route=route)
            span.note(status=status)
            if status >= 500:
                span.failed(str(status))
            if _is_stream(message):
                # It may go on for minutes, and what was asked has been answered.
                span.end()
        await send(message)

    return send_on


def _sent(scope: Any) -> str | None:
    found = [value for name, value in scope["headers"] if name == tracing.HEADER.encode()]
    # Of two, nobody knows which is meant.
    return found[0].decode("latin-1") if len(found) == 1 else None


def _is_stream(message: Any) -> bool:
    return any(
        name == b"content-type" and value.startswith(EVENT_STREAM.encode()) for name, value in message["headers"]
    )
