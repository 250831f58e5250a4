"""Take the pictures of the console: `python -m tests.browser.console_screenshots docs/images`.

What the cards show is real. The dashboard's figures are invented, because a demo that has just started has none.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.async_api import Browser, Route, async_playwright, expect

from tests.browser.moderator import Moderator
from tests.browser.reader import CHROMIUM_ARGUMENTS
from tests.eventually import eventually
from tests.journey.harness import Installation
from tests.programs import find_program

CIVIL = (
    ("Ines", "Please build the night trams first. I finish my shift at two and there is nothing but the car."),
    ("Tomasz", "I run a bakery on Mill Street. Customers come on foot, my flour does not."),
)
ANSWERS = (
    ("Ines", "How many of your deliveries come after ten today?"),
    ("Rolf", "About the stupidest question so far. Only an idiot like you would ask a baker when the flour comes."),
)
OTHERS = (
    ("Guest of Mill Street", "Whoever wants this is an idiot and a liar, and the mayor is the worst of them."),
    ("Rolf", "You are a fool, and so is everybody who voted for your stupid trams."),
    ("Hanna", "What a pathetic, dumb plan from pathetic people."),
    ("Karl", "You are all morons. Shut up and drive."),
)


async def main(folder: Path) -> None:
    """Start a demo of its own, fill it, and write the pictures."""
    program = find_program("chromium")
    with tempfile.TemporaryDirectory() as home:
        async with Installation(Path(home) / "home") as installation, async_playwright() as playwright:
            await installation.start()
            await fill(installation)
            browser = await playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
            for scheme in ("light", "dark"):
                await card(browser, installation, folder, scheme)
            await picker(browser, installation, folder)
            await phone(browser, installation, folder)
            await dashboard(browser, installation, folder)
            await browser.close()


async def fill(installation: Installation) -> None:
    """Write what readers wrote, and wait until the words that the model reacted to are found."""
    page = quote(installation.demo["page"], safe="")
    for name, body in CIVIL:
        answer = await installation.submit(body, page=page, wait=10, author={"name": name})
    parent = answer.json()["comment"]["id"]
    token: dict[str, str] = {}
    for name, body in (*OTHERS, *ANSWERS):
        fields: dict[str, Any] = {"parent_id": parent} if (name, body) in ANSWERS else {}
        headers = (
            {"authorization": f"Bearer {token[name]}", "prefer": "wait=10"} if name in token else {"prefer": "wait=10"}
        )
        path = f"/v1/sites/demo/threads/{page}/comments"
        answer = await installation.client.post(
            path, json={"body": body, "author": {"name": name}, **fields}, headers=headers
        )
        token[name] = answer.json().get("author_token") or token[name]
        parent = answer.json()["comment"]["id"] if (name, body) == ANSWERS[0] else parent
    await eventually(lambda: _has_spans(installation), 30)


async def _has_spans(installation: Installation) -> bool:
    headers = {"authorization": f"Bearer {installation.demo['moderator2_token']}"}
    claimed = await installation.client.post("/v1/review/demo/claims", json={"limit": 50}, headers=headers)
    items = claimed.json()["items"]
    for item in items:
        path, lease = f"/v1/review/demo/items/{item['item_id']}/release", {"lease": item["lease"]["token"]}
        await installation.client.post(path, json=lease, headers=headers)
    return bool(items) and all(item["spans"] for item in items)


async def card(browser: Browser, installation: Installation, folder: Path, scheme: Any) -> None:
    """Take the queue with a card that answers another comment."""
    options = {"token": "admin_token", "color_scheme": scheme, "height": 820, "reduced_motion": "reduce"}
    async with Moderator.at(browser, installation, **options) as moderator:
        await find(moderator, "Rolf", "flour")
        await moderator.page.keyboard.press("b")
        await moderator.page.screenshot(path=folder / f"console-card-{scheme}.png")


async def picker(browser: Browser, installation: Installation, folder: Path) -> None:
    """Take a card with the reasons open."""
    async with Moderator.at(browser, installation, height=820, reduced_motion="reduce") as moderator:
        await moderator.press("r")
        await moderator.page.get_by_label("Note for colleagues").fill("The second time today.")
        await moderator.page.screenshot(path=folder / "console-reasons.png")


async def phone(browser: Browser, installation: Installation, folder: Path) -> None:
    """Take a card as a telephone shows it, after a decision that can be taken back."""
    options = {"width": 390, "height": 780, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    async with Moderator.at(browser, installation, **options) as moderator:  # type: ignore[arg-type]
        await moderator.shown()
        await moderator.page.get_by_role("button", name="Approve").tap()
        await expect(moderator.said("Approved")).to_be_visible()
        await moderator.shown()
        await moderator.page.screenshot(path=folder / "console-phone.png")
        await moderator.page.get_by_role("button", name="Undo").tap()
        await moderator.shown()


async def dashboard(browser: Browser, installation: Installation, folder: Path) -> None:
    """Take the dashboard, with invented figures in the shape of the real ones."""

    async def invented(route: Route) -> None:
        real = await (await route.fetch()).json()
        await route.fulfill(body=json.dumps(figures(real)), content_type="application/json")

    async with Moderator.at(browser, installation, height=1320, reduced_motion="reduce") as moderator:
        await moderator.page.route("**/stats?*", invented)
        await moderator.open("dashboard")
        await expect(moderator.page.locator(".plot svg")).to_have_count(6)
        await moderator.page.screenshot(path=folder / "console-dashboard.png", full_page=True)


def figures(real: dict[str, Any]) -> dict[str, Any]:
    """Answer the real answer with the figures of a busy month in place of its own."""
    days = [
        {
            "day": day["day"],
            "submitted": 720 + 160 * (number * 7 % 5) - 260 * (number % 7 in (5, 6)),
            "published": 610 + 130 * (number * 7 % 5) - 230 * (number % 7 in (5, 6)),
            "held": 64 + 17 * (number * 3 % 4),
            "rejected": 31 + 9 * (number * 5 % 3),
            "removed": 4 + number * 2 % 5,
        }
        for number, day in enumerate(real["days"])
    ]
    people = [
        {
            "actor": name,
            "name": name,
            "decisions": count,
            "actions": {"approve": count // 2, "reject": count - count // 2},
        }
        for name, count in (("Nora", 1204), ("Ada", 861), ("Mehmet", 640), ("Jonas", 217))
    ]
    waiting = [
        {"queue": "default", "decided": 2310, "p50_seconds": 412.0, "p90_seconds": 2100.0},
        {"queue": "reports", "decided": 340, "p50_seconds": 185.0, "p90_seconds": 900.0},
        {"queue": "escalated", "decided": 41, "p50_seconds": 2900.0, "p90_seconds": 9800.0},
    ]
    return {
        **real,
        "days": days,
        "decided": {"machine": 21840, "people": 2922, "machine_share": 0.882},
        "waiting": waiting,
        "moderators": people,
        "second_opinions": {"of": 214, "number": 191, "share": 0.893, "low": 0.844, "high": 0.927},
        "sample": {
            "published_wrongly": {"of": 420, "number": 9, "share": 0.0214, "low": 0.0113, "high": 0.0402},
            "rejected_wrongly": {"of": 96, "number": 4, "share": 0.0417, "low": 0.0163, "high": 0.1023},
        },
    }


async def find(moderator: Moderator, *words: str) -> None:
    """Go through the cards at hand until one has the words."""
    await moderator.shown()
    for _ in range(6):
        text = await moderator.card.inner_text()
        if all(word in text for word in words):
            return
        await moderator.page.keyboard.press("n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
