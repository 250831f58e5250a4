"""A Coral as its own code asks and reads answers: the signature, and what it takes for an answer."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import httpx

from tests.leaks import plant
from tests.service_fixture import Service

SECRET = "empsec_1d5f0d2c2f6a7e4b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b"
ANOTHER = "empsec_0000000000000000000000000000000000000000000000000000000000000001"
PATH, SETTINGS = "/v1/sites/test/coral", "/v1/admin/sites/test/coral"
HELD = {"actions": [], "status": "PREMOD"}
#: What Coral takes, `stripUnknown` and all: https://github.com/coralproject/talk, pipeline/phases/external.ts.
_STATUSES = {"APPROVED", "NONE", "PREMOD", "REJECTED", "SYSTEM_WITHHELD"}
_REASONS = {"COMMENT_DETECTED_TOXIC", "COMMENT_DETECTED_SPAM"}


def request_of(body: str, **more: Any) -> dict[str, Any]:
    """What Coral sends of a new comment."""
    return {
        "action": "NEW",
        "comment": {"body": body, "parentID": None},
        "author": {"id": "baf4e943-3594-4fcc-b2ba-3e8de7a76352", "role": "COMMENTER"},
        "story": {"id": "245b3856-b0a0-4d2f-a6bb-58c71f18d6a6", "url": "https://news.example/trams"},
        "site": {"id": "a4bede88-2d2c-4424-bc18-4322a9e285a6"},
        "tenantID": "19ba5794-7eeb-4d46-a81b-c00c61672501",
        "tenantDomain": "coral.news.example",
    } | more


def signed(body: bytes, *secrets: str) -> dict[str, str]:
    """Coral's headers: one signature for each secret that it has not retired."""
    signatures = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets or (SECRET,)]
    return {
        "content-type": "application/json",
        "x-coral-signature": ",".join(f"sha256={signature}" for signature in signatures),
        "user-agent": "Coral Moderation/9.11.1",
    }


def encoded(request: Any) -> bytes:
    """The body as Coral writes it: with two spaces, and signed as it is sent."""
    return json.dumps(request, indent=2, ensure_ascii=False).encode()


async def know(service: Service, **settings: Any) -> dict[str, Any]:
    """Let the site know the Coral; answer the view."""
    plant(SECRET, ANOTHER)
    wanted = {"signing_secrets": [SECRET]} | settings
    answer = await service.call("PUT", SETTINGS, as_="admin", json=wanted, expect=200)
    found: dict[str, Any] = answer.json()
    return found


async def ask(service: Service, text: str, *secrets: str, **more: Any) -> dict[str, Any]:
    """Ask about a comment as Coral does, and answer what Coral reads."""
    plant(text)
    body = encoded(request_of(text, **more))
    answer = await service.client.post(PATH, content=body, headers=signed(body, *secrets))
    return read(answer)


def read(answer: httpx.Response) -> dict[str, Any]:
    """What Coral reads of an answer; it must be one that Coral does not pass over."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text not in ("", "{}")
    found: dict[str, Any] = answer.json()
    assert set(found) <= {"actions", "status", "tags"}
    assert found.get("status", "NONE") in _STATUSES
    for action in found["actions"]:
        assert set(action) == {"actionType", "reason"}
        assert action["actionType"] == "FLAG"
        assert action["reason"] in _REASONS
    return found


def flags(answer: dict[str, Any]) -> list[str]:
    """The reasons of the flags that an answer sets."""
    return [action["reason"] for action in answer["actions"]]
