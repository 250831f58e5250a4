"""Webhooks in the settings, with a real receiver: named, tested, failed, looked up, sent again, all from the page."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.moderator import Moderator
from tests.browser.site import ADMIN, ask
from tests.eventually import eventually
from tests.journey.harness import Installation
from tests.receiver import Answer, receivers

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


async def has_failed(installation: Installation) -> bool:
    """Answer whether the only receiver's newest delivery was tried in vain."""
    admin = installation.demo["admin_token"]
    [hook] = (await ask(installation, "GET", f"{ADMIN}/webhooks", admin))["webhooks"]
    newest = (await ask(installation, "GET", f"{ADMIN}/webhooks/{hook['id']}/deliveries", admin))["deliveries"][0]
    return (newest["attempts"], newest["last_status"]) == (1, 500)


async def test_a_receiver_is_named_tested_and_sent_again_what_failed(
    browser: Browser, installation: Installation
) -> None:
    """A test event arrives, signed with the secret that was shown; what failed stands in the log and is sent again."""
    async with (
        receivers("/hooks") as [receiver],
        Moderator.at(browser, installation, token="admin_token", view="settings/webhooks") as admin,
    ):
        page = admin.page
        await page.get_by_label("Address").fill(receiver.url)
        await page.get_by_label("Events").fill("comment.published")
        await page.get_by_role("button", name="Add").click()
        secret = await page.get_by_role("dialog").get_by_role("textbox").input_value()
        await page.keyboard.press("Escape")
        hook = page.locator("li.panel", has_text=receiver.url)
        await hook.get_by_role("button", name="Send a test").click()
        await eventually(lambda: len(receiver.took) == 1)
        assert len(receiver.verified(secret)) == 1
        receiver.rule = lambda number, _request: Answer(500 if number == 1 else 204)
        await installation.submit("We met at the fountain and walked to the market.", page="hook", wait=10)
        await eventually(lambda: has_failed(installation))
        await hook.get_by_role("link", name="Log").click()
        row = page.locator("main .list > li", has_text="comment.published")
        await expect(row.locator(".tag")).to_have_text("owed")
        await expect(row).to_contain_text("500")
        await row.get_by_text("One attempt").click()
        await expect(row.locator("ul li")).to_contain_text(": 500 (")
        await row.get_by_role("button", name="Send again").click()
        await eventually(lambda: receiver.types[1:] == ["comment.published"])
        await expect(row.locator(".tag")).to_have_text("delivered")
        await expect(page.locator("main .list > li .tag")).to_have_text(["delivered", "delivered"])
        await page.get_by_role("link", name="All receivers").click()
        await hook.get_by_role("button", name="Remove").click()
        await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        await expect(page.get_by_text("Nobody is told of events yet.")).to_be_visible()
