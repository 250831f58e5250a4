"""What a moderator does in the console, and what the browser noticed meanwhile."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.async_api import Browser, Locator, Page, Request, expect

from tests.eventually import eventually
from tests.journey.harness import Installation

RUDE = "You are an idiot and a liar, dear reader {}, and your plan is stupid."
REFUSED = "Failed to load resource"


class Moderator:
    """One browser profile in the console, signed in with a token of the demo."""

    def __init__(self, page: Page, installation: Installation) -> None:
        self.page = page
        self.installation = installation
        self.complaints: list[str] = []
        self._asking: set[Request] = set()
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("request", self._note_request)
        page.on("response", lambda response: self._asking.discard(response.request))
        page.on("requestfailed", lambda request: self._asking.discard(request))

    @classmethod
    @asynccontextmanager
    async def at(
        cls,
        browser: Browser,
        installation: Installation,
        *,
        token: str | None = "moderator_token",
        view: str = "queue",
        width: int = 1280,
        height: int = 900,
        settings: dict[str, Any] | None = None,
        **options: Any,
    ) -> AsyncIterator[Self]:
        """Open the console in a fresh profile; leaving it checks that the browser complained of nothing."""
        options.setdefault("locale", "en-GB")
        context = await browser.new_context(viewport={"width": width, "height": height}, **options)
        async with context:
            moderator = cls(await context.new_page(), installation)
            if token is not None:
                kept = {"token": installation.demo[token], "site": "demo"}
                await context.add_init_script(_remember("sessionStorage", "token", kept))
            for name, value in (settings or {}).items():
                await context.add_init_script(_remember("localStorage", name, value))
            await moderator.open(view)
            yield moderator
            await moderator.page.unroute_all()
            await moderator._give_back()
        assert moderator.complaints == [], moderator.complaints

    async def open(self, view: str = "queue") -> None:
        """Go to a view and wait until its heading is there."""
        await self.page.goto(f"{self.installation.url}/console#/{view}")
        await expect(self.page.locator("h1")).to_have_count(1)

    @property
    def card(self) -> Locator:
        """The card in view."""
        return self.page.locator("article.card")

    async def shown(self) -> str:
        """Answer the id of the comment in view, once its card may be decided."""
        await expect(self.card).to_be_visible()
        await eventually(self._is_ready)
        return str(await self.card.get_attribute("data-comment"))

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each as soon as the card may be decided."""
        for key in keys:
            await eventually(self._is_ready)
            await self.page.keyboard.press(key)

    async def _is_ready(self) -> bool:
        return bool(await self.page.evaluate("import('/console/app.js').then((app) => app.isReady())"))

    async def _give_back(self) -> None:
        # So that the next test finds it, and not by closing: a browser profile that goes takes its last requests along.
        await self.page.goto(f"{self.installation.url}/console#/me")
        await eventually(self._holds_nothing)
        await self.page.goto("about:blank")

    async def _holds_nothing(self) -> bool:
        return not await self.at_hand() and not self._asking

    async def at_hand(self) -> list[str]:
        """Answer the items that this tab holds."""
        found: list[str] = await self.page.evaluate(
            "import('/console/app.js').then(({ hand }) => hand.items.map((item) => item.item_id))"
        )
        return found

    def said(self, text: str | re.Pattern[str]) -> Locator:
        """A bar at the edge that says something."""
        return self.page.locator(".bar", has_text=text)

    def forgive(self, word: str) -> None:
        """Forget what the browser had to complain of a request that was meant to fail."""
        self.complaints[:] = [text for text in self.complaints if word not in text]

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def _note_request(self, request: Request) -> None:
        url = request.url
        if url.endswith(("/claims", "/release")):
            self._asking.add(request)
        parts = urlsplit(url)
        if parts.scheme not in ("data", "about") and f"{parts.scheme}://{parts.netloc}" != self.installation.url:
            self.complaints.append(f"request to {url}")


def _remember(area: str, name: str, value: Any) -> str:
    key, text = json.dumps(f"colloquy.console.{name}"), json.dumps(json.dumps(value))
    # `about:blank` has no storage, and is no place of ours.
    return f"try {{ if ({area}.getItem({key}) === null) {area}.setItem({key}, {text}); }} catch {{}}"


async def hold(installation: Installation, count: int, word: str = "reader", **fields: Any) -> list[str]:
    """Submit comments that wait for a person and answer their ids, once all of them wait."""
    ids = []
    for number in range(count):
        answer = await installation.submit(RUDE.format(f"{word} {number}"), page="console", wait=10, **fields)
        comment = answer.json()["comment"]
        assert comment["status"] == "held", comment
        ids.append(comment["id"])
    return ids


async def empty(installation: Installation) -> None:
    """Approve whatever waits, so that a test finds only what it submits."""
    headers = {"authorization": f"Bearer {installation.demo['admin_token']}"}
    review = "/v1/review/demo"

    async def is_empty() -> bool:
        claimed = await installation.client.post(f"{review}/claims", json={"limit": 50}, headers=headers)
        for item in claimed.json()["items"]:
            wanted = {"lease": item["lease"]["token"], "revision": item["revision"], "action": "approve"}
            path = f"{review}/items/{item['item_id']}/decision"
            await installation.client.post(path, json=wanted, headers=headers)
        return bool((await installation.client.get(f"{review}/queue", headers=headers)).json()["depth"] == 0)

    await eventually(is_empty, 30)


async def becomes(installation: Installation, comment_id: str, status: str) -> None:
    """Wait until a comment has a status."""

    async def has() -> bool:
        return await installation.status(comment_id) == status

    await eventually(has)


async def by_people(installation: Installation, comment_id: str) -> list[str]:
    """Answer what people decided about a comment."""
    return [one["action"] for one in await installation.decisions(comment_id) if one["actor_kind"] == "moderator"]
