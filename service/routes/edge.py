"""The outermost ASGI layer: raw page keys, HEAD, CORS of the sites, request ids, time per request.

A page key may be a whole URL, so it is routed from the raw path: servers decode `%2F` before routing, which would
cut the key into segments. This layer hands the router a path whose page segment is still percent-encoded.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service import telemetry
from service.errors import PROBLEM_MEDIA_TYPE, Problem
from service.flow.context import Context

_PAGE = re.compile(rb"^(/v1/(?:admin/)?sites/[^/]+/threads/)([^/]+)(.*)$")
_SITE = re.compile(r"^/v1/sites/([a-z0-9-]{1,63})/")
_REQUEST_ID = re.compile(rb"^[A-Za-z0-9_.-]{8,64}$")
_EXPOSED = b"ETag, X-Request-Id, Retry-After, Location"
_ALLOWED_HEADERS = b"Authorization, Content-Type, Idempotency-Key, Prefer, If-None-Match, Last-Event-ID, X-Request-Id"
#: Asked every few seconds by whoever watches; a line for each would bury the others.
_PROBED = ("/health/", "/metrics")
Headers = list[tuple[bytes, bytes]]


class Edge:
    """Wraps the application; everything it does not know passes through."""

    def __init__(self, app: ASGIApp, context: Callable[[], Context]) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        given = next((v for k, v in scope["headers"] if k == b"x-request-id"), b"")
        request_id = given if _REQUEST_ID.match(given) else str(uuid.uuid4()).encode()
        token = telemetry.request_id.set(request_id.decode())
        try:
            await self._http(scope, receive, send, request_id)
        finally:
            telemetry.request_id.reset(token)

    async def _http(self, scope: Any, receive: Receive, send: Send, request_id: bytes) -> None:
        started, method, path = time.perf_counter(), scope["method"], scope["path"]
        is_head = method == "HEAD"
        if is_head:
            scope["method"] = "GET"

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"x-request-id", request_id), *_cors_of(scope)]
                message = {**message, "headers": headers}
                seconds = time.perf_counter() - started
                telemetry.http_seconds.labels(telemetry.method_label(method), str(message["status"])).observe(seconds)
                route = scope.get("path_template", "none")
                if not route.startswith(_PROBED):
                    telemetry.log_request(method, route, message["status"], seconds)
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            scope["path"] = routed_path(scope)
        except Problem as problem:
            await _refuse(send_on, problem)
            return
        if method == "OPTIONS" and (site := _SITE.match(path)) and _header(scope, b"access-control-request-method"):
            await self._preflight(scope, send_on, site.group(1))
            return
        await self._app(scope, receive, send_on)

    async def _preflight(self, scope: Any, send: Send, slug: str) -> None:
        """Answer a preflight: only the site's own origins are let through."""
        origin = (_header(scope, b"origin") or b"").decode("latin-1")
        try:
            site = await self._context().directory.find(slug)
            if origin not in site.allowed_origins:
                raise Problem("origin.refused", "The site does not embed comments on this origin.")
        except Problem as problem:
            await _refuse(send, problem)
            return
        headers: Headers = [
            *_allow(origin.encode("latin-1")),
            (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", b"600"),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def routed_path(scope: Any) -> str:
    """Answer the path to route by, decoded but for the page key's segment; raise for one that can be read twice."""
    path: str = scope["path"]
    raw: bytes | None = scope.get("raw_path")
    if not raw:
        return path
    sent = raw.partition(b"?")[0]
    if not sent.isascii():
        message = "must be percent-encoded UTF-8"
        raise Problem("request.invalid", f"The path {message}.", fields=[("path", message)])
    found = _PAGE.match(sent)
    if found is not None:
        before, page, after = (part.decode() for part in found.groups())
        path = unquote(before) + page + unquote(after)
    # The router skips empty segments and would decode a page key once more that this layer did not find.
    if path.lstrip("/").startswith("v1/") and ("//" in path or (found is None and "/threads/" in path)):
        raise Problem("route.unknown", "Nothing is served here; a page key is percent-encoded whole, its slashes too.")
    return path


async def _refuse(send: Send, problem: Problem) -> None:
    headers: Headers = [(b"content-type", PROBLEM_MEDIA_TYPE.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": problem.body(), "more_body": False})


def _header(scope: Any, name: bytes) -> bytes | None:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return next((value for key, value in headers if key == name), None)


def _cors_of(scope: Any) -> Headers:
    visit = scope.get("colloquy.visit")
    if visit is None or visit.site is None:
        return []
    if visit.cors_origin is None:
        return [(b"vary", b"Origin")]
    return [*_allow(visit.cors_origin.encode("latin-1")), (b"access-control-expose-headers", _EXPOSED)]


def _allow(origin: bytes) -> Headers:
    return [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
