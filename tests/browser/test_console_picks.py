"""Moderators feature and pin on a comment's page, and admins name the readers' reaction."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.moderator import Moderator
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


async def test_a_comment_is_featured_and_pinned_from_its_page(browser: Browser, installation: Installation) -> None:
    """Each button says what it would do next, and readers see what was done."""
    sent = await installation.submit("The trams should run all night, for a pick.", page="picks", wait=10)
    comment_id = sent.json()["comment"]["id"]
    path = f"/v1/sites/{installation.demo['site']}/comments/{comment_id}"
    async with Moderator.at(browser, installation, view=f"comment/{comment_id}") as moderator:
        for name, done in (("Feature", "featured"), ("Pin", "pinned")):
            await moderator.page.get_by_role("button", name=name, exact=True).click()
            await expect(moderator.page.get_by_role("button", name=f"{name} no more")).to_be_visible()
            assert (await installation.client.get(path)).json()["comment"][done] is True
        await moderator.page.get_by_role("button", name="Pin no more").click()
        await expect(moderator.page.get_by_role("button", name="Pin", exact=True)).to_be_visible()
    comment = (await installation.client.get(path)).json()["comment"]
    assert (comment["featured"], comment["pinned"]) == (True, False)
