"""The widget on a publisher's own page: what a reader writes, what becomes of it, and how honestly it is said."""

import re
from typing import Any

import msgspec
import pytest
from playwright.async_api import Browser, Locator, Route, expect

from service import schemas
from tests.browser.newspaper import Newspaper, at
from tests.browser.reader import Reader, acts, note
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

CIVIL = "I take the tram to work, and it is full every morning."
RUDE = "You are an idiot, dear editor."
ABUSE = "Fuck you, you worthless piece of shit"


async def decide(installation: Installation, body: str, action: str, **fields: Any) -> None:
    """Decide as a moderator about the comment with this text."""
    headers = {"authorization": f"Bearer {installation.demo['moderator_token']}"}
    claimed = await installation.client.post("/v1/review/demo/claims", json={"limit": 50}, headers=headers)
    for item in claimed.json()["items"]:
        lease = item["lease"]["token"]
        path = f"/v1/review/demo/items/{item['item_id']}"
        if item["comment"]["body"] == body:
            decision = {"lease": lease, "revision": item["revision"], "action": action, **fields}
            answer = await installation.client.post(f"{path}/decision", json=decision, headers=headers)
            assert answer.status_code == 200, answer.text
        else:
            await installation.client.post(f"{path}/release", json={"lease": lease}, headers=headers)


async def choose(card: Locator, name: str) -> None:
    """Open the menu of a comment and take an entry."""
    await acts(card).locator("summary").click()
    await acts(card).get_by_role("button", name=name).click()


async def test_the_first_comment(browser: Browser, newspaper: Newspaper) -> None:
    """An empty thread invites; the first comment is published before the reader's eyes; no content policy is broken."""
    async with at(browser, newspaper, "first") as reader:
        await expect(reader.title).to_have_text("Leave the first comment")
        await expect(reader.form.get_by_text("What is your opinion on this topic?")).to_be_visible()
        card = await reader.write(CIVIL, "Ada Lovelace")
        await expect(card).to_be_focused()
        await expect(card.locator("> .by .name")).to_have_text("Ada Lovelace")
        await expect(card.locator("> .by")).to_contain_text("you")
        await expect(reader.said).to_have_text("Published.")
        await expect(reader.title).to_have_text("1 comment")
        await expect(reader.form.get_by_role("textbox").first).to_have_value("")
        assert await reader.page.evaluate("violations") == []


async def test_a_reply_stands_under_its_parent_and_folds(browser: Browser, newspaper: Newspaper) -> None:
    """A reply is written in place, stands under what it answers, and can be folded away with its count."""
    async with at(browser, newspaper, "reply") as reader:
        parent = await reader.write("A question: who pays for the new trams?")
        await expect(parent).to_be_focused()
        answer = await reader.reply(parent, "The ring road car parks could pay for them.", "Ines")
        await expect(answer).to_be_focused()
        await expect(parent.locator("> .replies > article")).to_have_count(1)
        await expect(reader.title).to_have_text("2 comments")
        await expect(acts(parent).get_by_role("button", name="1 reply")).to_have_attribute("aria-expanded", "true")
        await acts(parent).get_by_role("button", name="1 reply").click()
        await expect(answer).to_be_hidden()
        await expect(acts(parent).get_by_role("button", name="1 reply")).to_be_focused()


async def test_a_held_comment_waits_and_is_published(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """A borderline comment says that it waits and why; it turns to published, also after a reload in between."""
    async with at(browser, newspaper, "held") as reader:
        card = await reader.write(RUDE)
        await expect(note(card)).to_contain_text("Waiting for review.")
        await expect(note(card)).to_contain_text("This comment attacks or insults others.")
        await reader.open()
        await expect(note(card)).to_contain_text("Waiting for review.")
        await decide(installation, RUDE, "approve")
        await expect(note(card)).to_have_count(0, timeout=15_000)
        await expect(reader.said).to_contain_text("Published.")
        await expect(reader.title).to_have_text("1 comment")


async def test_a_rejected_comment_tells_why_and_can_be_appealed(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """What a moderator rejects no other reader sees; its author reads the reason and asks for another look."""
    async with at(browser, newspaper, "rejected") as reader:
        card = await reader.write(ABUSE)
        await expect(note(card)).to_contain_text("Waiting for review.")
        await decide(installation, ABUSE, "reject", reasons=["toxicity"])
        await expect(note(card)).to_contain_text("Not accepted.", timeout=15_000)
        await expect(note(card)).to_contain_text("This comment attacks or insults others.")
        await note(card).get_by_role("button", name="Appeal").click()
        dialog = reader.page.get_by_role("dialog", name="Appeal")
        await expect(dialog).to_contain_text("This comment attacks or insults others.")
        await dialog.get_by_label("Why should we look again?").fill("It was a quotation.")
        await dialog.get_by_role("button", name="Send").click()
        await expect(reader.said).to_have_text("Thank you. Somebody will look again.")
        for _ in range(2):
            await expect(note(card)).to_contain_text("Thank you. Somebody will look again.")
            await expect(note(card).get_by_role("button", name="Appeal")).to_have_count(0)
            await reader.open()
        async with at(browser, newspaper, "rejected") as other:
            await expect(other.card(ABUSE)).to_have_count(0)


async def test_an_edit_is_judged_like_a_comment(browser: Browser, newspaper: Newspaper) -> None:
    """A civil edit replaces the text; a rude one waits beside it while the published text stays."""
    async with at(browser, newspaper, "edit") as reader:
        card = await reader.write("The squares will be full of chairs again.")
        await acts(card).get_by_role("button", name="Edit").click()
        await card.get_by_label("Your comment").fill("Since then the square has been full of people again.")
        await card.get_by_role("button", name="Save").click()
        edited = reader.card("full of people again")
        await expect(edited.locator("> .by")).to_contain_text("edited")
        await acts(edited).get_by_role("button", name="Edit").click()
        await edited.get_by_label("Your comment").fill("You are all idiots.")
        await edited.get_by_role("button", name="Save").click()
        await expect(note(edited)).to_contain_text("Waiting for review.")
        await expect(note(edited).locator("blockquote")).to_have_text("You are all idiots.")


async def test_deleting_leaves_an_empty_place_where_others_answered(browser: Browser, newspaper: Newspaper) -> None:
    """Deleting is asked about; a parent leaves an empty place, and the last reply takes both away."""
    async with at(browser, newspaper, "delete") as reader:
        parent = await reader.write("May I ask something about the trams?")
        answer = await reader.reply(parent, "You just did.")
        await expect(answer).to_be_focused()
        await acts(parent).get_by_role("button", name="Delete").click()
        await reader.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(reader.page.locator(".c.gone")).to_have_count(1)
        await reader.open()
        await expect(reader.page.locator(".c.gone > .body")).to_have_text("This comment was deleted.")
        await acts(answer).get_by_role("button", name="Delete").click()
        await reader.page.keyboard.press("Escape")
        await expect(answer).to_have_count(1)
        await acts(answer).get_by_role("button", name="Delete").click()
        await reader.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(reader.page.locator("article.c")).to_have_count(0)
        await expect(reader.title).to_have_text("Leave the first comment")


async def test_a_like_is_counted_once_and_taken_back(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """A reader without a name likes a comment, still does after a reload, and takes it back; authors cannot."""
    await installation.submit("The trams are worth every coin.", page="like", wait=10)
    async with at(browser, newspaper, "like") as reader:
        like = acts(reader.card("worth every coin")).get_by_role("button", name="Like")
        async with reader.page.expect_response("**/reaction"):
            await like.click()
        await expect(like).to_have_attribute("aria-pressed", "true")
        await expect(like).to_have_text(re.compile("1"))
        await reader.open()
        await expect(like).to_have_attribute("aria-pressed", "true")
        await like.click()
        await expect(like).to_have_attribute("aria-pressed", "false")
        await expect(like).not_to_have_text(re.compile("1"))
        mine = await reader.write("My own words.")
        await expect(acts(mine).get_by_role("button", name="Like")).to_be_disabled()


async def test_reports_with_reasons(browser: Browser, newspaper: Newspaper, installation: Installation) -> None:
    """A reader reports with a reason and words, and another gives notice of what is illegal, with all that it needs."""
    submitted = await installation.submit("My neighbour of number nine never pays the fare.", page="report", wait=10)
    comment_id = submitted.json()["comment"]["id"]
    for notice in (False, True):
        async with at(browser, newspaper, "report") as reader:
            await choose(reader.card("number nine"), "Report")
            dialog = reader.page.get_by_role("dialog", name="Report")
            await dialog.get_by_role("button", name="Send").click()
            await expect(dialog).to_be_visible()
            if notice:
                await dialog.get_by_label("It breaks a law").check()
                await dialog.get_by_label("Which law?").fill("Section 185 of the Criminal Code")
                await dialog.get_by_label("Why is it illegal?").fill("It calls him a thief, who is none.")
                await dialog.get_by_label("Your name").fill("Berta Beispiel")
                await dialog.get_by_label("Your e-mail address").fill("berta@reader.example")
                await dialog.get_by_label("In good faith").check()
            else:
                await dialog.get_by_label("It insults somebody").check()
                await dialog.get_by_label("Anything else?").fill("The whole sentence.")
            await dialog.get_by_role("button", name="Send").click()
            await expect(reader.said).to_have_text("Thank you. A moderator will look at it.")
    headers = {"authorization": f"Bearer {installation.demo['moderator_token']}"}
    found = (await installation.client.get("/v1/review/demo/reports?limit=100", headers=headers)).json()["reports"]
    made = {one["reason"]: one for one in found if one["comment_id"] == comment_id}
    assert made["insult"]["detail"] == "The whole sentence."
    assert made["illegal_content"]["law"] == "Section 185 of the Criminal Code"
    assert made["illegal_content"]["contact"]


async def test_a_hidden_author_stays_hidden(browser: Browser, newspaper: Newspaper, installation: Installation) -> None:
    """Whom a reader hides is not read any more, after a reload too, until shown again."""
    await installation.submit("Bicycles belong on the ring road.", page="hide", wait=10)
    async with at(browser, newspaper, "hide") as reader:
        card = reader.page.locator("article.c")
        await choose(card, "Hide this author")
        await expect(card.locator("> .body")).to_contain_text("You hid this author.")
        await reader.open()
        await expect(reader.page.get_by_text("Bicycles belong")).to_have_count(0)
        await card.get_by_role("button", name="Show again").click()
        await expect(card.locator("> .body")).to_have_text("Bicycles belong on the ring road.")


async def test_offline_and_back_sends_once(browser: Browser, newspaper: Newspaper, installation: Installation) -> None:
    """What cannot be sent is kept, over a reload too, and sent once under one key when the line is back."""
    keys = []

    async def lose_the_answer(route: Route) -> None:
        keys.append(await route.request.header_value("idempotency-key"))
        if len(keys) == 1:
            await route.fetch()  # It arrives, and the reader never hears of it.
        await (route.abort() if len(keys) < 3 else route.continue_())

    async with at(browser, newspaper, "offline") as reader:
        await reader.page.route("**/comments", lose_the_answer)
        card = await reader.write(CIVIL)
        await expect(note(card)).to_contain_text("Not sent yet.")
        await expect(reader.form.get_by_role("textbox").first).to_have_value("")
        await reader.open()
        await expect(note(card)).to_contain_text("Not sent yet.")
        await acts(card).get_by_role("button", name="Try again").click()
        await expect(note(card)).to_have_count(0)
        await expect(card).to_have_count(1)
        await expect(reader.title).to_have_text("1 comment")
        reader.forgive("ERR_FAILED")
    assert len(set(keys)) == 1
    assert (await installation.thread("offline"))["thread"]["count"] == 1


async def test_a_draft_survives_a_reload(browser: Browser, newspaper: Newspaper) -> None:
    """What was being written is there again; what is too long is not sent, says so and is not lost."""
    async with at(browser, newspaper, "draft") as reader:
        text = reader.form.get_by_role("textbox").first
        await text.fill("Half a thought about")
        await reader.open()
        await expect(text).to_have_value("Half a thought about")
        await text.fill("long " * 1_100)
        await expect(reader.form).to_contain_text("-500 characters left")
        await reader.form.get_by_role("button", name="Send").click()
        await expect(text).to_be_focused()
        assert await text.evaluate("text => text.validationMessage") == "-500 characters left"
        await expect(reader.page.locator("article.c")).to_have_count(0)
        await expect(text).to_have_value("long " * 1_100)


async def test_preview_shows_what_will_be_shown(browser: Browser, newspaper: Newspaper) -> None:
    """The preview is made by the service's own sanitiser, and markup is text in it as in the comment."""
    body = "Some say <img src=x onerror=alert(1)> and **trams** are the answer."
    async with at(browser, newspaper, "preview") as reader:
        await reader.form.get_by_role("textbox").first.fill(body)
        await reader.form.get_by_role("button", name="Preview").click()
        await expect(reader.form.locator(".preview strong")).to_have_text("trams")
        await reader.write(body, name="<i>Eve</i>")
        card = reader.card("are the answer.")
        await expect(card.locator("> .body strong")).to_have_text("trams")
        await expect(card.locator("> .by .name")).to_have_text("<i>Eve</i>")
        await expect(reader.page.locator("colloquy-thread :is(img, i)")).to_have_count(0)


async def test_a_closed_thread_is_read_only(browser: Browser, newspaper: Newspaper, installation: Installation) -> None:
    """A thread that closes while it is read says so and takes no comments any more; what was written stays."""
    await installation.submit("The last word on this.", page="closed", wait=10)
    async with at(browser, newspaper, "closed") as reader:
        await expect(reader.form).to_be_visible()
        headers = {"authorization": f"Bearer {installation.demo['admin_token']}"}
        answer = await installation.client.patch(
            "/v1/admin/sites/demo/threads/closed", json={"state": "closed"}, headers=headers
        )
        assert answer.status_code == 200, answer.text
        await expect(reader.page.get_by_text("This discussion is closed.")).to_be_visible()
        await expect(reader.form).to_have_count(0)
        await expect(acts(reader.card("The last word")).get_by_role("button", name="Reply")).to_have_count(0)


async def test_a_second_thought_names_the_words_once(browser: Browser, newspaper: Newspaper) -> None:
    """Where the site asks before something is sent that may hurt, the words are named, and the reader decides."""
    asked: list[str] = []

    async def concerned(route: Route) -> None:
        asked.append(route.request.post_data or "")
        begin = RUDE.index("idiot")
        answer = schemas.SecondThoughts(True, [], [(begin, begin + len("idiot"))])
        await route.fulfill(json=msgspec.to_builtins(answer))

    async with at(browser, newspaper, "second") as reader:
        await with_embed(reader, second_chance=True)
        await reader.page.route("**/second-thoughts", concerned)
        await reader.open()
        card = await reader.write(RUDE)
        await expect(reader.form.get_by_role("alert")).to_contain_text("This could hurt somebody.")
        await expect(reader.form.locator("mark")).to_have_text("idiot")
        await expect(card).to_have_count(0)
        await reader.form.get_by_role("button", name="Send as it is").click()
        await expect(note(card)).to_contain_text("Waiting for review.")
        assert len(asked) == 1


async def test_mail_about_replies_is_asked_for(browser: Browser, newspaper: Newspaper) -> None:
    """Who has written here can ask for mail, where the installation sends any; the address is sent once."""
    sent: list[Any] = []

    async def mail(route: Route) -> None:
        if route.request.method == "PUT":
            sent.append(msgspec.json.decode(route.request.post_data or "", type=schemas.MailInput))
            await route.fulfill(status=202, body="")
        else:
            await route.fulfill(json=msgspec.to_builtins(schemas.MailView("none", False, False)))

    async with at(browser, newspaper, "mail") as reader:
        await with_embed(reader, mail=True)
        await reader.page.route("**/me/mail", mail)
        await reader.open()
        button = reader.page.get_by_role("button", name="E-mail me about replies")
        await expect(button).to_be_hidden()
        await expect(await reader.write("Tell me what others think.")).to_be_focused()
        await button.click()
        dialog = reader.page.get_by_role("dialog")
        await dialog.get_by_label("Your e-mail address").fill("ada@reader.example")
        await dialog.get_by_label("What becomes of my comments").uncheck()
        await dialog.get_by_role("button", name="Save").click()
        await expect(reader.said).to_have_text("Open the link in the mail that we sent you.")
    assert sent == [schemas.MailInput(True, False, "ada@reader.example", "en")]


async def test_the_menu_closes(browser: Browser, newspaper: Newspaper, installation: Installation) -> None:
    """Escape closes it and gives the focus back, and so do a click elsewhere and whatever was chosen in it."""
    await installation.submit("Somebody else's opinion.", page="menu", wait=10)
    async with at(browser, newspaper, "menu") as reader:
        menu = reader.card("Somebody else's opinion.").locator("details.menu")
        summary, within = menu.locator("summary"), menu.get_by_role("button", name="Report")
        await summary.click()
        await expect(within).to_be_visible()
        await reader.page.keyboard.press("Escape")
        await expect(within).to_be_hidden()
        await expect(summary).to_be_focused()
        for elsewhere in (reader.page.get_by_role("heading", level=1), reader.title):
            await summary.click()
            await expect(within).to_be_visible()
            await elsewhere.click()
            await expect(within).to_be_hidden()
        await summary.click()
        await within.click()
        await reader.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        await expect(within).to_be_hidden()


async def test_the_menu_is_within_a_telephone(browser: Browser, newspaper: Newspaper) -> None:
    """Wherever the dots come to stand, what they open is on the screen."""
    narrow: dict[str, Any] = {"viewport": {"width": 360, "height": 700}}
    async with at(browser, newspaper, "narrow", address={"lang": "de"}) as author:
        await expect(await _written(author, "An opinion on this town.")).to_be_focused()
        async with at(browser, newspaper, "narrow", address={"lang": "de"}, **narrow) as reader:
            card = reader.card("An opinion on this town.")
            await card.locator("summary").click()
            box = await card.locator("details.menu > div").bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360


async def _written(reader: Reader, body: str) -> Locator:
    await reader.form.get_by_role("textbox").first.fill(body)
    await reader.form.locator("button.main").click()
    return reader.card(body)


async def test_a_reply_that_is_being_written_stays(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """Whose comment is deleted while somebody answers it takes nothing of the answer along."""
    made = (await installation.submit("This goes in a moment.", page="beneath", wait=10)).json()
    async with at(browser, newspaper, "beneath") as reader:
        card = reader.card("This goes in a moment.")
        await acts(card).get_by_role("button", name="Reply to").click()
        field = reader.page.locator("colloquy-thread article.c > form").get_by_role("textbox").first
        await field.fill("I do not quite agree, since")
        path = f"/v1/sites/demo/comments/{made['comment']['id']}"
        answer = await installation.client.delete(path, headers={"authorization": f"Bearer {made['author_token']}"})
        assert answer.is_success
        await expect(reader.page.get_by_text("This comment was deleted.")).to_be_visible()
        await expect(field).to_have_value("I do not quite agree, since")


async def test_a_thread_that_cannot_be_read_takes_no_text(browser: Browser, newspaper: Newspaper) -> None:
    """Without an answer there is no form and nothing is said to be ready; an order that is none is the usual one."""
    async with at(browser, newspaper, "unread", address={"sort": "bogus"}) as reader:
        await expect(reader.form).to_be_visible()
        await reader.page.route("**/threads/unread?*", lambda route: route.abort())
        await reader.page.goto("about:blank")
        await reader.page.goto(reader.url)
        thread = reader.page.locator("colloquy-thread")
        await expect(reader.page.get_by_role("button", name="The comments could not be loaded.")).to_be_visible()
        await expect(reader.form).to_have_count(0)
        assert await thread.get_attribute("data-ready") is None
        await reader.page.unroute("**/threads/unread?*")
        await reader.page.get_by_role("button", name="The comments could not be loaded.").click()
        await expect(thread).to_have_attribute("data-ready", "")
        reader.complaints.clear()


async def test_a_link_to_what_is_gone_leads_to_the_thread(browser: Browser, newspaper: Newspaper) -> None:
    """Who follows a link to a deleted comment is told so where it can be seen."""
    async with at(browser, newspaper, "lost", address={"tall": "1"}) as reader:
        await reader.page.goto("about:blank")
        await reader.page.goto(f"{reader.url}#c-0190a0a0-0000-7000-8000-000000000000")
        await expect(reader.said).to_have_text("This comment was deleted.")
        await expect(reader.title).to_be_in_viewport()
        reader.forgive("status of 404")


async def test_a_reaction_may_have_any_name(browser: Browser, newspaper: Newspaper) -> None:
    """A word that is no message of ours is shown as it is, one that JavaScript knows too."""
    async with at(browser, newspaper, "reaction") as reader:
        await with_embed(reader, reaction="constructor")
        await reader.open()
        card = await reader.write(CIVIL)
        await expect(acts(card).get_by_role("button", name="constructor")).to_be_visible()


async def with_embed(reader: Reader, **changed: Any) -> None:
    """Let the site offer something else from the next load on."""

    async def answer(route: Route) -> None:
        real = await route.fetch()
        await route.fulfill(response=real, json=await real.json() | changed)

    await reader.page.route("**/embed", answer)


async def test_pinned_and_featured_comments_stand_out(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """What moderators pin stands first, once, and says so; what they feature is marked where it stands."""
    headers = {"authorization": f"Bearer {installation.demo['moderator_token']}"}
    for number, act in enumerate(("pinned", "featured", None)):
        answer = await installation.submit(f"An opinion of the day, number {number}.", page="pins", wait=10)
        if act:
            path = f"/v1/review/demo/comments/{answer.json()['comment']['id']}/{act}"
            assert (await installation.client.put(path, headers=headers)).status_code == 204
    async with at(browser, newspaper, "pins") as reader:
        cards = reader.page.locator("article.c")
        await expect(cards).to_have_count(3)
        await expect(cards.first).to_contain_text("number 0")
        await expect(cards.first.locator("> .by")).to_contain_text("Pinned")
        await expect(reader.card("number 1").locator("> .by")).to_contain_text("Featured")


async def test_a_site_without_guests_asks_to_sign_in(browser: Browser, newspaper: Newspaper) -> None:
    """Where guests may not write, a button in place of the form tells the page that somebody wants to sign in."""
    async with at(browser, newspaper, "guests") as reader:
        await with_embed(reader, guests_allowed=False)
        await reader.open()
        await expect(reader.form).to_have_count(0)
        await reader.page.evaluate("addEventListener('colloquy:signin', () => { document.title = 'signing in' })")
        await reader.page.get_by_role("button", name="Sign in to comment").click()
        await expect(reader.page).to_have_title("signing in")


async def test_everything_is_within_reach_of_the_keyboard(browser: Browser, newspaper: Newspaper) -> None:
    """A comment is written, its menu opened and closed, and a reply given up, without a pointer."""
    async with at(browser, newspaper, "keyboard") as reader:
        keys = reader.page.keyboard
        await reader.form.get_by_role("textbox").first.focus()
        await keys.type("Written without a mouse.")
        await keys.press("Control+Enter")
        card = reader.card("Written without a mouse.")
        await expect(card).to_be_focused()
        await keys.press("Tab")
        await expect(card.locator(".when").first).to_be_focused()
        await acts(card).get_by_role("button", name="Reply").focus()
        await keys.press("Enter")
        await expect(card.locator("> form textarea")).to_be_focused()
        await keys.press("Escape")
        await expect(card.locator("> form")).to_have_count(0)
        await expect(card).to_be_focused()
