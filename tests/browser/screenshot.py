"""Take the pictures of the demo: `python -m tests.browser.screenshot docs/images/demo.png`.

Beside the README's they are its dark sister, and two of a telephone: in English, and in Arabic.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import FloatRect, Page, async_playwright, expect

from tests.browser.reader import CHROMIUM_ARGUMENTS, Reader
from tests.journey.harness import Installation
from tests.programs import find_program

OTHERS = (
    (
        "Tomasz",
        "I run a bakery on Mill Street. Customers come on foot, my flour does not. **Deliveries before ten** would do.",
    ),
    ("Ines", "Please build the night trams first. I finish my shift at two and there is nothing but the car."),
)
REPLIES = (
    ("Ines", "How many of your deliveries come after ten today?"),
    ("Tomasz", "About one in five, mostly from suppliers out of town. They would need a notice of some months."),
)
OWN = (
    "I was against it until I saw the square during the fair. Nobody missed the cars, and you could hear people talk.",
    "Whoever drives to the baker is an idiot.",
)
SPEAK_ARABIC = """() => {
  Object.assign(document.documentElement, { lang: "ar", dir: "rtl" });
  document.querySelector("colloquy-thread").refresh();
}"""


async def main(target: Path) -> None:
    """Start a demo of its own, fill its thread, and write the picture."""
    program = find_program("chromium")
    with tempfile.TemporaryDirectory() as folder:
        async with Installation(Path(folder) / "home") as installation, async_playwright() as playwright:
            await installation.start()
            browser = await playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
            async with Reader.at(browser, installation.url) as others:
                await fill(others)
            async with Reader.at(browser, installation.url, scale=0.8) as reader:
                for body in reversed(OWN):
                    await expect(await reader.write(body, "Mara")).to_be_focused()
                await take(reader.page, target)
            async with Reader.at(browser, installation.url, scale=0.8, color_scheme="dark") as reader:
                await take(reader.page, target.with_stem(f"{target.stem}-dark"))
            for language in ("en", "ar"):
                options: Any = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
                async with Reader.at(browser, installation.url, scale=1.5, **options) as reader:
                    await phone(reader, target.with_stem(f"{target.stem}-phone-{language}"), language)
            await browser.close()


async def phone(reader: Reader, target: Path, language: str) -> None:
    """Take the thread as a telephone shows it, on a page in this language."""
    if language == "ar":
        await reader.page.evaluate(SPEAK_ARABIC)
        await expect(reader.page.locator("colloquy-thread section")).to_have_attribute("dir", "rtl")
        await expect(reader.form.locator(".prompt")).to_be_visible()
    await expect(reader.page.locator("article.c")).to_have_count(len(OTHERS) + len(REPLIES) + 1)
    await reader.title.evaluate("(title) => scrollTo(0, title.getBoundingClientRect().top + scrollY - 16)")
    await reader.page.screenshot(path=target)


async def fill(reader: Reader) -> None:
    """Write what other readers wrote before."""
    for name, body in reversed(OTHERS):
        await reader.write(body, name)
        card = reader.card(body[:40])
        await expect(card).to_be_focused()
    for name, body in REPLIES:
        await reader.reply(card, body, name)
        await expect(reader.card(body[:40])).to_be_focused()


async def take(page: Page, target: Path) -> None:
    """Take the page as a reader finds it, down to the end of the thread."""
    await page.reload()
    await page.locator("colloquy-thread").scroll_into_view_if_needed()
    await expect(page.locator("colloquy-thread")).to_have_attribute("data-ready", "")
    await page.get_by_role("link", name="Skip to the discussion").scroll_into_view_if_needed()
    end = await page.locator("#discussion").bounding_box()
    assert end is not None
    clip: FloatRect = {"x": 0, "y": 0, "width": 1100, "height": end["y"] + end["height"] + 10}
    await page.screenshot(path=target, full_page=True, clip=clip)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
