"""All hostile texts in Chromium, in every field that it shows: nothing runs, nothing is fetched, nothing is markup."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec
import pytest
from playwright.async_api import Browser, Page, Route, expect

from service import schemas
from service.flow import fragment, reader_page
from service.flow.fragment import Look
from service.flow.sanitise import to_html
from tests.browser.moderator import Moderator, hold
from tests.browser.newspaper import Newspaper
from tests.browser.reader import Reader
from tests.browser.site import ask
from tests.hostile import HOSTILE, SANITISED, Hostile
from tests.journey.harness import Installation
from tests.service.reporting import NOTICE
from tests.service.test_any_text import SITE, comment

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]
REVIEW = "/v1/review/demo"
WORDS = {"body", "detail", "law", "text", "note", "answer", "prompt", "title", "page", "name", "by", "queue"}
#: So many the queue has at hand; the list has more.
AHEAD = 4
SLOW = 30_000
#: So that an age, "25 days ago", begins with two signs, which can be seen to be turned around.
LONG_AGO = (datetime.now(UTC) - timedelta(days=25)).isoformat()
EVERYTHING = Hostile("all", " ".join(one.text for one in HOSTILE if one.kind != "lengths"))
#: What runs tells on itself; so does what only a content policy stopped.
WATCH = """() => {
  window.__tripped ??= [];
  for (const name of ["trip", "alert", "confirm", "prompt"]) window[name] = () => window.__tripped.push(name);
  addEventListener("securitypolicyviolation", (event) => window.__tripped.push(`policy: ${event.blockedURI}`));
}"""
#: Elements by their names, with every attribute, below an element; and the words of ours that a text turned around.
LOOK = """() => {
  const all = (root) => [...(root.shadowRoot ?? root).querySelectorAll("*")].flatMap((el) =>
    el.shadowRoot ? [el, ...all(el)] : [el]);
  const range = document.createRange();
  const left = (node, at) => {
    range.setStart(node, at);
    range.setEnd(node, at + 1);
    return range.getBoundingClientRect();
  };
  const isTurned = (el) => {
    const node = el.firstChild;
    if (node?.nodeType !== Node.TEXT_NODE || !/^\\w\\w/.test(node.data)) return false;
    const [first, second] = [left(node, 0), left(node, 1)];
    return first.width > 0 && first.top === second.top && first.left > second.left;
  };
  const known = /^(https?:|mailto:|#|\\/|data:image\\/svg)/i;
  const found = all(document);
  return {
    tags: [...new Set(found.map((el) => el.localName))],
    bad: found.filter((el) => [...el.attributes].some(({ name, value }) => /^on|^srcdoc$/.test(name)
      || (/^(href|src|action|formaction)$/.test(name) && !known.test(value.trim()))))
      .map((el) => el.outerHTML.slice(0, 200)),
    turned: found.filter((el) => el.matches("time, small, .tag, .badge, button, label, h3") && isTurned(el))
      .map((el) => el.outerHTML.slice(0, 200)),
    tripped: window.__tripped,
  };
}"""
#: The parts of comments that the sanitiser made.
BODIES = """() => {
  const root = document.querySelector("colloquy-thread")?.shadowRoot ?? document;
  const found = [...root.querySelectorAll("article > .body *")];
  return found.map((el) => [el.localName, el.getAttributeNames(), el.href ?? null]);
}"""
NAMES = """() => {
  const root = document.querySelector("colloquy-thread")?.shadowRoot ?? document;
  return [...root.querySelectorAll("article .name")].map((el) => el.textContent);
}"""
NEVER = {
    "script",
    "iframe",
    "frame",
    "object",
    "embed",
    "base",
    "math",
    "img",
    "video",
    "audio",
    "template",
    "style",
    "x",
}


def id_of(number: int) -> str:
    """Answer the id of the comment that is made of a text."""
    return str(UUID(int=(0x0190A0A0 << 96) | (7 << 76) | (2 << 62) | number))


def page_of(url: str) -> schemas.ThreadPage:
    """Answer a thread with a comment for each text."""
    view = schemas.ThreadView("hostile", EVERYTHING.text, EVERYTHING.text, url, "open", len(HOSTILE), 1)
    made = [
        msgspec.structs.replace(
            comment(one.name, one.body), id=id_of(number), replies=[], replies_next=None, reply_count=0,
            author=schemas.Author(one.name, "guest", [one.text], None, one.text),
        )
        for number, one in enumerate(HOSTILE)
    ]  # fmt: skip
    return schemas.ThreadPage(view, made, None)


def markup(paper: Newspaper, page: schemas.ThreadPage, *, whole: bool) -> str:
    """Answer the thread as our server writes it."""
    context: Any = SimpleNamespace(settings=SimpleNamespace(url=paper.service))
    site: Any = SimpleNamespace(**{**vars(SITE), "slug": "demo", "allowed_origins": [paper.url]})
    return fragment._written(
        site, None, page, fragment._scene(context, site, page.thread.page, Look(whole, "newest", None, None))
    )


async def check(page: Page, *, scripts: bool) -> None:
    """Check that nothing ran or was stopped only by the policy, and that only our own elements are there."""
    found = await page.evaluate(LOOK)
    assert found["tripped"] == []
    assert found["bad"] == []
    assert found["turned"] == []
    assert not set(found["tags"]) & (NEVER - ({"script"} if scripts else set()))


async def check_bodies(page: Page) -> None:
    """Check every comment's body and name as the browser has them."""
    for tag, attributes, address in await page.evaluate(BODIES):
        assert tag in SANITISED
        assert set(attributes) <= {"href", "rel"}
        assert not address or address.startswith(("https://", "http://", "mailto:"))
    # What no field takes a page drops, and a script shows as a sign.
    shown = [re.sub("[\0\ufffd]", "", name).split() for name in await page.evaluate(NAMES)]
    assert shown == [re.sub("[\0\ufffd]", "", one.name).split() for one in HOSTILE]


async def test_the_widget_and_the_page_without_it(browser: Browser, newspaper: Newspaper) -> None:
    """The widget takes over what the server rendered, draws it all again, and both are texts under a strict policy."""
    thread = page_of(f'{newspaper.url}/"><svg onload=trip()>')
    newspaper.inside = markup(newspaper, thread, whole=False)

    async def answer(route: Route) -> None:
        await route.fulfill(response=await route.fetch(), json=msgspec.to_builtins(thread))

    address = newspaper.article("hostile")
    async with Reader.at(browser, newspaper.article("calm"), origins=[newspaper.service]) as reader:
        await reader.page.add_init_script(f"({WATCH})()")
        await reader.page.route("**/threads/hostile?*", answer)
        reader.url = address
        await reader.open()
        await expect(reader.page.locator("colloquy-thread article.c")).to_have_count(len(HOSTILE), timeout=SLOW)
        await check(reader.page, scripts=True)
        await check_bodies(reader.page)
        assert await reader.page.evaluate("violations") == []
        await standalone(reader, newspaper, thread)
    newspaper.inside = ""


async def standalone(reader: Reader, paper: Newspaper, thread: schemas.ThreadPage) -> None:
    """Check the thread as a page of its own."""
    site: Any = SimpleNamespace(allowed_origins=[paper.url])
    headers = {"content-type": "text/html; charset=utf-8", **reader_page.headers_of(site)}
    body = markup(paper, thread, whole=True)
    await reader.page.route("**/threads/hostile/fragment*", lambda route: route.fulfill(body=body, headers=headers))
    await reader.page.goto(f"{paper.service}/v1/sites/demo/threads/hostile/fragment?page=1")
    await expect(reader.page.locator("article.c")).to_have_count(len(HOSTILE), timeout=SLOW)
    found = await reader.page.evaluate(LOOK)
    assert (found["tripped"], found["bad"], found["turned"]) == ([], [], [])
    # The linked data and our own style are what the page has of these.
    assert await reader.page.locator("script, style").count() == 2
    await check_bodies(reader.page)


def spread(value: Any, hostile: Hostile, number: int) -> Any:
    """Answer an answer of the API with the text in place of all that people write."""
    if isinstance(value, list):
        return [spread(one, hostile, number) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: spread(one, hostile, number) for name, one in value.items()}
    found |= {name: hostile.text for name in WORDS & found.keys() if isinstance(found[name], str)}
    found |= {name: [hostile.text] for name in {"badges"} & found.keys()}
    found |= {"url": hostile.url} if "url" in found else {}
    found |= {"html": to_html(hostile.text)} if "html" in found else {}
    found |= {name: id_of(number) for name in ("id", "item_id") if name in found}
    found |= {"created_at": LONG_AGO} if "created_at" in found else {}
    return found


def many(answer: dict[str, Any], what: str) -> dict[str, Any]:
    """Answer a list of the API with an entry for each text, made like its first."""
    [sample, *_] = answer[what]
    return {**answer, what: [spread(copy.deepcopy(sample), one, n) for n, one in enumerate(HOSTILE)], "next": None}


async def samples(installation: Installation) -> dict[str, Any]:
    """Let there be something of each kind, and answer what the console is answered about it, by path."""
    token, admin = installation.demo["moderator_token"], installation.demo["admin_token"]
    answer = (await installation.submit("A calm opinion on hostile texts.", page="hostile-sample", wait=10)).json()
    comment_id = answer["comment"]["id"]
    path = f"/v1/sites/demo/comments/{comment_id}"
    await ask(installation, "POST", f"{path}/reports", body={"reason": "illegal_content", "illegal": NOTICE})
    taken = {"revision": 1, "action": "remove", "reasons": ["insult"], "note": "A note."}
    reports = await ask(installation, "GET", f"{REVIEW}/reports", token)
    await ask(installation, "POST", f"{REVIEW}/comments/{comment_id}/decision", token, taken)
    await ask(installation, "POST", f"{path}/appeals", answer["author_token"], {"text": "It was a quotation."})
    appeals = await ask(installation, "GET", f"{REVIEW}/appeals", token)
    [held] = await hold(installation, 1, "hostile sample")
    claimed = await ask(installation, "POST", f"{REVIEW}/claims", token, {"limit": 50})
    for item in claimed["items"]:
        lease = {"lease": item["lease"]["token"]}
        await installation.client.post(
            f"{REVIEW}/items/{item['item_id']}/release", json=lease, headers={"authorization": f"Bearer {token}"}
        )
    item = next(one for one in claimed["items"] if one["comment"]["id"] == held)
    item |= {
        "reports": reports["reports"][:1], "appeal": {"text": "x"}, "escalation": {"by": "x", "note": "x"},
        "parents": [item["comment"]] * 3,
    }  # fmt: skip
    search = await ask(installation, "GET", f"{REVIEW}/search?page=hostile-sample", token)
    author = search["comments"][0]["commenter_id"]
    return {
        "search": many(search, "comments"),
        "reports": many(reports, "reports"),
        "appeals": many(appeals, "appeals"),
        "threads": many(await ask(installation, "GET", f"{REVIEW}/threads", admin), "threads"),
        "claims": many({**claimed, "items": [item]}, "items"),
        "author": author,
        "comment": comment_id,
        f"commenters/{author}/comments": many(search, "comments"),
    }


@asynccontextmanager
async def console(browser: Browser, installation: Installation, given: dict[str, Any]) -> AsyncIterator[Moderator]:
    """Open the console, answered with what is given, in a profile that goes without giving back what nobody has."""
    async with await browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB") as context:
        moderator = Moderator(await context.new_page(), installation)
        kept = msgspec.json.encode({"token": installation.demo["moderator_token"], "site": "demo"}).decode()
        await context.add_init_script(f"({WATCH})()")
        await context.add_init_script(
            f"try {{ sessionStorage.setItem('colloquy.console.token', {kept!r}); }} catch {{}}"
        )

        async def answer(route: Route) -> None:
            path = route.request.url.partition("?")[0].partition(f"{REVIEW}/")[2]
            found = given.get(path)
            if path == "claims" and json.loads(route.request.post_data or "{}")["limit"] <= AHEAD:
                found = {**given["claims"], "items": [spread(given["claims"]["items"][0], EVERYTHING, 0)]}
            if path.endswith("/release"):
                await route.fulfill(status=204)
            else:
                await (route.continue_() if found is None else route.fulfill(json=found))

        await moderator.page.route(f"**{REVIEW}/**", answer)
        await moderator.page.route("**/sites/demo/comments/*", lambda route: alike(route))
        yield moderator
        assert moderator.complaints == []


async def alike(route: Route) -> None:
    """Answer a comment as it is, with all hostile texts in one in place of what people wrote."""
    response = await route.fetch()
    await route.fulfill(response=response, json=spread(await response.json(), EVERYTHING, 0))


async def test_the_console(browser: Browser, installation: Installation) -> None:
    """Search, reports, appeals, threads, an author's page, a comment's and the queue show every text as a text."""
    given = await samples(installation)
    async with console(browser, installation, given) as moderator:
        for view, rows in (
            ("search?page=x", "li[data-comment]"), ("reports", "ul.list > li, ol.list > li"),
            ("appeals", "ul.list > li, ol.list > li"), ("threads", "ul.list > li, ol.list > li"),
            (f"author/{given['author']}", "li[data-comment]"),
        ):  # fmt: skip
            await view_of_all(moderator, view, rows)
        await moderator.open(f"comment/{given['comment']}")
        await expect(moderator.page.locator(".panel .text").first).to_be_visible()
        await expect(moderator.page.locator(".panel .tag", has_text="Appeal: Open")).to_be_visible()
        await check(moderator.page, scripts=True)
        await moderator.open("queue")
        await expect(moderator.card).to_be_visible()
        await check(moderator.page, scripts=True)
        await view_of_all(moderator, "list", "li.item")


async def view_of_all(moderator: Moderator, view: str, rows: str) -> None:
    """Open a view that has a row for each text, and check it."""
    await moderator.open(view)
    await expect(moderator.page.locator(rows)).to_have_count(len(HOSTILE), timeout=SLOW)
    await check(moderator.page, scripts=True)
    assert await moderator.page.locator("script").count() == 2, view
