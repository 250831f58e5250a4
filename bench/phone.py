"""A phone on a slow network: headless Chromium, slowed down as Lighthouse does, that waits for a first comment."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from playwright.async_api import Browser, CDPSession


class Network(NamedTuple):
    """A slowed network: milliseconds from a request to its answer's first byte, kilobits a second down and up."""

    latency: float
    down: float
    up: float


#: Lighthouse's `mobileSlow4G` (150 ms, 1.6 Mbit/s, 750 kbit/s) and Chromium's "Fast 4G" (60 ms, 9 and 1.5 Mbit/s), with
#: the factors that both apply where connections are not emulated, only requests.
NETWORKS = {
    "slow-4g": Network(150 * 3.75, 1638.4 * 0.9, 750 * 0.9),
    "fast-4g": Network(60 * 2.75, 9000 * 0.9, 1500 * 0.9),
}
SLOWER_CPU = 4
#: Lighthouse's phone.
PHONE: dict[str, Any] = {"viewport": {"width": 412, "height": 823}, "device_scale_factor": 1.75, "is_mobile": True}

#: Notes when the first comment had been painted within the window, how far things moved, and what was loaded when.
WATCH = """(() => {
  window.shifted = 0;
  const moved = new PerformanceObserver((list) => list.getEntries().forEach((one) => { window.shifted += one.value; }));
  moved.observe({ type: "layout-shift", buffered: true });
  const text = () => document.querySelector("colloquy-thread")?.shadowRoot?.querySelector("article.c .body")
    ?? document.querySelector("colloquy-thread article.c .body, #isso-root .isso-text");
  const look = () => {
    const found = text();
    const box = found?.textContent.trim() && found.getBoundingClientRect();
    if (box?.height && box.top < innerHeight) setTimeout(() => { window.seen = performance.now(); });
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""
LOADED = """performance.getEntriesByType("resource").map((one) =>
  [one.name.split("?")[0].split("/").at(-1) || "/", one.startTime, one.responseEnd])"""
QUIET_SECONDS = 1.0


class Wire:
    """What one visit asks of the network; a stream that stays open is counted and not waited for."""

    def __init__(self, session: CDPSession) -> None:
        self.requests, self.bytes = 0, 0.0
        self.waiting: set[str] = set()
        self.changed = asyncio.get_running_loop().time()
        session.on("Network.requestWillBeSent", self._asked)
        session.on("Network.loadingFinished", self._ended)
        session.on("Network.loadingFailed", self._ended)

    def _asked(self, event: dict[str, Any]) -> None:
        self.requests += 1
        if event.get("type") != "EventSource":
            self.waiting.add(event["requestId"])
        self.changed = asyncio.get_running_loop().time()

    def _ended(self, event: dict[str, Any]) -> None:
        self.bytes += event.get("encodedDataLength", 0)
        self.waiting.discard(event["requestId"])
        self.changed = asyncio.get_running_loop().time()

    def is_quiet(self) -> bool:
        """Answer whether nothing is under way and nothing was for a while."""
        return not self.waiting and asyncio.get_running_loop().time() - self.changed > QUIET_SECONDS


async def opened(browser: Browser, address: str, network: Network) -> dict[str, Any]:
    """Open an article in a fresh profile, and answer when the first comment was seen and what was loaded."""
    context = await browser.new_context(**PHONE)
    page = await context.new_page()
    await page.add_init_script(WATCH)
    session = await context.new_cdp_session(page)
    wire = Wire(session)
    await session.send("Network.enable")
    slow = {"latency": network.latency, "downloadThroughput": network.down * 125, "uploadThroughput": network.up * 125}
    await session.send("Network.emulateNetworkConditions", {"offline": False, **slow})
    await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER_CPU})
    await page.goto(address, wait_until="commit")
    await page.wait_for_function("window.seen", timeout=60_000)
    while not wire.is_quiet():
        await page.wait_for_timeout(50)
    found = {"seen": await page.evaluate("window.seen"), "shift": await page.evaluate("window.shifted")}
    found |= {"loads": await page.evaluate(LOADED), "requests": wire.requests, "bytes": wire.bytes}
    await context.close()
    return found
