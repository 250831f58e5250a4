"""The console in Chromium, as a moderator spends the day in it: by keyboard, with others, and through mishaps."""

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.moderator import REFUSED, Moderator, becomes, by_people, empty, hold
from tests.eventually import eventually
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

BOTH_AT_ONCE = """() => ['a', 'a'].forEach((key) =>
    document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true })))"""


async def test_a_whole_session_by_keyboard_alone(browser: Browser, installation: Installation) -> None:
    """Approve, reject with a reason, take back, escalate, skip, look up the keys, search: no hand leaves the keys."""
    await empty(installation)
    await hold(installation, 5, "keyboard")
    async with Moderator.at(browser, installation) as moderator:
        first = await moderator.shown()
        await moderator.press("a")
        await becomes(installation, first, "published")
        second = await moderator.shown()
        assert second != first
        await moderator.press("r", "2")
        await becomes(installation, second, "rejected")
        assert [one["code"] for one in (await installation.decisions(second))[-1]["reasons"]] == ["insult"]
        await expect(moderator.said("Rejected: Insult")).to_be_visible()
        await moderator.shown()
        await moderator.press("u")
        await becomes(installation, second, "held")
        await expect(moderator.card).to_have_attribute("data-comment", second)
        await moderator.press("a")
        await becomes(installation, second, "published")
        third = await moderator.shown()
        await moderator.press("e")
        await moderator.page.keyboard.type("A lawyer should read this.")
        await moderator.page.keyboard.press("Enter")
        await expect(moderator.said("Handed to the admins.")).to_be_visible()
        fourth = await moderator.shown()
        assert fourth not in (first, second, third)
        await moderator.press("s")
        await expect(moderator.card).not_to_have_attribute("data-comment", fourth)
        await moderator.page.keyboard.press("?")
        await expect(moderator.page.get_by_role("dialog")).to_contain_text("Take the last decision back")
        await moderator.page.keyboard.press("Escape")
        await expect(moderator.page.get_by_role("dialog")).to_have_count(0)
        fifth = await moderator.shown()
        await moderator.press("a")
        await becomes(installation, fifth, "published")
        await expect(moderator.page.get_by_role("heading", name="Nothing waits")).to_be_visible()
        await moderator.page.keyboard.press("/")
        await expect(moderator.page.get_by_label("Words", exact=True)).to_be_focused()
        assert await installation.status(third) == "held"
        assert await installation.status(fourth) == "held"


async def test_no_key_decides_by_accident(browser: Browser, installation: Installation) -> None:
    """Typing, keys held down, modifiers, and a key meant for the card before decide nothing; rejects need a reason."""
    await empty(installation)
    await hold(installation, 4, "accident")
    async with Moderator.at(browser, installation) as moderator:
        first = await moderator.shown()
        for key in ("Control+a", "Alt+a", "Meta+a", "Shift+A"):
            await moderator.page.keyboard.press(key)
        await moderator.page.evaluate(
            "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'a', repeat: true, bubbles: true }))"
        )
        await expect(moderator.card).to_have_attribute("data-comment", first)
        await moderator.press("r")
        await moderator.page.keyboard.press("Enter")
        await expect(moderator.page.locator(".picker .problem")).to_contain_text("Choose a reason")
        await moderator.page.get_by_label("Note for colleagues").fill("")
        await moderator.page.get_by_label("Note for colleagues").press_sequentially("as 1 2")
        await expect(moderator.card).to_have_attribute("data-comment", first)
        await moderator.page.keyboard.press("Escape")
        await expect(moderator.page.locator(".picker")).to_have_count(0)
        assert await by_people(installation, first) == []
        await moderator.page.evaluate(BOTH_AT_ONCE)
        await becomes(installation, first, "published")
        second = await moderator.shown()
        assert await installation.status(second) == "held"


async def test_two_moderators_never_see_the_same_card(browser: Browser, installation: Installation) -> None:
    """What one has at hand the other is not offered, and between them they decide each comment once."""
    await empty(installation)
    ids = await hold(installation, 10, "two")
    async with (
        Moderator.at(browser, installation) as one,
        Moderator.at(browser, installation, token="moderator2_token") as two,
    ):
        for _ in range(5):
            mine, others = await one.shown(), await two.shown()
            assert mine != others
            assert not set(await one.at_hand()) & set(await two.at_hand())
            await one.press("a")
            await two.press("r", "1")
        await expect(one.page.get_by_role("heading", name="Nothing waits")).to_be_visible()
        await expect(two.page.get_by_role("heading", name="Nothing waits")).to_be_visible()
        for comment_id in ids:
            await eventually(lambda comment_id=comment_id: _is_decided(installation, comment_id))  # type: ignore[misc]
            assert len(await by_people(installation, comment_id)) == 1


async def _is_decided(installation: Installation, comment_id: str) -> bool:
    return await installation.status(comment_id) in ("published", "rejected")


async def test_a_refresh_keeps_the_decision_on_its_way_and_what_was_being_written(
    browser: Browser, installation: Installation
) -> None:
    """A decision that had not arrived is sent once after the refresh; a half-written note is there again."""
    await empty(installation)
    await hold(installation, 2, "refresh")
    async with Moderator.at(browser, installation) as moderator:
        first = await moderator.shown()
        await moderator.page.route("**/decision", lambda route: route.abort())
        await moderator.press("a")
        await expect(moderator.page.locator(".bar.offline")).to_contain_text("One decision is kept here")
        second = await moderator.shown()
        await moderator.press("r")
        await moderator.page.get_by_label("Note for colleagues").fill("the third time today")
        moderator.page.once("dialog", lambda dialog: dialog.accept())
        await moderator.page.reload()
        await moderator.page.unroute("**/decision")
        await becomes(installation, first, "published")
        assert await by_people(installation, first) == ["approve"]
        await expect(moderator.card).to_have_attribute("data-comment", second)
        await expect(moderator.page.get_by_label("Note for colleagues")).to_have_value("the third time today")
        moderator.forgive("ERR_FAILED")


async def test_an_answer_that_was_lost_decides_once(browser: Browser, installation: Installation) -> None:
    """Where the decision arrived and its answer did not, the retry finds its own decision and is done."""
    await empty(installation)
    await hold(installation, 2, "lost")
    arrived = []

    async def lose_the_answer(route: Route) -> None:
        arrived.append(await route.fetch())
        await (route.abort() if len(arrived) == 1 else route.fulfill(response=arrived[-1]))

    async with Moderator.at(browser, installation) as moderator:
        first = await moderator.shown()
        await moderator.page.route("**/decision", lose_the_answer)
        await moderator.press("a")
        await eventually(lambda: len(arrived) == 2)
        await expect(moderator.page.locator(".bar.offline")).to_have_count(0)
        await expect(moderator.said("Approved")).to_be_visible()
        await expect(moderator.page.locator(".bar.warn, .bar.problem")).to_have_count(0)
        assert await by_people(installation, first) == ["approve"]
        moderator.forgive(REFUSED)


async def test_without_a_connection_work_goes_on(browser: Browser, installation: Installation) -> None:
    """Cards at hand are decided while the service is away; the banner says so, and back again each counts once."""
    await empty(installation)
    await hold(installation, 3, "offline")
    async with Moderator.at(browser, installation) as moderator:
        first = await moderator.shown()
        await moderator.page.route("**/v1/**", lambda route: route.abort())
        await moderator.press("a")
        second = await moderator.shown()
        await moderator.press("r", "5")
        await expect(moderator.page.locator(".bar.offline")).to_contain_text("2 decisions are kept here")
        assert await by_people(installation, first) == []
        await moderator.page.unroute("**/v1/**")
        await becomes(installation, first, "published")
        await becomes(installation, second, "rejected")
        await expect(moderator.page.locator(".bar.offline")).to_have_count(0)
        assert await by_people(installation, first) == ["approve"]
        assert await by_people(installation, second) == ["reject"]
        moderator.forgive(REFUSED)


async def test_a_lease_that_ended_is_said_and_claimed_again(browser: Browser, installation: Installation) -> None:
    """When renewing fails until the lease is over, the card is claimed again with what was being written."""
    await empty(installation)
    await hold(installation, 1, "lease")
    async with Moderator.at(browser, installation, settings={"lease_seconds": 2}) as moderator:
        first = await moderator.shown()
        await moderator.press("r")
        await moderator.page.get_by_label("Note for colleagues").fill("half a note")
        await moderator.page.route("**/renew", lambda route: route.abort())
        await expect(moderator.said("Nothing that you wrote is lost.")).to_be_visible(timeout=15_000)
        await moderator.page.unroute("**/renew")
        await expect(moderator.card).to_have_attribute("data-comment", first)
        await expect(moderator.page.get_by_label("Note for colleagues")).to_have_value("half a note")
        await moderator.page.get_by_role("checkbox", name="Toxicity").check()
        await moderator.page.keyboard.press("Enter")
        await becomes(installation, first, "rejected")
        assert (await installation.decisions(first))[-1]["note"] == "half a note"
        moderator.forgive(REFUSED)


async def test_a_decision_under_a_lease_that_ended_is_made_under_a_new_one(
    browser: Browser, installation: Installation
) -> None:
    """A decision that comes too late for its lease is not lost: the comment is claimed again, and it counts once."""
    await empty(installation)
    await hold(installation, 1, "late")
    async with Moderator.at(browser, installation, settings={"lease_seconds": 2}) as moderator:
        first = await moderator.shown()
        await moderator.page.route("**/decision", lambda route: route.abort())
        await moderator.press("a")
        await expect(moderator.page.locator(".bar.offline")).to_be_visible()
        headers = {"authorization": f"Bearer {installation.demo['moderator_token']}"}

        async def is_free() -> bool:
            return bool(
                (await installation.client.get("/v1/review/demo/queue", headers=headers)).json()["claimed"] == 0
            )

        await eventually(is_free)
        await moderator.page.unroute("**/decision")
        await becomes(installation, first, "published")
        assert await by_people(installation, first) == ["approve"]
        moderator.forgive(REFUSED)


@pytest.mark.parametrize("is_live", [True, False], ids=["live", "not-live"])
async def test_a_text_that_changed_meanwhile_is_shown_beside_the_one_that_was_read(
    browser: Browser, installation: Installation, *, is_live: bool
) -> None:
    """A text that its author replaced is not decided by who read the old one, and both texts are shown."""
    await empty(installation)
    answer = (await installation.submit("You are an idiot and a liar.", page="console", wait=10)).json()
    async with Moderator.at(browser, installation) as moderator:
        await moderator.shown()
        if not is_live:
            await moderator.page.route("**/live", lambda route: route.abort())
            await moderator.page.reload()
        await moderator.shown()
        edited = await installation.client.patch(
            f"/v1/sites/demo/comments/{answer['comment']['id']}",
            json={"body": "You are an idiot and a fool."},
            headers={"authorization": f"Bearer {answer['author_token']}"},
        )
        assert edited.status_code in (200, 202), edited.text
        if not is_live:
            await moderator.press("a")
        await expect(moderator.said("The author changed the comment")).to_be_visible()
        await expect(moderator.page.locator(".beside")).to_contain_text("You are an idiot and a liar.")
        await expect(moderator.page.locator(".beside")).to_contain_text("You are an idiot and a fool.")
        assert await by_people(installation, answer["comment"]["id"]) == []
        moderator.forgive(REFUSED)


async def test_many_are_decided_alike_and_taken_back_together(browser: Browser, installation: Installation) -> None:
    """Chosen comments get one reason in one act, and one undo brings all of them back."""
    await empty(installation)
    ids = await hold(installation, 6, "bulk")
    async with Moderator.at(browser, installation, view="list") as moderator:
        await expect(moderator.page.locator("li.item")).to_have_count(6)
        await moderator.page.keyboard.press("x")
        await expect(moderator.page.get_by_text("6 chosen")).to_be_visible()
        await moderator.page.keyboard.press("r")
        await moderator.page.keyboard.press("5")
        for comment_id in ids:
            await becomes(installation, comment_id, "rejected")
        await expect(moderator.said("6 rejected: Spam")).to_be_visible()
        await moderator.page.get_by_role("button", name="Undo").click()
        for comment_id in ids:
            await becomes(installation, comment_id, "held")
        await expect(moderator.page.locator("li.item")).to_have_count(6)


async def test_a_telephone_in_one_hand(browser: Browser, installation: Installation) -> None:
    """At 360 points nothing overflows, and the thumb reaches every decision at the lower edge."""
    await empty(installation)
    await hold(installation, 2, "phone")
    options = {"width": 360, "height": 740, "has_touch": True, "is_mobile": True}
    async with Moderator.at(browser, installation, **options) as moderator:  # type: ignore[arg-type]
        first = await moderator.shown()
        assert await moderator.page.evaluate("document.documentElement.scrollWidth") <= 360
        for name in ("Approve", "Reject", "Escalate", "Skip"):
            box = await moderator.page.get_by_role("button", name=name).bounding_box()
            assert box is not None
            assert box["y"] > 740 * 0.8
            assert box["height"] >= 44
            assert box["width"] >= 44
        await moderator.page.get_by_role("button", name="Reject").tap()
        await moderator.page.get_by_role("checkbox", name="Insult").tap()
        await moderator.page.get_by_role("button", name="Reject").tap()
        await becomes(installation, first, "rejected")
        await moderator.page.get_by_role("button", name="Undo").tap()
        await becomes(installation, first, "held")
        await moderator.page.get_by_role("button", name="Menu").tap()
        await moderator.page.get_by_role("link", name="Search").tap()
        await expect(moderator.page.get_by_role("heading", name="Search")).to_be_visible()
        assert await moderator.page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_a_comment_full_of_markup_is_text(browser: Browser, installation: Installation) -> None:
    """Markup, scripts and entities of a reader are shown as they were written, in the name as in the text."""
    await empty(installation)
    body = (
        "<img src=x onerror=alert(1)><script>alert(2)</script><b>You are an idiot</b> &amp; a <a href='javascript:1'>"
    )
    answer = await installation.submit(body, page="console", wait=10, author={"name": "<i>Eve</i>"})
    assert answer.json()["comment"]["status"] == "held"
    async with Moderator.at(browser, installation) as moderator:
        await moderator.shown()
        await expect(moderator.card.locator(".text")).to_have_text(body)
        await expect(moderator.card.locator(".byline b")).to_have_text("<i>Eve</i>")
        await expect(moderator.card.locator(".text :not(mark), .byline i, script, img")).to_have_count(0)
        await moderator.open("list")
        await expect(moderator.page.locator("li.item .text")).to_have_text(body)
