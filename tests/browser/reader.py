"""What a reader does with the widget, and what the browser noticed meanwhile."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self
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
    """One browser profile on a page with the widget, the demo's unless another is named."""

    def __init__(self, page: Page, url: str, origins: Iterable[str] = ()) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        parts = urlsplit(url)
        self._origins = {f"{parts.scheme}://{parts.netloc}", *origins}
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("request", lambda request: self._note_request(request.url))

    @classmethod
    @asynccontextmanager
    async def at(
        cls, browser: Browser, url: str, *, origins: Iterable[str] = (), scale: float = 1.0, **options: Any
    ) -> AsyncIterator[Self]:
        """Open the page in a fresh profile; leaving it checks that the browser complained of nothing."""
        options = {"viewport": {"width": 1100, "height": 900}, "locale": "en-GB", **options}
        context = await browser.new_context(device_scale_factor=scale, **options)
        async with context:
            reader = cls(await context.new_page(), url if urlsplit(url).path else f"{url}/demo", origins)
            await reader.open()
            yield reader
        assert reader.complaints == [], reader.complaints

    async def open(self, anchor: str = "") -> None:
        """Go to the page and wait until the thread is there."""
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.url}{anchor}")
        await self.page.locator("colloquy-thread").scroll_into_view_if_needed()
        await expect(self.page.locator("colloquy-thread")).to_have_attribute("data-ready", "")

    @property
    def title(self) -> Locator:
        """The heading with the count."""
        return self.page.locator("colloquy-thread h2.title")

    @property
    def form(self) -> Locator:
        """The form of a first comment."""
        return self.page.locator("colloquy-thread .write form")

    @property
    def said(self) -> Locator:
        """What was said last, also to who cannot see."""
        return self.page.locator("colloquy-thread .said")

    async def write(self, body: str, name: str | None = "Ada") -> Locator:
        """Write a comment and answer its card."""
        await self.form.get_by_role("textbox").first.fill(body)
        if name is not None:
            await self.form.get_by_label("Name").fill(name)
        await self.form.get_by_role("button", name="Send").click()
        return self.card(body)

    async def reply(self, to: Locator, body: str, name: str | None = None) -> Locator:
        """Reply to a comment and answer the reply's card."""
        await acts(to).get_by_role("button", name="Reply to").click()
        form = to.locator("> form")
        await form.get_by_role("textbox").first.fill(body)
        if name is not None:
            await form.get_by_label("Name").fill(name)
        await form.get_by_role("button", name="Reply", exact=True).click()
        return self.card(body)

    def card(self, body: str | re.Pattern[str]) -> Locator:
        """The comment with this text, the replies under it included."""
        text = self.page.locator(":scope > .body", has_text=body)
        return self.page.locator("colloquy-thread article.c").filter(has=text)

    def forgive(self, *words: str) -> None:
        """Forget what the browser had to complain of a request that was meant to fail."""
        self.complaints[:] = [text for text in self.complaints if not any(word in text for word in words)]

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def _note_request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about") and f"{parts.scheme}://{parts.netloc}" not in self._origins:
            self.complaints.append(f"request to {url}")


def acts(card: Locator) -> Locator:
    """What a reader can do with this comment, without what can be done with its replies."""
    return card.locator("> .acts")


def note(card: Locator) -> Locator:
    """What only the author reads about this comment."""
    return card.locator("> .acts > .note")
