"""The ways to meet each code of mail to authors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx

from tests.service_fixture import Service


async def _off(service: Service) -> httpx.Response:
    token = (await service.published())["author_token"]
    wanted = {"email": "ada@mail.example", "replies": True, "decisions": True}
    return await service.call("PUT", "/v1/sites/test/me/mail", as_=token, json=wanted)


async def _over(service: Service) -> httpx.Response:
    return await service.call("POST", "/v1/mail/confirm?token=none")


WAYS_OF_MAIL: dict[str, Callable[[Service], Awaitable[httpx.Response]]] = {"mail.off": _off, "mail.link_over": _over}
