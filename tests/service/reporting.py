"""Readers who report and authors who appeal, as tests need them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.service.publisher import claims, configure, sign
from tests.service_fixture import Service

NOTICE: dict[str, Any] = {
    "law": "Section 185 of the Criminal Code",
    "explanation": "It calls my neighbour a thief, who is none.",
    "name": "Berta Beispiel",
    "email": "berta@reader.example",
    "good_faith": True,
}


async def readers(service: Service, number: int) -> list[str]:
    """Answer the tokens of so many different accounts of the publisher's."""
    await configure(service)
    return [sign(claims(service.clock(), sub=f"reader-{index}", name=f"R{index}")) for index in range(number)]


async def report(
    service: Service,
    sent: dict[str, Any],
    reason: str = "insult",
    *,
    by: str | None = None,
    network: str | None = None,
    **more: Any,
) -> httpx.Response:
    """Report a comment, from a network of one's own where one is named."""
    path = f"/v1/sites/test/comments/{sent['comment']['id']}/reports"
    body = {"reason": reason, **more}
    if network is None:
        return await service.call("POST", path, as_=by, json=body)
    headers = {"authorization": f"Bearer {by}"} if by else {}
    transport = httpx.ASGITransport(
        app=service.client._transport.app,  # type: ignore[attr-defined]
        client=(network, 1234),
        raise_app_exceptions=False,
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.post(path, json=body, headers=headers)


async def made(answer: httpx.Response, *, status: int = 201) -> dict[str, Any]:
    """Answer the JSON of a report that was taken."""
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def status_of(service: Service, sent: dict[str, Any]) -> str:
    """Answer where a comment stands, as a moderator sees it."""
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    return str((await service.call("GET", path, as_="moderator", expect=200)).json()["comment"]["status"])


async def queue_kinds(service: Service) -> dict[str, int]:
    """Answer how many items of each kind wait."""
    found: dict[str, int] = (await service.call("GET", "/v1/review/test/queue", as_="moderator")).json()["kinds"]
    return found


async def act(service: Service, sent: dict[str, Any], action: str, *, as_: str = "moderator", **more: Any) -> None:
    """Take a comment down or bring it back, without its item."""
    path = f"/v1/review/test/comments/{sent['comment']['id']}/decision"
    wanted = {"revision": 1, "action": action, "reasons": ["insult"] if action == "remove" else [], **more}
    await service.call("POST", path, as_=as_, json=wanted, expect=200)


async def appeal(service: Service, sent: dict[str, Any], text: str = "It was a quotation.") -> httpx.Response:
    """Appeal as the comment's author."""
    path = f"/v1/sites/test/comments/{sent['comment']['id']}/appeals"
    return await service.call("POST", path, as_=sent["author_token"], json={"text": text})


async def statement(service: Service, sent: dict[str, Any], *, expect: int = 200) -> dict[str, Any]:
    """Read the statement of reasons as the comment's author."""
    path = f"/v1/sites/test/comments/{sent['comment']['id']}/statement"
    found: dict[str, Any] = (await service.call("GET", path, as_=sent["author_token"], expect=expect)).json()
    return found


async def edit(service: Service, sent: dict[str, Any], body: str) -> None:
    """Let the comment's author send another text, and the machine decide about it."""
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    await service.call("PATCH", path, as_=sent["author_token"], json={"body": body}, expect=200)
    await service.drain()
