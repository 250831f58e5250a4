"""The demo article in Chromium: a text, what to read next with its counts, and the thread below."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from service.demo import discussion
from service.demo import site as demo
from tests.browser.reader import Reader
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

INDEX = Path("service/static/demo/index.html")
NEXT = "https://news.example/city/night-trams"


async def test_a_civil_comment_is_published_before_the_readers_eyes(reader: Reader) -> None:
    """A civil comment appears as published, is counted in the title, and takes the focus."""
    card = await reader.write("I take the tram to work, and it is full every morning.", "Ada Lovelace")
    await expect(card).to_be_focused()
    await expect(card.locator("> .by .name")).to_have_text("Ada Lovelace")
    await expect(reader.said).to_contain_text("Published.")
    await expect(reader.title).to_contain_text("comment")
    await expect(reader.form.get_by_role("textbox").first).to_have_value("")


async def test_read_next_counts_in_one_request(browser: Browser, installation: Installation) -> None:
    """The counts of all articles that the page names come by one request, in words."""
    assert (await installation.submit("The two o'clock tram was full.", page="x", wait=10)).status_code == 201
    asked: list[str] = []
    async with Reader.at(browser, installation.url) as reader:
        reader.page.on("request", lambda request: asked.append(request.url) if "/counts" in request.url else None)
        await reader.open()
        await expect(reader.page.locator("colloquy-count").first).to_have_text("0 comments")
        await expect(reader.page.locator("colloquy-count")).to_have_count(4)
        assert len(asked) == 1


async def test_the_other_article_has_a_thread_of_its_own(browser: Browser, installation: Installation) -> None:
    """The article on the missiles, which the first one leads to, asks for opinions and counts its own comments."""
    async with Reader.at(browser, installation.url) as reader:
        await reader.page.get_by_role("link", name=discussion.TITLE).click()
        await expect(reader.page).to_have_url(f"{installation.url}{discussion.PATH}")
        await reader.page.locator("colloquy-thread").scroll_into_view_if_needed()
        await expect(reader.form.locator(".prompt")).to_have_text("What is your opinion on this topic?")
        await reader.write("Whoever sends them should say what they are for.", "Ada")
        await expect(reader.said).to_contain_text("Published.")
        await expect(reader.title).to_have_text("1 comment")
        await expect(reader.page.get_by_role("link", name=demo.TITLE)).to_have_attribute("href", "/demo")


def test_the_page_is_about_the_demo_thread() -> None:
    """The static page names the site and the page key that the demo makes."""
    page = INDEX.read_text()
    assert f'<colloquy-thread site="{demo.SITE}" page="{demo.PAGE}">' in page
    assert NEXT in page
    assert demo.TITLE in page
