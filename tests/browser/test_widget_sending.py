"""What the widget sends, and keeps: once, for whom it was written, and never over what a reader writes meanwhile."""

import pytest
from playwright.async_api import Browser, Locator, Route, expect

from tests.browser.newspaper import Newspaper, at
from tests.browser.reader import Reader, acts, note
from tests.browser.site import accounts, seed
from tests.eventually import eventually
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

CIVIL = "I take the tram to work, and it is full every morning."


def field(reader: Reader) -> Locator:
    """The field of a first comment."""
    return reader.form.get_by_role("textbox").first


class Line:
    """The line between a reader and the thread's comments: `does` says what becomes of what is sent."""

    def __init__(self) -> None:
        self.does = "abort"
        self.keys: list[str | None] = []
        #: What was done, each when the widget was told of it.
        self.done: list[str] = []

    async def handle(self, route: Route) -> None:
        """Do with a request what is wanted now."""
        does = self.does
        self.keys.append(await route.request.header_value("idempotency-key"))
        await self._do(route, does)
        self.done.append(does)

    async def _do(self, route: Route, does: str) -> None:
        match does:
            case "abort":
                await route.abort()
            case "carry":
                await route.continue_()
            case "lose":
                await route.fetch()
            case status:
                await route.fulfill(status=int(status), json={"detail": "Not like this.", "code": "some.code"})

    async def back(self, reader: Reader, does: str) -> None:
        """Have the browser find that there is a connection, again while the widget is still at its last try."""
        self.does, before = does, len(self.done)

        async def tried() -> bool:
            await reader.page.evaluate("dispatchEvent(new Event('online'))")
            return does in self.done[before:]

        await eventually(tried, 30)


async def line(reader: Reader) -> Line:
    """Put a line under a reader's thread."""
    made = Line()
    await reader.page.route("**/comments", made.handle)
    return made


async def sign(reader: Reader, token: str | None) -> None:
    """Sign somebody in or out on the publisher's page."""
    thread = reader.page.locator("colloquy-thread")
    await thread.evaluate(
        "(el, token) => { el.identity = token; el.removeAttribute('data-ready'); el.refresh() }", token
    )
    await expect(thread).to_have_attribute("data-ready", "")


async def test_a_reload_while_sending_makes_no_second_comment(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """Who reloads before the answer came finds the comment sent under the same key, and an empty field."""
    async with at(browser, newspaper, "reload") as reader:
        between = await line(reader)
        between.does = "lose"
        await field(reader).fill(CIVIL)
        await reader.form.get_by_role("button", name="Send").click()

        async def arrived() -> bool:
            return bool((await installation.thread("reload"))["thread"]["count"])

        await eventually(arrived, 30)
        between.does = "carry"
        await reader.open()
        card = reader.card(CIVIL)
        await expect(reader.said).to_have_text("Published.")
        await expect(note(card)).to_have_count(0)
        await expect(field(reader)).to_have_value("")
        await expect(reader.page.locator("article.c")).to_have_count(1)
        reader.complaints.clear()
    assert len(between.keys) == 2
    assert len(set(between.keys)) == 1
    assert (await installation.thread("reload"))["thread"]["count"] == 1


async def test_what_the_queue_is_refused_is_not_lost(browser: Browser, newspaper: Newspaper) -> None:
    """Too many requests mean waiting; what is refused for good stays as a card with its reason, and the draft stays."""
    async with at(browser, newspaper, "queue") as reader:
        between = await line(reader)
        card = await reader.write(CIVIL)
        await expect(note(card)).to_contain_text("Not sent yet.")
        await field(reader).fill("Something else meanwhile")
        await between.back(reader, "429")
        await expect(note(card)).to_contain_text("Not sent yet.")
        await between.back(reader, "403")
        await expect(note(card)).to_contain_text("Not like this.")
        await expect(field(reader)).to_have_value("Something else meanwhile")
        await reader.open()
        await expect(note(card)).to_contain_text("Not like this.")
        between.does = "carry"
        await acts(card).get_by_role("button", name="Try again").click()
        await expect(note(card)).to_have_count(0)
        await expect(reader.title).to_have_text("1 comment")
        await expect(field(reader)).to_have_value("Something else meanwhile")
        reader.complaints.clear()
    assert len(set(between.keys)) == 1


async def test_what_one_person_wrote_is_not_another_persons(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """Drafts, unsent comments and what is one's own belong to who is signed in, and wait for that person."""
    ada, bob = await accounts(installation, "Ada Account", "Bob Account")
    async with at(browser, newspaper, "person") as reader:
        await sign(reader, ada)
        mine = await reader.write("Ada says this aloud.", name=None)
        await expect(mine.locator("> .by")).to_contain_text("you")
        between = await line(reader)
        kept = await reader.write("Ada says this without a line.", name=None)
        await expect(note(kept)).to_contain_text("Not sent yet.")
        await field(reader).fill("Ada's draft")
        between.does = "carry"
        for other in (None, bob):
            await sign(reader, other)
            await expect(field(reader)).to_have_value("")
            await expect(kept).to_have_count(0)
            await expect(acts(mine).get_by_role("button", name="Delete")).to_have_count(0)
        await sign(reader, ada)
        await expect(field(reader)).to_have_value("Ada's draft")
        await expect(note(kept)).to_have_count(0)
        await expect(kept).to_have_count(1)
        await expect(acts(mine).get_by_role("button", name="Delete")).to_be_visible()
        reader.complaints.clear()
    written = (await installation.thread("person"))["comments"]
    assert [comment["author"]["name"] for comment in written] == ["Ada Account", "Ada Account"]


async def test_what_is_typed_while_sending_stays(browser: Browser, newspaper: Newspaper) -> None:
    """The field is emptied only of what was sent."""
    async with at(browser, newspaper, "typing") as reader:

        async def type_first(route: Route) -> None:
            await field(reader).fill("A second one, begun meanwhile")
            await route.continue_()

        await reader.page.route("**/comments", type_first)
        await expect(await reader.write("A first one.")).to_be_focused()
        await expect(field(reader)).to_have_value("A second one, begun meanwhile")
        await reader.open()
        await expect(field(reader)).to_have_value("A second one, begun meanwhile")


async def test_sending_in_the_background_takes_no_focus(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """What is sent when the line is back is announced where it stands; the thread learns no query of the address."""
    address = {"tall": "1", "newsletter": "ada-4711"}
    async with at(browser, newspaper, "behind", address=address) as reader:
        between = await line(reader)
        card = await reader.write("This waits for the line.")
        await expect(note(card)).to_contain_text("Not sent yet.")
        await reader.page.evaluate(
            "const i = document.createElement('input'); document.querySelector('main').prepend(i); i.focus();"
            "scrollTo(0, 0)"
        )
        await between.back(reader, "carry")
        await expect(reader.said).to_have_text("Published.")
        assert await reader.page.evaluate("[document.activeElement.tagName, scrollY]") == ["INPUT", 0]
        reader.complaints.clear()
    assert (await installation.thread("behind"))["thread"]["url"] == newspaper.article("behind").rstrip("?")


async def test_the_first_acts_of_a_guest_are_one_guests(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """Two likes at once, before the service knows the reader, are both the reader's after a reload."""
    for number in ("one", "two"):
        await installation.submit(f"Like number {number}.", page="likes", wait=10)
    async with at(browser, newspaper, "likes") as reader:
        likes = [acts(reader.card(f"number {number}")).get_by_role("button", name="Like") for number in ("one", "two")]
        answered: list[int] = []
        reader.page.on("response", lambda answer: answered.append(answer.status) if "reaction" in answer.url else None)
        await reader.page.evaluate(
            "document.querySelector('colloquy-thread').shadowRoot.querySelectorAll('.like').forEach((el) => el.click())"
        )
        await eventually(lambda: len([status for status in answered if status == 201]) == len(likes))
        await reader.open()
        for like in likes:
            await expect(like).to_have_attribute("aria-pressed", "true")


async def test_an_open_menu_stays_while_its_comment_changes(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """A comment that is featured while its menu is open is drawn anew around the menu, and the focus stays."""
    made = await installation.submit("A comment with a menu.", page="menu", wait=10)
    async with at(browser, newspaper, "menu") as reader:
        card = reader.card("with a menu")
        summary = acts(card).locator("summary")
        await summary.focus()
        await reader.page.keyboard.press("Enter")
        headers = {"authorization": f"Bearer {installation.demo['moderator_token']}"}
        path = f"/v1/review/demo/comments/{made.json()['comment']['id']}/featured"
        assert (await installation.client.put(path, headers=headers)).status_code == 204
        await expect(card.locator("> .by")).to_contain_text("Featured")
        await expect(acts(card).get_by_role("button", name="Report")).to_be_visible()
        await expect(summary).to_be_focused()


HIDE = (
    "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
    "document.dispatchEvent(new Event('visibilitychange')) }"
)


async def test_what_was_removed_deep_below_is_gone(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """In whichever order, a comment far from the newest that was removed out of sight is missed too."""
    ids = await seed(installation, "deep-away", 60, reply_share=0.0)
    token = {"authorization": f"Bearer {installation.demo['moderator_token']}"}

    async def remove(comment_id: str) -> None:
        decision = {"revision": 1, "action": "remove", "reasons": ["insult"]}
        path = f"/v1/review/demo/comments/{comment_id}/decision"
        answer = await installation.client.post(path, json=decision, headers=token)
        assert answer.is_success, answer.text

    async with at(browser, newspaper, "deep-away") as reader:
        cards = reader.page.locator(".list > article.c")
        await expect(cards).to_have_count(20)
        await reader.page.get_by_role("button", name="More comments").click()
        await expect(cards).to_have_count(40)
        for order, removed in (("Newest", ids[25]), ("Oldest", ids[3])):
            if order == "Oldest":
                await reader.page.get_by_label("Sort by").select_option(order)
                await expect(cards.first).to_have_attribute("data-id", ids[0])
            await expect(reader.page.locator(f"#c-{removed}, [data-id='{removed}']").first).to_be_visible()
            await reader.page.evaluate(HIDE, True)
            await remove(removed)
            await reader.page.evaluate(HIDE, False)
            await expect(reader.page.locator(f"[data-id='{removed}']")).to_have_count(0)
        reader.forgive("status of 404")


async def test_a_puzzle_is_solved_and_the_comment_sent_again(
    browser: Browser, newspaper: Newspaper, installation: Installation
) -> None:
    """Where guests must solve a puzzle the widget does, under the same key, and the reader sees nothing of it."""
    token = {"authorization": f"Bearer {installation.demo['admin_token']}"}
    path = "/v1/admin/sites/demo/spam"
    before = (await installation.client.get(path, headers=token)).json()
    wanted = {"challenge": "always", "challenge_cost": 1000}
    assert (await installation.client.put(path, json=wanted, headers=token)).is_success
    try:
        async with at(browser, newspaper, "puzzle") as reader:
            between = await line(reader)
            between.does = "carry"
            card = await reader.write(CIVIL)
            await expect(card).to_be_focused()
            await expect(reader.said).to_have_text("Published.")
            reader.forgive("status of 403")
    finally:
        assert (await installation.client.put(path, json=before, headers=token)).is_success
    assert len(between.keys) == 2
    assert len(set(between.keys)) == 1


async def test_what_was_removed_out_of_sight_is_gone(browser: Browser, newspaper: Newspaper) -> None:
    """A reply and a comment that were deleted while the page was hidden are not there when it is seen again."""
    async with at(browser, newspaper, "away") as author:
        stays = await author.write("This one stays.")
        await expect(stays).to_be_focused()
        reply = await author.reply(stays, "This reply goes.")
        await expect(reply).to_be_focused()
        goes = await author.write("This one goes.")
        await expect(goes).to_be_focused()
        async with at(browser, newspaper, "away") as other:
            await expect(other.page.locator("article.c")).to_have_count(3)
            await other.page.evaluate(HIDE, True)
            for card in (reply, goes):
                await acts(card).get_by_role("button", name="Delete").click()
                await author.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
                await expect(card).to_have_count(0)
            await other.page.evaluate(HIDE, False)
            await expect(other.page.locator("article.c")).to_have_count(1)
            await expect(other.title).to_have_text("1 comment")
            await expect(acts(other.card("This one stays.")).get_by_role("button", name="1 reply")).to_have_count(0)
            other.forgive("status of 404")


async def test_a_language_that_is_none_is_read_as_one(browser: Browser, newspaper: Newspaper) -> None:
    """A page whose `lang` has an underscore reads its language, and one with nonsense reads English."""
    async with at(browser, newspaper, "tag", address={"lang": "de_DE"}) as reader:
        await expect(reader.title).to_have_text("Schreiben Sie den ersten Kommentar")
    async with at(browser, newspaper, "tag", address={"lang": "!"}) as reader:
        await expect(reader.title).to_have_text("Leave the first comment")


async def test_a_failed_start_can_be_tried_again(browser: Browser, newspaper: Newspaper) -> None:
    """Where a part of the widget does not come the reader is told, and a click starts it anew."""
    async with at(browser, newspaper, "start") as reader:
        await reader.page.route("**/embed", lambda route: route.fulfill(json={"reaction": 1}))
        await reader.page.locator("colloquy-thread").evaluate(
            "thread => { thread.dataset.ready = ''; thread.refresh() }"
        )
        again = reader.page.get_by_role("button", name="The comments could not be loaded.")
        await expect(again).to_be_visible()
        await reader.page.unroute("**/embed")
        await again.click()
        await expect(again).to_have_count(0)
        await expect(await reader.write(CIVIL)).to_be_focused()
