"""A timed session in the console: what a moderator waits for between a key and the next card.

`python -m bench.console [--cards 120]` starts a demo of its own, fills its queue, and decides everything by keyboard in
headless Chromium: every third card is rejected with a reason, the others are approved. A card may be decided a quarter
of a second after it came (no key for the last card may decide this one), which bounds what a keyboard allows; the time
that counts is the one between the key and the next card being painted.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import shutil
import time
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from bench import report
from bench.running import Running, running_service, wait_for

RUDE = "You are an idiot and a liar, dear reader {}, and your plan is stupid."

#: Notes, for each key that decides, when it was pressed and when the next card had been painted.
WATCH = """() => {
  window.waits = [];
  let pressed = null;
  document.addEventListener('keydown', () => { pressed = performance.now(); }, true);
  let last = document.querySelector('article.card')?.dataset.item;
  new MutationObserver(() => {
    const card = document.querySelector('article.card');
    if (!card || card.dataset.item === last) return;
    last = card.dataset.item;
    const began = pressed;
    requestAnimationFrame(() => setTimeout(() => window.waits.push(performance.now() - began)));
  }).observe(document.body, { childList: true, subtree: true });
}"""
READY = "import('/console/app.js').then((app) => app.isReady())"


def main() -> None:
    """Run the session and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=int, default=120, help="how many comments to decide")
    options = parser.parse_args()
    with running_service() as service:
        fill(service, options.cards)
        figures = asyncio.run(session(service, options.cards))
    report.table(
        "The console by keyboard, with the service on the same machine",
        ["cards", "decisions/min", "key to next card p50 ms", "p99 ms", "worst ms", "decided"],
        [[figures[name] for name in ("cards", "per_minute", "p50_ms", "p99_ms", "worst_ms", "decided")]],
    )
    report.write("console", figures)


def fill(service: Running, cards: int) -> None:
    """Submit comments that wait for a person, and wait until all of them do."""
    for number in range(cards):
        call(service, "POST", "/v1/sites/demo/threads/bench/comments", {"body": RUDE.format(number)})
    wait_for(lambda: call(service, "GET", "/v1/review/demo/queue")["depth"] >= cards, 120)


def call(service: Running, method: str, path: str, body: Any = None) -> Any:
    """Send one request as the demo's moderator."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    headers = {"Content-Type": "application/json"}
    if path.startswith("/v1/review"):
        headers["Authorization"] = f"Bearer {service.demo['moderator_token']}"
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse().read()
    connection.close()
    return json.loads(answer)


async def session(service: Running, cards: int) -> dict[str, Any]:
    """Decide every card as soon as it may be decided, and answer what that took."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = await opened(browser, service)
        await page.evaluate(WATCH)
        began, pressed = time.perf_counter(), 0
        while pressed < cards:
            while not await page.evaluate(READY):
                await page.wait_for_timeout(5)
            await page.keyboard.press("a" if pressed % 3 else "r")
            if pressed % 3 == 0:
                await page.keyboard.press("2")
            pressed += 1
        await page.wait_for_function("import('/console/app.js').then((one) => one.waiting().length === 0)")
        seconds = time.perf_counter() - began
        waits = await page.evaluate("window.waits")
        # The depth that is told may be a moment old.
        left = cards
        for _ in range(25):
            if not (left := call(service, "GET", "/v1/review/demo/queue")["depth"]):
                break
            await page.wait_for_timeout(200)
        await browser.close()
    return {
        "cards": cards,
        "decided": cards - left,
        "per_minute": 60 * cards / seconds,
        "p50_ms": report.percentile(waits, 0.5),
        "p99_ms": report.percentile(waits, 0.99),
        "worst_ms": max(waits),
    }


async def opened(browser: Browser, service: Running) -> Page:
    """Open the queue, signed in with the demo's token."""
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    kept = json.dumps(json.dumps({"token": service.demo["moderator_token"], "site": "demo"}))
    await page.add_init_script(f"sessionStorage.setItem('colloquy.console.token', {kept})")
    await page.goto(f"http://127.0.0.1:{service.port}/console#/queue")
    await page.wait_for_selector("article.card")
    return page


if __name__ == "__main__":
    main()
