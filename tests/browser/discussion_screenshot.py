"""Take a picture of the discussion: `python -m tests.browser.discussion_screenshot docs/images/discussion.png`."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import anyio
from playwright.async_api import FloatRect, async_playwright, expect

from service.demo import discussion
from tests.browser.reader import CHROMIUM_ARGUMENTS, Reader
from tests.journey.harness import Installation
from tests.programs import find_program

WIDTH, HEIGHT = 860, 1320
MOST_ANSWERED = "My grandmother was Jewish"


async def main(target: Path) -> None:
    """Start a demo of its own, send the discussion as its readers do, and take the thread from the form on."""
    with tempfile.TemporaryDirectory() as folder:
        async with Installation(Path(folder) / "home") as here, async_playwright() as playwright:
            await here.start()
            environment = {"PATH": os.environ["PATH"], "COLLOQUY_HOME": str(here.home)}
            await anyio.run_process([sys.executable, "-m", "service", "demo", "--discussion"], env=environment)
            program = find_program("chromium")
            browser = await playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
            viewport = {"width": WIDTH, "height": 900}
            async with Reader.at(browser, here.url + discussion.PATH, scale=0.9, viewport=viewport) as reader:
                await take(reader, target)
            await browser.close()


async def take(reader: Reader, target: Path) -> None:
    """Take the thread with its form, most answered first, as far down as a picture of a README goes."""
    await reader.page.get_by_label("Sort by").select_option("replies")
    await expect(reader.page.locator("article.c").first).to_contain_text(MOST_ANSWERED)
    thread = await reader.page.locator("#discussion").bounding_box()
    assert thread is not None
    top = thread["y"] + await reader.page.evaluate("scrollY")
    clip: FloatRect = {"x": 0, "y": top, "width": WIDTH, "height": min(HEIGHT, thread["height"])}
    await reader.page.screenshot(path=target, full_page=True, clip=clip)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
