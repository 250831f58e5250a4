"""The ways to meet each code of review: one's own comments, and what is taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.service.answers import UNKNOWN_ID
from tests.service_fixture import Service


async def _decided(service: Service) -> dict[str, Any]:
    await service.submit("A rude one.")
    await service.drain()
    [item] = await service.claim()
    return await service.decide(item)


async def _undo(service: Service, act_id: str, as_: str = "moderator") -> httpx.Response:
    return await service.call("POST", f"/v1/review/test/acts/{act_id}/undo", as_=as_)


async def _unknown(service: Service) -> httpx.Response:
    return await _undo(service, UNKNOWN_ID)


async def _not_yours(service: Service) -> httpx.Response:
    return await _undo(service, (await _decided(service))["decision"]["act_id"], "moderator2")


async def _over(service: Service) -> httpx.Response:
    act = (await _decided(service))["decision"]["act_id"]
    service.clock.advance(301)
    return await _undo(service, act)


async def _done(service: Service) -> httpx.Response:
    act = (await _decided(service))["decision"]["act_id"]
    await _undo(service, act)
    return await _undo(service, act)


async def _own(service: Service) -> httpx.Response:
    await service.submit("A rude one.")
    await service.drain()
    [item] = await service.claim()
    mine = {"commenter_id": item["author_record"]["commenter_id"]}
    await service.call("PUT", "/v1/review/test/me", as_="moderator", json=mine, expect=200)
    wanted = {"lease": item["lease"]["token"], "revision": 1, "action": "approve"}
    return await service.call("POST", f"/v1/review/test/items/{item['item_id']}/decision", as_="moderator", json=wanted)


async def _same_webhook(service: Service) -> httpx.Response:
    wanted = {"url": "https://a.example/", "events": ["*"]}
    path = "/v1/admin/sites/test/webhooks"
    await service.call("POST", path, as_="admin", json=wanted, expect=201)
    return await service.call("POST", path, as_="admin", json=wanted)


WAYS_OF_REVIEW: dict[str, Callable[[Service], Awaitable[httpx.Response]]] = {
    "review.own": _own,
    "undo.unknown": _unknown,
    "undo.not_yours": _not_yours,
    "undo.over": _over,
    "undo.done": _done,
    "webhook.exists": _same_webhook,
}
