"""What a reader does on the demo page, and what the browser noticed meanwhile."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import urlsplit

from playwright.async_api import Browser, Locator, Page, expect

CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Reader:
    """One browser profile on the demo page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("request", lambda request: self._note_request(request.url))

    @classmethod
    @asynccontextmanager
    async def at(cls, browser: Browser, url: str, *, scale: float = 1.0) -> AsyncIterator[Self]:
        """Open the page in a fresh profile; leaving it checks that the browser complained of nothing."""
        context = await browser.new_context(viewport={"width": 1100, "height": 900}, device_scale_factor=scale)
        async with context:
            reader = cls(await context.new_page(), url)
            await reader.open()
            yield reader
        assert reader.complaints == []

    async def open(self) -> None:
        """Go to the page and wait until the thread is there."""
        await self.page.goto(f"{self.url}/demo")
        await expect(self.page.locator("#count")).to_have_text(re.compile(r"\d+ comments?"))

    async def write(self, body: str, name: str = "Ada") -> Locator:
        """Write a comment and answer its card."""
        await self.page.get_by_label("Name").fill(name)
        await self.page.get_by_role("textbox", name="Your comment").fill(body)
        await self.page.get_by_role("button", name="Send comment").click()
        return self.card(body)

    async def reply(self, to: Locator, body: str) -> Locator:
        """Reply to a comment and answer the reply's card."""
        await to.get_by_role("button", name="Reply to").click()
        await to.get_by_role("textbox", name="Your reply to").fill(body)
        await to.get_by_role("button", name="Send reply").click()
        return self.card(body)

    def card(self, body: str) -> Locator:
        """The card of the comment with this text, without the replies under it."""
        return self.page.locator("article.card").filter(has=self.page.locator(".text", has_text=body))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def _note_request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "data" and f"{parts.scheme}://{parts.netloc}" != self.url:
            self.complaints.append(f"request to {url}")
