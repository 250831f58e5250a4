"""Real Chromium on a real installation, both shared by the tests of a module; each test has a profile of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.newspaper import Newspaper
from tests.browser.reader import CHROMIUM_ARGUMENTS, Reader
from tests.journey.harness import Installation
from tests.programs import need_program


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for a module: one for the session would be that of all tests, and die for all with one of them."""
    return "asyncio"


@pytest.fixture(scope="module")
async def installation(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """A demo that runs for all tests of a module, and may send events to this machine."""
    need_program("chromium", package="chromium")
    home: Path = tmp_path_factory.mktemp("browser") / "home"
    async with Installation(home, WEBHOOKS_ALLOW_LOOPBACK="1") as running:
        yield await running.start()


@pytest.fixture(scope="module")
async def newspaper(installation: Installation) -> AsyncIterator[Newspaper]:
    """A publisher's site with a strict policy, that embeds the demo's threads."""
    async with Newspaper.of(installation) as paper:
        yield paper


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """Chromium, with nothing kept from before."""
    program = need_program("chromium", package="chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def reader(browser: Browser, installation: Installation) -> AsyncIterator[Reader]:
    """A reader on the demo page, of whom the browser has nothing to complain in the end."""
    async with Reader.at(browser, installation.url) as opened:
        yield opened
