"""What the edge does to every request and answer for safety: hosts, slow senders, headers of browsers' rules."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from litestar.types import Message, Receive

from service.errors import Problem
from service.settings import Settings

Headers = list[tuple[bytes, bytes]]
_NOTHING_IN_A_FRAME = b"default-src 'none'; frame-ancestors 'none'"
_YEAR_SECONDS = 31_536_000


def check_host(hosts: frozenset[str], host: bytes | None) -> None:
    """Raise for a host name that is not ours: a page elsewhere that points its name here (DNS rebinding) sends its own.

    A bare address is always served, for no name can be pointed at it.
    """
    if is_served(hosts, host):
        return
    raise Problem("host.refused", "This name is not served here; the operator lists names in ALLOWED_HOSTS.")


def is_served(hosts: frozenset[str], host: bytes | None) -> bool:
    """Answer whether a Host header names us."""
    if "*" in hosts:
        return True
    name = _name_of((host or b"").decode("latin-1").lower())
    return name in hosts or _is_address(name)


def in_time(receive: Receive, seconds: float) -> Receive:
    """Answer a `receive` that gives up on a body that has not come whole after so many seconds."""
    loop = asyncio.get_running_loop()
    deadline, is_whole = loop.time() + seconds, False

    async def receive_in_time() -> Any:
        nonlocal is_whole
        if is_whole:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            detail = f"The body did not come whole within {seconds:g} seconds."
            raise Problem("request.timeout", detail, headers={"connection": "close"}) from None
        is_whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return receive_in_time


def security_headers(settings: Settings) -> Headers:
    """Answer the headers that every answer carries."""
    headers: Headers = [
        (b"x-content-type-options", b"nosniff"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    ]
    if settings.url.startswith("https://"):
        headers.append((b"strict-transport-security", f"max-age={_YEAR_SECONDS}".encode()))
    return headers


def secured(message: Message, always: Headers) -> Headers:
    """Answer the headers of an answer with those that are missing for a browser's safety."""
    given: Iterable[tuple[bytes, bytes]] = message["headers"]  # type: ignore[typeddict-item]
    headers = [*given, *always]
    names = {name.lower() for name, _ in headers}
    if b"content-security-policy" not in names:
        headers.append((b"content-security-policy", _NOTHING_IN_A_FRAME))
    if b"referrer-policy" not in names:
        headers.append((b"referrer-policy", b"no-referrer"))
    return headers


def _name_of(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
