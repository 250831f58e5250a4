"""The widget as it is read: live, deep links, orders, languages, small screens, signed readers, what servers render."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Route, expect

from tests.browser.newspaper import Newspaper, at
from tests.browser.reader import acts
from tests.browser.site import seed
from tests.eventually import eventually
from tests.journey.harness import Installation
from tests.service.publisher import AUDIENCE, ISSUER, SECRET, claims, sign

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


def violations(found: Any) -> list[str]:
    """Answer what axe found, in short."""
    return [
        f"{one['id']}: {node['html'][:200]} {node['any'][:1]}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


async def test_two_windows_hear_of_each_other(browser: Browser, newspaper: Newspaper) -> None:
    """What one writes is counted for the other and shown when asked for; edits and removals are applied in place."""
    async with at(browser, newspaper, "live") as one, at(browser, newspaper, "live") as two:
        card = await one.write("The first of two windows.")
        await expect(card).to_be_focused()
        pill = two.page.get_by_role("button", name="1 new comment")
        await expect(pill).to_be_visible()
        await expect(two.card("The first of two windows.")).to_have_count(0)
        await expect(two.title).to_have_text("1 comment")
        await pill.click()
        await expect(two.card("The first of two windows.")).to_be_focused()
        await expect(pill).to_be_hidden()
        await acts(card).get_by_role("button", name="Edit").click()
        await card.get_by_label("Your comment").fill("The first of two windows, said better.")
        await card.get_by_role("button", name="Save").click()
        await expect(two.card("said better.")).to_have_count(1)
        await acts(one.card("said better.")).get_by_role("button", name="Delete").click()
        await one.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(two.page.locator("article.c")).to_have_count(0)
        await expect(two.title).to_have_text("Leave the first comment")


async def test_news_does_not_move_what_one_reads(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """While somebody reads in the middle of the thread, comments that come stand nowhere until asked for."""
    await seed(installation, "steady", 60, reply_share=0.0)
    async with at(browser, newspaper, "steady") as reader:
        card = reader.page.locator("article.c").nth(8)
        await card.scroll_into_view_if_needed()
        before = await card.bounding_box()
        await installation.submit("The city should plant more trees.", page="steady", wait=10)
        await expect(reader.page.get_by_role("button", name="1 new comment")).to_be_visible()
        assert await card.bounding_box() == before


async def test_without_a_stream_the_thread_is_asked_again(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """Where streams do not get through, what is new is found by asking."""
    async with at(browser, newspaper, "poll") as reader:
        await reader.page.route("**/live", lambda route: route.abort())
        await reader.open()
        await installation.submit("Nobody streams this sentence.", page="poll", wait=10)
        await expect(reader.page.get_by_role("button", name="1 new comment")).to_be_visible(timeout=25_000)
        reader.forgive("ERR_FAILED")


async def test_a_permalink_leads_deep_into_ten_thousand_comments(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """A link to a comment on a late page shows it at once with what it answers, focused and in view."""
    ids = await seed(installation, "deep", 10_000)
    deep = ids[400]
    async with at(browser, newspaper, "deep") as reader:
        await reader.open(f"#c-{deep}")
        card = reader.page.locator(f"#c-{deep}")
        await expect(card).to_be_focused()
        await expect(card).to_be_in_viewport()
        found = (await installation.client.get(f"/v1/sites/demo/comments/{deep}")).json()
        for ancestor in found["ancestors"]:
            await expect(reader.page.locator(f"#c-{ancestor['id']}").filter(has=card)).to_have_count(1)
        await expect(reader.title).to_have_text("10,000 comments")


async def test_orders_and_more(browser: Browser, newspaper: Newspaper, installation: Installation) -> None:
    """Each order begins with its own first comment, and more comments come by a button that leads on to them."""
    ids = await seed(installation, "orders", 50, reply_share=0.0)
    async with at(browser, newspaper, "orders") as reader:
        cards = reader.page.locator(".list > article.c")
        await expect(cards).to_have_count(20)
        await expect(cards.first).to_have_attribute("data-id", ids[-1])
        await reader.page.get_by_role("button", name="More comments").click()
        await expect(cards).to_have_count(40)
        await expect(cards.nth(20)).to_be_focused()
        await reader.page.get_by_label("Sort by").select_option("Oldest")
        await expect(cards.first).to_have_attribute("data-id", ids[0])
        await reader.page.get_by_label("Sort by").select_option("Most liked")
        most = (await installation.client.get("/v1/sites/demo/threads/orders?sort=likes")).json()["comments"][0]["id"]
        await expect(cards.first).to_have_attribute("data-id", most)


async def test_of_two_orders_the_later_one_stays(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """An order whose answer comes after that of the next one is not mixed into it."""
    ids = await seed(installation, "two-orders", 30, reply_share=0.0)
    late = asyncio.Event()

    async def slowly(route: Route) -> None:
        answer = await route.fetch()
        await late.wait()
        await route.fulfill(response=answer)

    async with at(browser, newspaper, "two-orders") as reader:
        cards = reader.page.locator(".list > article.c")
        await expect(cards).to_have_count(20)
        await reader.page.route("**/threads/two-orders?sort=likes*", slowly)
        order = reader.page.get_by_label("Sort by")
        async with reader.page.expect_request("**/threads/two-orders?sort=likes*"):
            await order.select_option("Most liked")
        await order.select_option("Oldest")
        await expect(cards.first).to_have_attribute("data-id", ids[0])
        async with reader.page.expect_response("**/threads/two-orders?sort=likes*"):
            late.set()
        await reader.page.get_by_role("button", name="More comments").click()
        await expect(cards).to_have_count(30)
        assert [await one.get_attribute("data-id") for one in await cards.all()] == ids


async def test_more_replies_are_a_button_away(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """A root shows its first replies and the others behind a button, each under the comment it answers."""
    ids = await seed(installation, "replies", 30, reply_share=1.0)
    async with at(browser, newspaper, "replies") as reader:
        cards = reader.page.locator("article.c")
        await expect(cards).to_have_count(4)
        await reader.page.get_by_role("button", name="More replies").click()
        await expect(cards).to_have_count(24)
        await reader.page.get_by_role("button", name="More replies").click()
        await expect(cards).to_have_count(len(ids))
        await expect(reader.page.get_by_role("button", name="More replies")).to_be_hidden()


async def test_long_comments_are_folded(browser: Browser, newspaper: Newspaper, installation: Installation) -> None:
    """A long comment shows its beginning and all of it on request."""
    body = "\n\n".join(f"Point {number}: the ring road was planned for half of its traffic." for number in range(40))
    await installation.submit(body, page="long", wait=10)
    async with at(browser, newspaper, "long") as reader:
        text = reader.page.locator("article.c > .body")
        await expect(text).to_have_class(re.compile(r"\blong\b"))
        await reader.page.get_by_role("button", name="Read all").click()
        await expect(text).not_to_have_class(re.compile(r"\blong\b"))


async def test_a_signed_reader_whose_identity_ran_out(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """A token that ran out while the page was open is fetched anew; the comment is sent once, under the name."""
    headers = {"authorization": f"Bearer {installation.demo['admin_token']}"}
    wanted: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "algorithm": "HS256", "secret": SECRET}
    wanted["badges"] = {"editor": "staff"}
    await installation.client.put("/v1/admin/sites/demo/identity", headers=headers, json=wanted)
    now = datetime.now(UTC)
    newspaper.token = sign(claims(now, sub="reader-9", name="Grace Hopper", iat=int(now.timestamp()) - 7200,
                                  exp=int(now.timestamp()) - 3600))  # fmt: skip
    async with at(browser, newspaper, "signed", address={"signed": "1"}) as reader:
        await expect(reader.form).to_contain_text("You write as Grace Hopper")
        await expect(reader.form.get_by_label("Name")).to_have_count(0)
        newspaper.token = sign(claims(now, sub="reader-9", name="Grace Hopper", roles=["editor"]))
        card = await reader.write("Signed by my own newspaper.", name=None)
        await expect(card).to_be_focused()
        await expect(card.locator("> .by .name")).to_have_text("Grace Hopper")
        await expect(card.locator("> .by .badge")).to_have_text(["you", "staff"])
        await expect(reader.page.locator("article.c")).to_have_count(1)
        reader.forgive("status of 401")
    newspaper.token = ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("forced", ["none", "active"])
async def test_axe_finds_nothing(
    browser: Browser, newspaper: Newspaper, installation: Installation, scheme: str, forced: str
) -> None:
    """Contrast, names, roles and order hold with a thread, an open form, a held comment, the menu and a dialog."""
    page = f"axe-{scheme}-{forced}"
    await installation.submit("I would take the bus if there were one.", page=page, wait=10)
    options: dict[str, Any] = {"color_scheme": scheme, "forced_colors": forced, "reduced_motion": "reduce"}
    async with at(browser, newspaper, page, **options) as reader:
        await reader.write(f"You are an idiot, dear reader of {page}.")
        card = reader.card("I would take the bus")
        await acts(card).get_by_role("button", name="Reply").click()
        await acts(card).locator("summary").click()
        found = await Axe().run(reader.page)
        assert violations(found) == []
        await acts(card).get_by_role("button", name="Report").click()
        await reader.page.get_by_label("It breaks a law").check()
        found = await Axe().run(reader.page)
        assert violations(found) == []


async def test_from_right_to_left(browser: Browser, newspaper: Newspaper, installation: Installation) -> None:
    """On an Arabic page the widget speaks Arabic, counts in its plurals, and stands from right to left."""
    for number in range(3):
        await installation.submit(f"The same tram, number {number}.", page="rtl", wait=10)
    async with at(browser, newspaper, "rtl", address={"lang": "ar"}) as reader:
        await expect(reader.title).to_have_text(re.compile("تعليقات"))
        card = reader.card("number 2")
        name, box = await card.locator("> .by .name").bounding_box(), await card.bounding_box()
        assert name is not None
        assert box is not None
        assert name["x"] > box["x"] + box["width"] / 2
        await reader.form.get_by_role("textbox").first.focus()
        await expect(reader.form.get_by_role("button", name="إرسال")).to_be_visible()


@pytest.mark.parametrize("language", ["de", "fr", "es"])
async def test_the_page_chooses_the_language(browser: Browser, newspaper: Newspaper, language: str) -> None:
    """The page's `lang` chooses the words."""
    words = {
        "de": "Schreiben Sie den ersten Kommentar",
        "fr": "Laissez le premier commentaire",
        "es": "Deje el primer comentario",
    }
    async with at(browser, newspaper, f"in-{language}", address={"lang": language}) as reader:
        await expect(reader.title).to_have_text(words[language])


@pytest.mark.parametrize("width", [320, 390])
async def test_a_telephone_scrolls_in_one_direction(
    browser: Browser, newspaper: Newspaper, installation: Installation, width: int
) -> None:
    """At 320 points, which is also a desk at four times the size, nothing is wider than the page, deep replies too."""
    await seed(installation, f"phone-{width}", 60, reply_share=1.0, max_depth=8)
    options: dict[str, Any] = {
        "viewport": {"width": width, "height": 700}, "has_touch": True, "is_mobile": True,
    }  # fmt: skip
    async with at(browser, newspaper, f"phone-{width}", **options) as reader:
        await reader.page.get_by_role("button", name="More replies").click()
        await reader.write("You are an idiot, dear telephone.")
        assert await reader.page.evaluate("document.documentElement.scrollWidth") <= width
        column = await reader.page.locator("colloquy-thread").bounding_box()
        deepest = await reader.page.locator(".replies .replies .replies .replies .c").last.bounding_box()
        assert column is not None
        if deepest is not None:
            assert deepest["x"] + deepest["width"] <= column["x"] + column["width"] + 1
            assert deepest["width"] > column["width"] / 2


async def test_what_the_server_rendered_is_taken_over(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """What a publisher's server put into the element stays the same nodes and gets its buttons; what is stale goes."""
    submitted = await installation.submit("Rendered by the server first.", page="fragment", wait=10)
    comment_id = submitted.json()["comment"]["id"]
    fragment = await installation.client.get("/v1/sites/demo/threads/fragment/fragment")
    assert fragment.status_code == 200, fragment.text
    gone = '<article class="c" data-id="gone" id="c-gone"><div class="body">Taken down since.</div></article>'
    newspaper.inside = fragment.text.replace('<article class="c"', f'{gone}<article class="c"', 1)
    await installation.submit("Written since then.", page="fragment", wait=10)
    try:
        async with at(browser, newspaper, "fragment", address={"tall": "1"}) as reader:
            await reader.page.goto(f"{reader.url}&again=1")
            await expect(reader.page.get_by_text("Taken down since.")).to_have_count(1)
            assert await reader.page.evaluate(f"(window.kept = document.getElementById('c-{comment_id}')) !== null")
            await reader.page.locator("colloquy-thread").scroll_into_view_if_needed()
            card = reader.card("Rendered by the server first.")
            await expect(acts(card).get_by_role("button", name="Reply")).to_be_visible()
            root = "document.querySelector('colloquy-thread').shadowRoot"
            assert await reader.page.evaluate(f"window.kept === {root}.getElementById('c-{comment_id}')")
            await expect(reader.page.locator("colloquy-thread article.c > .body")).to_have_text(
                ["Written since then.", "Rendered by the server first."]
            )
    finally:
        newspaper.inside = ""


async def test_nothing_is_fetched_before_the_reader_comes_near(browser: Browser, newspaper: Newspaper) -> None:
    """Far above the thread only the small module is there; near it everything comes, and goes with the page hidden."""
    asked: list[str] = []
    async with at(browser, newspaper, "lazy") as reader:
        reader.page.on("request", lambda request: asked.append(request.url))
        await reader.page.goto(newspaper.article("lazy", tall="1"))
        await reader.page.wait_for_load_state("networkidle")
        assert [url for url in asked if newspaper.service in url] == [f"{newspaper.service}/widget.js"]
        await reader.page.locator("colloquy-thread").scroll_into_view_if_needed()
        await expect(reader.form).to_be_visible()
        await eventually(lambda: any(url.endswith("/live") for url in asked))
