"""The demo page in Chromium: what a reader writes, what becomes of it, and how honestly the page says so."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from service import demo
from tests.browser.reader import Reader
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

INDEX = Path("service/static/demo/index.html")
CIVIL = "I take the tram to work, and it is full every morning."
RUDE = "You are an idiot, dear editor."
ABUSE = "Fuck you, you worthless piece of shit"


async def test_a_civil_comment_is_published_before_the_readers_eyes(reader: Reader) -> None:
    """A civil comment appears as published, is counted in the title, and takes the focus."""
    card = await reader.write(CIVIL, "Ada Lovelace")
    await expect(card.locator(".badge")).to_have_text("Published")
    await expect(card.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    await expect(card).to_be_focused()
    await expect(reader.page).to_have_title(re.compile(r"^\(\d+\) Should the city"))
    await expect(reader.page.get_by_role("textbox", name="Your comment")).to_have_value("")


async def test_a_rude_comment_waits_for_a_person_and_then_appears(reader: Reader, installation: Installation) -> None:
    """A borderline comment says that it waits and why, and turns to published when a moderator approves it."""
    card = await reader.write(RUDE)
    await expect(card.locator(".badge")).to_have_text("Waiting for review")
    await expect(card.locator(".note")).to_contain_text("This comment attacks or insults others.")
    await expect(card.locator(".note")).not_to_contain_text("toxicity")
    headers = {"authorization": f"Bearer {installation.demo['moderator_token']}"}
    claimed = await installation.client.post("/v1/review/demo/claims", json={"limit": 50}, headers=headers)
    [item] = [item for item in claimed.json()["items"] if item["comment"]["body"] == RUDE]
    decision = {"lease": item["lease"]["token"], "revision": item["revision"], "action": "approve"}
    path = f"/v1/review/demo/items/{item['item_id']}/decision"
    assert (await installation.client.post(path, json=decision, headers=headers)).status_code == 200
    await expect(card.locator(".badge")).to_have_text("Published", timeout=15_000)


@pytest.mark.parametrize("width", [375, 1100])
async def test_the_box_of_an_own_comment_keeps_to_the_column(reader: Reader, width: int) -> None:
    """The border around one's own held comment is as wide as the thread, on a telephone as on a desk."""
    await reader.page.set_viewport_size({"width": width, "height": 800})
    card = await reader.write(f"You are an idiot, dear reader of {width} points.")
    await expect(card.locator(".badge")).to_have_text("Waiting for review")
    box, column = await card.bounding_box(), await reader.page.locator("#thread").bounding_box()
    assert box is not None
    assert column is not None
    assert box["x"] >= column["x"]
    assert box["x"] + box["width"] <= column["x"] + column["width"]
    assert await reader.page.evaluate("document.documentElement.scrollWidth") <= width


async def test_gross_abuse_is_not_accepted_and_the_reason_is_told(
    reader: Reader, browser: Browser, installation: Installation
) -> None:
    """Gross abuse is seen by no other reader, before and after a moderator rejects it, and its author reads why."""
    card = await reader.write(ABUSE)
    await expect(card.locator(".badge")).to_have_text("Waiting for review")
    headers = {"authorization": f"Bearer {installation.demo['moderator_token']}"}
    claimed = await installation.client.post("/v1/review/demo/claims", json={"limit": 50}, headers=headers)
    [item] = [item for item in claimed.json()["items"] if item["comment"]["body"] == ABUSE]
    decision = {
        "lease": item["lease"]["token"], "revision": item["revision"], "action": "reject", "reasons": ["toxicity"],
    }  # fmt: skip
    path = f"/v1/review/demo/items/{item['item_id']}/decision"
    assert (await installation.client.post(path, json=decision, headers=headers)).status_code == 200
    await expect(card.locator(".badge")).to_have_text("Not accepted", timeout=15_000)
    await expect(card.locator(".note")).to_contain_text("This comment attacks or insults others.")
    async with Reader.at(browser, reader.url) as other:
        await expect(other.card(ABUSE)).to_have_count(0)


async def test_an_author_meets_the_own_hidden_comments_again(reader: Reader) -> None:
    """After a reload the author still sees a comment that waits; its text is nowhere in the public thread."""
    body = "You are an idiot, dear mayor."
    await reader.write(body)
    await expect(reader.card(body).locator(".badge")).to_have_text("Waiting for review")
    await reader.open()
    await expect(reader.card(body).locator(".badge")).to_have_text("Waiting for review")
    await reader.page.evaluate("localStorage.clear()")
    await reader.open()
    await expect(reader.card(body)).to_have_count(0)


async def test_a_reply_is_nested_and_a_deleted_parent_leaves_an_empty_place(reader: Reader) -> None:
    """A reply stands under its parent; deleting the parent leaves an empty place, then the reply takes both away."""
    parent = await reader.write("A question: who pays for the new trams?")
    answer = await reader.reply(parent, "The ring road car parks could pay for them.")
    await expect(reader.page.locator(".replies").filter(has=answer)).to_have_count(1)
    await parent.get_by_role("button", name="Delete your comment").click()
    await reader.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    empty = reader.page.locator(".tombstone")
    await expect(empty).to_have_count(1)
    await reader.open()
    await expect(empty).to_have_count(1)
    await answer.get_by_role("button", name="Delete your comment").click()
    await reader.page.keyboard.press("Escape")
    await expect(answer).to_have_count(1)
    await answer.get_by_role("button", name="Delete your comment").click()
    await reader.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(answer).to_have_count(0)
    await expect(empty).to_have_count(0)


async def test_an_edit_is_judged_like_a_comment(reader: Reader) -> None:
    """A civil edit replaces the text; a rude one waits below it while the published text stays."""
    card = await reader.write("The squares will be full of chairs again.")
    await card.get_by_role("button", name="Edit your comment").click()
    await card.get_by_role("textbox", name="Your comment").fill("Since then the square has been full of people again.")
    await card.get_by_role("button", name="Save").click()
    edited = reader.card("full of people again")
    await expect(edited).to_contain_text("edited just now")
    await edited.get_by_role("button", name="Edit your comment").click()
    await edited.get_by_role("textbox", name="Your comment").fill("You are all idiots.")
    await edited.get_by_role("button", name="Save").click()
    await expect(edited.locator(".note")).to_contain_text("Your edit: waiting for review.")


async def test_markup_is_shown_as_text(reader: Reader) -> None:
    """What looks like HTML in a comment is shown as it was written, and nothing of it becomes an element."""
    body = "Some say <img src=x onerror=alert(1)> and <b>trams</b> are the answer."
    card = await reader.write(body, name="<i>Eve</i>")
    await expect(card.locator(".text")).to_have_text(body)
    await expect(card.get_by_role("heading")).to_have_text("<i>Eve</i>")
    await expect(card.locator(".text img, .text b, h4 i")).to_have_count(0)


async def test_a_draft_survives_a_service_that_is_away(reader: Reader) -> None:
    """A comment that could not be sent stays in the form, says why, and a retry carries the same Idempotency-Key."""
    keys = []

    async def fail_once(route: Route) -> None:
        keys.append(await route.request.header_value("idempotency-key"))
        await (route.abort() if len(keys) == 1 else route.continue_())

    await reader.page.route("**/comments", fail_once)
    body = "The buses are full at eight in the morning."
    await reader.write(body)
    form = reader.page.locator("#compose form")
    await expect(form.get_by_role("alert")).to_contain_text("The service cannot be reached.")
    await expect(form.get_by_role("textbox", name="Your comment")).to_have_value(body)
    await form.get_by_role("button", name="Send comment").click()
    await expect(reader.card(body)).to_have_count(1)
    assert len(set(keys)) == 1
    assert len(keys) == 2
    assert [text for text in reader.complaints if "ERR_FAILED" not in text] == []
    reader.complaints.clear()


async def test_a_problem_is_told_beside_the_form(reader: Reader) -> None:
    """A text that the service refuses is named as the field at fault, keeps the focus and is not lost."""
    body = "long " * 1_100
    await reader.write(body)
    form = reader.page.locator("#compose form")
    await expect(form.get_by_role("alert")).to_contain_text("body must have at most 5000 characters")
    text = form.get_by_role("textbox", name="Your comment")
    await expect(text).to_have_attribute("aria-invalid", "true")
    await expect(text).to_be_focused()
    await expect(text).to_have_value(body)
    assert all("status of 400" in text for text in reader.complaints)
    reader.complaints.clear()


async def test_more_replies_are_a_button_away(reader: Reader) -> None:
    """A root shows three replies at first and the others behind a button, under the comments they answer."""
    root = await reader.write("What would you use the free space for?")
    for number in range(5):
        await expect(await reader.reply(root, f"Idea {number}: a garden for the school.")).to_have_count(1)
    await reader.open()
    item = reader.page.locator(".comment").filter(has=root)
    await expect(item.locator(".replies .card")).to_have_count(3)
    await item.get_by_role("button", name="Show more replies").click()
    await expect(item.locator(".replies .card")).to_have_count(5)
    await expect(item.get_by_role("button", name="Show more replies")).to_be_hidden()


async def test_an_empty_thread_invites(browser: Browser, tmp_path: Path) -> None:
    """A page that nobody wrote under says so, under the prompt that the API gives."""
    async with Installation(tmp_path / "home") as installation:
        await installation.start()
        async with Reader.at(browser, installation.url) as reader:
            await expect(reader.page.get_by_text("Nobody has written yet.")).to_be_visible()
            await expect(reader.page.get_by_role("heading", level=2)).to_have_text(
                "What is your opinion on this topic?"
            )
            await expect(reader.page).to_have_title(re.compile("^Should the city"))


def test_the_page_is_about_the_demo_thread() -> None:
    """The static page names the site and the page key that the demo makes."""
    page = INDEX.read_text()
    assert f'data-site="{demo.SITE}"' in page
    assert f'data-page="{demo.PAGE}"' in page
    assert demo.TITLE in page
