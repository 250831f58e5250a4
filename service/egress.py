"""The one way out: HTTP requests to addresses that admins of a site name, and none inside the operator's network.

A name is resolved once, every answer is checked, and the connection goes to an address that was checked, so that a name
that resolves differently a moment later changes nothing. Redirects are not followed, bodies are bounded, and the
environment's proxies are not read.
"""

from __future__ import annotations

import asyncio
import ipaddress
import select
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

import certifi
import httpcore

from service.settings import Settings

#: Why an address may not be asked, and why one that may be did not answer as it should: promises to clients.
Refusal = Literal["url", "userinfo", "scheme", "port", "address"]
Failure = Literal["timeout", "tls", "connect", "protocol", "network", "resolve", "too_large", "status"]
Resolver = Callable[[str, int], Awaitable[list[str]]]

MOST_BYTES = 65_536
TIMEOUT_SECONDS = 5.0
_PORTS = frozenset({443, 8443})
#: To one origin.
_CONNECTIONS = 100
_LEFTOVER_SECONDS = 1.0
_TRIED = 3
_IDLE_SECONDS = 30.0
_LOOKUPS = 64
#: All that is given to anybody (RFC 4291, 2.4); what lies outside may carry an IPv4 address in a way not thought of.
_UNICAST = ipaddress.IPv6Network("2000::/3")
#: Ranges that Python's `is_global` takes for public in some versions, or that carry an IPv4 address inside.
_REFUSED = tuple(map(ipaddress.ip_network, (
    "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/3", "2001::/23",
    "2002::/16", "3fff::/20",
)))  # fmt: skip


class EgressRefused(Exception):  # noqa: N818 - Named for the fact.
    """The address may not be asked; `reason` is a stable word and never quotes it."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


class EgressFailed(Exception):  # noqa: N818 - Named for the fact.
    """The address may be asked and did not answer as it should; `reason` is a stable word."""

    def __init__(self, reason: Failure) -> None:
        super().__init__(reason)
        self.reason = reason


class Answer(NamedTuple):
    """Status, headers with lower-case names, and the whole body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Egress:
    """Sends requests out of the house; one for each process."""

    def __init__(
        self, *, allow_loopback: bool = False, proxy: str = "", resolve: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self._allow_loopback = allow_loopback
        self._proxy = proxy
        self._names = Names()
        self._backend = _CheckedBackend(resolve or self._names.addresses_of, allow_loopback)
        self._ssl_context = ssl_context or _ssl_context()
        #: One for each origin: the library looks at every connection of a pool for every request, and a receiver that
        #: hangs must not take the connections of another.
        self._pools: dict[tuple[str, str, str], tuple[float, httpcore.AsyncConnectionPool]] = {}
        self._looked_at = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Egress:
        """Answer the way out that the operator allows."""
        return cls(allow_loopback=settings.egress_allow_loopback, proxy=settings.egress_proxy)

    @classmethod
    def of_webhooks(cls, settings: Settings) -> Egress:
        """Answer the way out of webhooks, for which the operator may allow this machine alone."""
        allow = settings.egress_allow_loopback or settings.webhooks_allow_loopback
        return cls(allow_loopback=allow, proxy=settings.egress_proxy)

    @property
    def allows_loopback(self) -> bool:
        """Whether this machine may be asked, and over http."""
        return self._allow_loopback

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        most_bytes: int = MOST_BYTES,
        status_only: bool = False,
        apart: str = "",
    ) -> Answer:
        """Send one request and answer what came, a redirect too; raises EgressRefused and EgressFailed alone.

        With `status_only` the body is not wanted: a little of it is read, since the connection can then be used again,
        and one that is large, slow or broken off changes nothing. Requests that are `apart` share no connections with
        others to the same host, so that one receiver that hangs does not take them from its neighbours.
        """
        target = check_url(url, allow_loopback=self._allow_loopback)
        given = [(name.encode("ascii"), value.encode("utf-8")) for name, value in (headers or {}).items()]
        given.append((b"Host", target.netloc.encode("ascii")))
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), timeout_seconds)
        pool, came = await self._pool_of(target, apart), None
        try:
            async with asyncio.timeout(timeout_seconds):
                stream = pool.stream(
                    method, target.geturl().encode("ascii"), headers=given, content=content,
                    extensions={"timeout": timeouts},
                )  # fmt: skip
                async with stream as response:
                    came = Answer(response.status, _decoded(response.headers), b"")
                    reading = _bounded(response.aiter_stream(), most_bytes)
                    return came._replace(body=await (_leftover(reading) if status_only else reading))
        except (TimeoutError, httpcore.TimeoutException):
            if status_only and came is not None:
                return came
            raise EgressFailed("timeout") from None
        except httpcore.ConnectError as error:
            raise EgressFailed("tls" if "SSL" in str(error) or "certificate" in str(error) else "connect") from None
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol):
            raise EgressFailed("protocol") from None
        except (httpcore.NetworkError, httpcore.ProxyError, OSError):
            raise EgressFailed("network") from None

    async def close(self) -> None:
        """Close every connection."""
        for _, pool in self._pools.values():
            await pool.aclose()
        self._names.close()

    async def _pool_of(self, target: SplitResult, apart: str) -> httpcore.AsyncConnectionPool:
        now, origin = time.monotonic(), (target.scheme, target.netloc, apart)
        if now - self._looked_at > _IDLE_SECONDS:
            self._looked_at = now
            await self._let_go(now)
        known = self._pools.get(origin)
        pool = known[1] if known is not None else self._new_pool()
        self._pools[origin] = (now, pool)
        return pool

    def _new_pool(self) -> httpcore.AsyncConnectionPool:
        limits: dict[str, Any] = {"max_connections": _CONNECTIONS, "keepalive_expiry": _IDLE_SECONDS}
        if self._proxy:
            # It resolves and connects, so it is the one that has to refuse what a name points to.
            return httpcore.AsyncHTTPProxy(self._proxy, ssl_context=self._ssl_context, **limits)
        return httpcore.AsyncConnectionPool(self._ssl_context, network_backend=self._backend, **limits)

    async def _let_go(self, now: float) -> None:
        """Close what nobody has used for a while; a pool itself looks at its connections only when it is used."""
        for origin, (used_at, pool) in list(self._pools.items()):
            under_way = any(not (one.is_idle() or one.is_closed()) for one in pool.connections)
            if now - used_at > _IDLE_SECONDS and not under_way:
                del self._pools[origin]
                await pool.aclose()


def check_url(url: str, *, allow_loopback: bool = False) -> SplitResult:
    """Answer the parts of a URL that may be asked, its host as ASCII; raise EgressRefused for any other.

    What its name resolves to is checked when it is connected to.
    """
    if not url.isprintable() or any(sign in url for sign in ' \\"<>^`{|}'):
        raise EgressRefused("url")
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").rstrip(".").encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        raise EgressRefused("url") from None
    if not host or "%" in parts.netloc:
        raise EgressRefused("url")
    if "@" in parts.netloc:
        raise EgressRefused("userinfo")
    is_own = allow_loopback and _is_loopback_name(host)
    if parts.scheme != "https" and not (is_own and parts.scheme == "http"):
        raise EgressRefused("scheme")
    if not is_own and (443 if port is None else port) not in _PORTS:
        raise EgressRefused("port")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc += f":{port}"
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        literal = None
    if literal is not None and not may_connect(str(literal), allow_loopback=allow_loopback):
        raise EgressRefused("address")
    path = parts.path or "/"
    if not (path + parts.query).isascii():
        raise EgressRefused("url")
    return SplitResult(parts.scheme, netloc, path, parts.query, "")


def is_loopback(url: str) -> bool:
    """Answer whether a URL names this machine, so that nothing but the operator's permission can be missing for it."""
    try:
        host = check_url(url, allow_loopback=True).netloc
    except EgressRefused:
        return False
    return _is_loopback_name(urlsplit(f"//{host}").hostname or "")


def may_connect(address: str, *, allow_loopback: bool = False) -> bool:
    """Answer whether an address is a public one, or this machine's where that is allowed."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if found.is_loopback:
        return allow_loopback
    return (
        found.is_global
        and not found.is_multicast
        and (found.version == 4 or found in _UNICAST)
        and not any(found.version == network.version and found in network for network in _REFUSED)
    )


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the address that was checked; TLS and `Host` go on naming the host."""

    def __init__(self, resolve: Resolver, allow_loopback: bool) -> None:
        self._resolve = resolve
        self._allow_loopback = allow_loopback
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve once, refuse if any answer is not public, and connect to the first that answers."""
        try:
            addresses = await self._resolve(host, port)
        except OSError:
            raise EgressFailed("resolve") from None
        if not addresses:
            raise EgressFailed("resolve")
        # One inner address among public ones is an attack or a mistake; neither may depend on which comes first.
        if not all(may_connect(address, allow_loopback=self._allow_loopback) for address in addresses):
            raise EgressRefused("address")
        for number, address in enumerate(addresses[:_TRIED], 1):
            try:
                return _Stream(await self._inner.connect_tcp(address, port, timeout, local_address, socket_options))
            except httpcore.ConnectError:
                if number == min(len(addresses), _TRIED):
                    raise
        raise EgressFailed("connect")

    async def sleep(self, seconds: float) -> None:
        """Wait, as the library asks between tries."""
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is closed too when a TLS handshake is given up in the middle, which the library forgets."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._socket: socket.socket | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        if info != "is_readable":
            return self._inner.get_extra_info(info)
        # Asked of every idle connection for every request, and the library gathers addresses for each answer.
        self._socket = self._socket or self._inner.get_extra_info("socket")
        if self._socket is None or self._socket.fileno() < 0:
            return True
        asked = select.poll()
        asked.register(self._socket.fileno(), select.POLLIN)
        return bool(asked.poll(0))


class Names:
    """Looks names up in threads of its own: the system's resolver blocks, and a slow one must stop nothing else.

    A name is looked up once at a time, however many ask, so that one that hangs holds one thread.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="names")
        self._under_way: dict[tuple[str, int], asyncio.Future[Any]] = {}

    async def addresses_of(self, host: str, port: int) -> list[str]:
        """Answer the addresses of a name, in the resolver's order; raises OSError."""
        asked = (host, port)
        lookup = self._under_way.get(asked)
        if lookup is None:
            look = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
            lookup = asyncio.get_running_loop().run_in_executor(self._threads, look)
            self._under_way[asked] = lookup
            lookup.add_done_callback(partial(self._looked_up, asked))
        # Whoever gives up waiting leaves it to the others.
        found = await asyncio.shield(lookup)
        return list(dict.fromkeys(str(one[4][0]) for one in found))

    def close(self) -> None:
        """Wait for nothing that is under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _looked_up(self, asked: tuple[str, int], lookup: asyncio.Future[Any]) -> None:
        self._under_way.pop(asked, None)
        if not lookup.cancelled():
            # Nobody may wait any more for what failed.
            lookup.exception()


async def _bounded(stream: Any, most_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > most_bytes:
            raise EgressFailed("too_large")
    return bytes(body)


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


async def _leftover(reading: Awaitable[bytes]) -> bytes:
    try:
        async with asyncio.timeout(_LEFTOVER_SECONDS):
            await reading
    except (TimeoutError, EgressFailed, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        pass
    return b""


def _is_loopback_name(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def _ssl_context() -> ssl.SSLContext:
    """The machine's authorities, which a company adds its own to, and the public ones where it has none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
