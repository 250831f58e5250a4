"""The outermost ASGI layer: hosts, raw page keys, HEAD, CORS of the sites, limits, request ids, time per request.

A page key may be a whole URL, so it is routed from the raw path: servers decode `%2F` before routing, which would
cut the key into segments. This layer hands the router a path whose page segment is still percent-encoded.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Sequence
from secrets import token_hex
from typing import Any
from urllib.parse import unquote

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import Message, Receive, Scope, Send

from service import telemetry
from service.access import admit_origin
from service.addresses import parse_networks
from service.errors import Problem, unavailable
from service.flow.context import Context
from service.limits import Taken, headers_of
from service.ready import Found, ReadyAnswers
from service.refusals import Asked, Refusals, kind_of
from service.routes.dialects import told
from service.routes.guarded import Headers, check_host, in_time, is_served, secured, security_headers
from service.settings import Settings
from service.visits import Visit, network_in

_PAGE = re.compile(rb"^(/v1/(?:(?:admin/)?sites|review)/[^/]+/threads/)([^/]+)(.*)$")
_SITE = re.compile(r"^/v1/sites/([a-z0-9-]{1,63})/")
_REQUEST_ID = re.compile(rb"^[A-Za-z0-9_.-]{8,64}$")
_EXPOSED = b"ETag, X-Request-Id, Retry-After, Location, RateLimit, RateLimit-Policy"
_ALLOWED_HEADERS = (
    b"Authorization, Content-Type, Idempotency-Key, Prefer, If-None-Match, Last-Event-ID, X-Request-Id, X-Report-Token"
)
_MAY_READ = (b"access-control-expose-headers", _EXPOSED)
_EVERYBODY = [(b"access-control-allow-origin", b"*"), _MAY_READ]
_MOST_HOSTS, _MOST_HOST_BYTES = 1_000, 255
#: Asked every few seconds by whoever watches; a line for each would bury the others.
PROBED = ("/health/", "/metrics")


class Edge:
    """Wraps the application; everything it does not know passes through."""

    def __init__(self, app: Litestar, context: Callable[[], Context], settings: Settings) -> None:
        self._app = app
        self._trusted = parse_networks(settings.trusted_proxies)
        self._ready = ReadyAnswers(
            context,
            lambda: app.state.local_limits,
            trusted=self._trusted,
            completed=self._with_always,
            is_served=self._is_served,
            varies=("Accept-Encoding",) if settings.cdn_seconds else ("Origin", "Accept-Encoding"),
        )
        self._is_cached = settings.cdn_seconds > 0
        self._served: set[bytes | None] = set()
        self._context = context
        self._settings = settings
        self._always = security_headers(settings)
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        if (found := self._ready.find(scope)) is not None:
            scope["path_template"] = found.route
            await self._send_ready(scope["method"], send, found)
            return
        request_id = self._request_id(_header(scope, b"x-request-id"))
        token = telemetry.request_id.set(request_id.decode())
        try:
            await self._http(scope, receive, send, request_id)
        finally:
            telemetry.request_id.reset(token)

    async def _http(self, scope: Any, receive: Receive, send: Send, request_id: bytes) -> None:
        started, method, path = time.perf_counter(), scope["method"], scope["path"]
        if refused := await self._is_refused(scope):
            more = [
                *_varying(self._always, scope),
                *_cors_of(scope.get("colloquy.visit")),
                *_limits_of(scope),
                (b"x-request-id", request_id),
            ]
            await _refuse(send, path, refused, more)
            return
        is_head = method == "HEAD"
        if is_head:
            scope["method"] = "GET"
        mark, body = self._ready.mark(), None

        async def send_on(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                if (visit := scope.get("colloquy.visit")) is not None and visit.ready is not None:
                    ready = await self._ready.keep(scope, visit, mark)
                    body = ready.body
                    message = {**message, "status": ready.status}
                    own = [*ready.headers, *self._cors_of_shared(visit), *self._limits_of_shared(visit.spent)]
                else:
                    given = _varying(secured(message, self._always), scope)
                    own = [*given, *_cors_of(scope.get("colloquy.visit")), *_limits_of(scope)]
                message = {**message, "headers": [*own, (b"x-request-id", request_id)]}
                seconds = time.perf_counter() - started
                route = telemetry.answered(method, scope.get("path_template"), message["status"], seconds)
                if not route.startswith(PROBED):
                    telemetry.log_request(method, route, message["status"], seconds)
            elif message["type"] == "http.response.body":
                if body is not None:
                    message = {**message, "body": body}
                if is_head:
                    message = {**message, "body": b""}
            await send(message)

        try:
            check_host(self._settings.hosts, _header(scope, b"host"))
            scope["path"] = routed_path(scope)
        except Problem as problem:
            await _refuse(send_on, path, problem)
            return
        if method == "OPTIONS" and (site := _SITE.match(path)) and _header(scope, b"access-control-request-method"):
            await self._preflight(scope, send_on, site.group(1))
            return
        await self._answer(scope, in_time(receive, self._settings.body_seconds), send_on)
        self._remember_refusal(scope)

    def _limits_of_shared(self, spent: Sequence[Taken]) -> Headers:
        """Answer what is left to an asker; where a cache in front keeps the answer, it would tell it to others."""
        return [] if self._is_cached else _encoded(headers_of(spent))

    def _cors_of_shared(self, visit: Visit) -> Headers:
        """Answer who may read it: everybody, where a cache in front gives it to the next who asks."""
        return _EVERYBODY if self._is_cached else _cors_of(visit)

    def _with_always(self, headers: Headers) -> Headers:
        return secured({"type": "http.response.start", "status": 200, "headers": headers}, self._always)

    async def _send_ready(self, method: str, send: Send, found: Found) -> None:
        """Send an answer from memory. It is counted and not logged: a line would cost as much as the answer."""
        started, answer, origin = time.perf_counter(), found.answer, found.asked.get(b"origin")
        cors = _EVERYBODY if self._is_cached else [_allow(origin), _MAY_READ] if origin is not None else []
        request_id = self._request_id(found.asked.get(b"x-request-id"))
        headers = [*answer.headers, *cors, *self._limits_of_shared(found.spent), (b"x-request-id", request_id)]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = b"" if method == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body, "more_body": False})
        telemetry.answered(method, found.route, answer.status, time.perf_counter() - started)

    def _request_id(self, given: bytes | None) -> bytes:
        """Answer the id that a client or a proxy gave a request, or a new one."""
        if given is not None and _REQUEST_ID.match(given):
            return given
        # Random whole, for one that counts would tell how much there is to do here.
        return token_hex(16).encode()

    def _is_served(self, host: bytes | None) -> bool:
        if host in self._served:
            return True
        served = is_served(self._settings.hosts, host)
        if served and len(self._served) < _MOST_HOSTS and len(host or b"") <= _MOST_HOST_BYTES:
            self._served.add(host)
        return served

    async def _is_refused(self, scope: Any) -> Problem | None:
        """Answer the refusal of a network that is surely over its limit still; no line is logged for each."""
        asked = self._asked(scope)
        found = self._refusals.find(asked) if asked else None
        if asked is None or found is None:
            return None
        visit = scope.setdefault("colloquy.visit", Visit())
        spent, problem = found
        try:
            visit.site = await self._context().directory.find(asked.slug)
            origin = _header(scope, b"origin")
            admit_origin(visit, visit.site, origin.decode("latin-1") if origin else None)
        except Problem as another:
            return another
        visit.spent = [spent]
        telemetry.limited_total.labels(spent.bucket.name).inc()
        return problem

    def _remember_refusal(self, scope: Any) -> None:
        visit = scope.get("colloquy.visit")
        if visit is not None and visit.refused is not None:
            kind, refused = visit.refused
            asked = self._asked(scope)
            if asked is not None and asked.kind == kind:
                self._refusals.note(asked, refused)

    def _asked(self, scope: Any) -> Asked | None:
        site = _SITE.match(scope["path"])
        kind = kind_of(scope["method"], scope["path"]) if site else None
        if site is None or kind is None:
            return None
        return Asked(site.group(1), kind, network_in(scope, self._trusted))

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        """Let the application answer; what has not begun to answer in time is given up."""
        has_begun = telemetry.in_flight()
        try:
            async with asyncio.timeout(self._settings.request_seconds) as limit:

                async def send_on(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        has_begun()
                        limit.reschedule(None)
                    await send(message)

                await self._app(scope, receive, send_on)
        except TimeoutError:
            if not limit.expired():
                raise
            await _refuse(send, scope["path"], unavailable("service", retry_after_seconds=10))
        finally:
            has_begun()

    async def _preflight(self, scope: Any, send: Send, slug: str) -> None:
        """Answer a preflight: only the site's own origins are let through."""
        origin = (_header(scope, b"origin") or b"").decode("latin-1")
        try:
            site = await self._context().directory.find(slug)
            if origin not in site.allowed_origins:
                raise Problem("origin.refused", "The site does not embed comments on this origin.")
        except Problem as problem:
            await _refuse(send, scope["path"], problem)
            return
        headers: Headers = [
            _allow(origin.encode("latin-1")),
            (b"vary", b"Origin"),
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


async def _refuse(send: Send, path: str, problem: Problem, more: Headers | None = None) -> None:
    said = told(problem, path)
    headers: Headers = [*(more or ()), (b"content-type", said.media_type.encode()), (b"cache-control", b"no-store")]
    headers += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
    await send({"type": "http.response.start", "status": said.status, "headers": headers})
    await send({"type": "http.response.body", "body": said.body, "more_body": False})


def _header(scope: Any, name: bytes) -> bytes | None:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return next((value for key, value in headers if key == name), None)


def _cors_of(visit: Visit | None) -> Headers:
    if visit is None or visit.site is None or visit.cors_origin is None:
        return []
    return [_allow(visit.cors_origin.encode("latin-1")), _MAY_READ]


def _varying(headers: Headers, scope: Any) -> Headers:
    """Answer headers that say that an answer depends on the Origin too, in one `Vary`: nginx reads only one."""
    visit = scope.get("colloquy.visit")
    if visit is None or visit.site is None:
        return headers
    others = [value for name, value in headers if name == b"vary"]
    return [*(pair for pair in headers if pair[0] != b"vary"), (b"vary", b", ".join((b"Origin", *others)))]


def _limits_of(scope: Any) -> Headers:
    visit = scope.get("colloquy.visit")
    return _encoded(headers_of(visit.spent)) if visit else []


def _encoded(headers: dict[str, str]) -> Headers:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _allow(origin: bytes) -> tuple[bytes, bytes]:
    return b"access-control-allow-origin", origin
