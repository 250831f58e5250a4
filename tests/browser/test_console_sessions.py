"""The middle of work: a session that ends and is begun anew, a view that is left too early, a tab that is closed."""

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.moderator import REFUSED, Moderator, becomes, by_people, empty, hold
from tests.browser.site import PASSWORD, ask, member
from tests.eventually import eventually
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


async def sign_in(page: Page, email: str) -> None:
    """Sign in with address and password."""
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).first.click()
    await expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()


async def end_session(page: Page, url: str) -> None:
    """Let the service end the session of a page without the page's knowledge."""
    view = await (await page.context.request.get(f"{url}/v1/session")).json()
    headers = {"X-Colloquy-CSRF": view["csrf_token"]}
    assert (await page.context.request.delete(f"{url}/v1/session", headers=headers)).ok


async def test_who_signs_in_again_loses_no_decision(browser: Browser, installation: Installation) -> None:
    """What was decided when the session had ended is sent after the new sign-in, with its note, and counts once."""
    await empty(installation)
    await hold(installation, 2, "expired")
    email = await member(installation, "Selma")
    async with Moderator.at(browser, installation, token=None) as selma:
        await sign_in(selma.page, email)
        first = await selma.shown()
        await selma.press("r")
        await selma.page.get_by_label("Note for colleagues").fill("the third time today")
        await selma.page.get_by_role("checkbox", name="Insult").check()
        await end_session(selma.page, installation.url)
        await selma.page.keyboard.press("Enter")
        await expect(selma.page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert await by_people(installation, first) == []
        await sign_in(selma.page, email)
        await becomes(installation, first, "rejected")
        assert await by_people(installation, first) == ["reject"]
        assert (await installation.decisions(first))[-1]["note"] == "the third time today"
        await expect(selma.said("Rejected: Insult")).to_be_visible()
        second = await selma.shown()
        assert second != first
        await selma.press("a")
        await becomes(installation, second, "published")
        selma.forgive(REFUSED)


async def test_what_was_being_written_is_there_after_signing_in(browser: Browser, installation: Installation) -> None:
    """The card that was open when the session ended comes back at once, with the half-written note."""
    await empty(installation)
    await hold(installation, 1, "half written")
    email = await member(installation, "Hedda")
    async with Moderator.at(browser, installation, token=None) as hedda:
        await sign_in(hedda.page, email)
        first = await hedda.shown()
        await hedda.press("r")
        await hedda.page.get_by_label("Note for colleagues").fill("half a note")
        await end_session(hedda.page, installation.url)
        await hedda.page.get_by_role("link", name="Dashboard").click()
        await expect(hedda.page.get_by_role("heading", name="Sign in")).to_be_visible()
        await sign_in(hedda.page, email)
        await hedda.page.get_by_role("link", name="Queue").click()
        assert await hedda.shown() == first
        await expect(hedda.page.get_by_label("Note for colleagues")).to_have_value("half a note")
        hedda.forgive(REFUSED)


async def test_nobody_decides_for_who_worked_in_the_tab_before(browser: Browser, installation: Installation) -> None:
    """A decision that waits for its maker is not sent by another person who signs in, and is sent by its maker."""
    await empty(installation)
    await hold(installation, 1, "another")
    email, other = await member(installation, "Maker"), await member(installation, "Other")
    async with Moderator.at(browser, installation, token=None) as moderator:
        page = moderator.page
        await sign_in(page, email)
        first = await moderator.shown()
        await end_session(page, installation.url)
        await moderator.press("a")
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await sign_in(page, other)
        await expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
        await expect(page.locator(".bar.undo")).to_have_count(0)
        assert await by_people(installation, first) == []
        await end_session(page, installation.url)
        await page.reload()
        await sign_in(page, email)
        await becomes(installation, first, "published")
        assert await by_people(installation, first) == ["approve"]
        moderator.forgive(REFUSED)


async def claimed(installation: Installation, count: int) -> None:
    """Wait until so many cards are in somebody's hands."""

    async def is_so() -> bool:
        queue = await ask(installation, "GET", "/v1/review/demo/queue", installation.demo["moderator_token"])
        return bool(queue["claimed"] == count)

    await eventually(is_so)


async def test_a_tab_that_is_left_gives_its_cards_back_at_once(browser: Browser, installation: Installation) -> None:
    """Who goes to another page keeps nothing from the others until the leases end."""
    await empty(installation)
    await hold(installation, 2, "left tab")
    async with Moderator.at(browser, installation) as moderator:
        await moderator.shown()
        await claimed(installation, 2)
        await moderator.page.goto("about:blank")
        await claimed(installation, 0)
        await moderator.open("me")


async def test_a_claim_that_comes_after_its_view_was_left_is_given_back(
    browser: Browser, installation: Installation
) -> None:
    """Cards that were on their way when somebody went to the dashboard are not held there."""
    await empty(installation)
    await hold(installation, 2, "left view")
    asked: list[Route] = []

    async def keep_waiting(route: Route) -> None:
        asked.append(route)

    async with Moderator.at(browser, installation, view="me") as moderator:
        await moderator.page.route("**/claims", keep_waiting)
        await moderator.page.get_by_role("link", name="Queue").click()
        await eventually(lambda: len(asked) == 1)
        await moderator.page.get_by_role("link", name="Dashboard").click()
        await expect(moderator.page.get_by_role("heading", name="Dashboard")).to_be_visible()
        answer = await asked[0].fetch()
        await claimed(installation, 2)
        await asked[0].fulfill(response=answer)
        await claimed(installation, 0)
        assert await moderator.at_hand() == []
