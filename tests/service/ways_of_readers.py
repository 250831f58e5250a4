"""The ways to meet each code of what readers do beside writing, and of what moderators pick."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx

from service.flow.pick import MOST_PINNED
from tests.service_fixture import Service


async def _like(service: Service, as_: str | None = None) -> httpx.Response:
    sent = await service.published()
    token = sent["author_token"] if as_ == "author" else None
    return await service.call("PUT", f"/v1/sites/test/comments/{sent['comment']['id']}/reaction", as_=token)


async def _off(service: Service) -> httpx.Response:
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"reaction": None}, expect=200)
    return await _like(service)


async def _own(service: Service) -> httpx.Response:
    return await _like(service, "author")


async def _full(service: Service) -> httpx.Response:
    for number in range(MOST_PINNED + 1):
        sent = await service.published(f"Opinion {number}.")
        answer = await service.call("PUT", f"/v1/review/test/comments/{sent['comment']['id']}/pinned", as_="moderator")
    return answer


async def _think_again(service: Service) -> httpx.Response:
    return await service.call("POST", "/v1/sites/test/second-thoughts", json={"body": "A rude one."})


WAYS_OF_READERS: dict[str, Callable[[Service], Awaitable[httpx.Response]]] = {
    "reaction.off": _off,
    "reaction.own": _own,
    "pinned.full": _full,
    "second_chance.off": _think_again,
}
