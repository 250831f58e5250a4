"""What happens around the console: an admin's settings, authors who appeal, readers who report, members who sign in."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from playwright.async_api import Page, Response

from service.settings import Settings
from service.store import sites
from service.store.database import Database
from tests.journey.harness import Installation
from tests.seeding import seed_thread
from tests.service.publisher import AUDIENCE, ISSUER, SECRET, claims, sign

ADMIN = "/v1/admin/sites/demo"
PASSWORD = "a long sentence of my own"


async def ask(
    installation: Installation, method: str, path: str, token: str | None = None, body: Any = None, **headers: str
) -> dict[str, Any]:
    """Call the API, as whoever has the token, and answer the JSON of a success."""
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    answer = await installation.client.request(method, path, json=body, headers=headers)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def seed(installation: Installation, page: str, comments: int, **more: Any) -> list[str]:
    """Put a big thread into the installation's own database, and answer its ids."""
    database = Database(Settings.from_environment({"COLLOQUY_HOME": str(installation.home)}).database)
    try:
        async with database.reading() as connection:
            site = await sites.by_slug(connection, "demo")
        assert site is not None
        seeded = await seed_thread(database, site.id, page=page, comments=comments, hidden_share=0.0, **more)
    finally:
        await database.dispose()
    return seeded.comment_ids


@asynccontextmanager
async def review_settings(installation: Installation, **changed: Any) -> AsyncIterator[None]:
    """Let the site review in another way until the block ends."""
    admin = installation.demo["admin_token"]
    before = await ask(installation, "GET", f"{ADMIN}/review", admin)
    await ask(installation, "PUT", f"{ADMIN}/review", admin, before | changed)
    try:
        yield
    finally:
        await ask(installation, "PUT", f"{ADMIN}/review", admin, before)


async def accounts(installation: Installation, *names: str) -> list[str]:
    """Answer tokens of readers who have an account at the publisher's."""
    wanted = {"issuer": ISSUER, "audience": AUDIENCE, "algorithm": "HS256", "secret": SECRET}
    await ask(installation, "PUT", f"{ADMIN}/identity", installation.demo["admin_token"], wanted)
    return [sign(claims(datetime.now(UTC), sub=name, name=name)) for name in names]


async def member(installation: Installation, name: str) -> str:
    """Make a moderator who signs in with `PASSWORD`, and answer the address."""
    email = f"{name.lower()}@daily.example"
    wanted = {"name": name, "email": email, "role": "moderator"}
    made = await ask(installation, "POST", f"{ADMIN}/members", installation.demo["admin_token"], wanted)
    taken = {"token": made["invitation"], "password": PASSWORD}
    answer = await installation.client.post("/v1/invitations", json=taken)
    assert answer.is_success, answer.text
    return email


class Answers:
    """What the service answers to a page, but for the stream of live events."""

    def __init__(self, page: Page) -> None:
        self._responses: list[Response] = []
        page.on("response", self._keep)

    def _keep(self, response: Response) -> None:
        if "/v1/" in response.url and not response.url.endswith("/live"):
            self._responses.append(response)

    async def about(self, comment_id: str) -> list[str]:
        """Answer the bodies that name a comment; of a claim only the items of this comment."""
        texts = [await one.text() for one in self._responses if one.status == 200]
        return [_part_of(text, comment_id) for text in texts if comment_id in text]


def _part_of(text: str, comment_id: str) -> str:
    found = json.loads(text)
    if isinstance(found, dict) and "items" in found:
        return json.dumps([item for item in found["items"] if item["comment"]["id"] == comment_id])
    return text
