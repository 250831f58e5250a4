"""Blind cards in Chromium: neither the page nor what it was sent tells what was decided before."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.moderator import Moderator, becomes, by_people, empty, hold
from tests.browser.site import Answers, review_settings
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

TELLING = ".causes, .meters, .decisions, .told, .why, mark"
BY_MACHINE = ("toxicity", "machine", "publish", "approve", "score_", "compact")


async def assert_blind(moderator: Moderator, answers: Answers, comment_id: str, *words: str) -> None:
    """Check that the card in view is a comment's blind one, and that no answer about it has one of the words."""
    assert await moderator.shown() == comment_id
    await expect(moderator.card.locator(".kind")).to_have_text("Blind: your own opinion")
    await expect(moderator.page.locator(".stage").locator(TELLING)).to_have_count(0)
    told = await answers.about(comment_id)
    assert told
    assert [word for word in words for text in told if word in text.lower()] == []


async def test_a_sample_of_the_machines_decisions_is_looked_at_blind(
    browser: Browser, installation: Installation
) -> None:
    """A published comment comes without a trace of the machine; decided otherwise it goes, and its page tells both."""
    await empty(installation)
    async with review_settings(installation, sample_share=1.0):
        sent = await installation.submit("My grandmother learned to ride a bicycle at seventy.", page="blind", wait=10)
        comment = sent.json()["comment"]
        assert comment["status"] == "published"
        async with Moderator.at(browser, installation, view="me") as moderator:
            answers = Answers(moderator.page)
            await moderator.open("queue")
            await assert_blind(moderator, answers, comment["id"], *BY_MACHINE)
            await moderator.press("r", "2")
            await becomes(installation, comment["id"], "removed")
            await moderator.open(f"comment/{comment['id']}")
            history = moderator.page.locator(".decisions > li")
            await expect(history).to_have_count(2)
            await expect(history.first).to_contain_text("by you")
            await expect(history.last).to_contain_text("Approved by the machine")


async def test_a_second_opinion_hides_the_first(browser: Browser, installation: Installation) -> None:
    """Another person is shown nothing of what the first decided; where they differ, an admin is shown both."""
    await empty(installation)
    [comment_id] = await hold(installation, 1, "second opinion")
    async with (
        review_settings(installation, second_opinion_share=1.0),
        Moderator.at(browser, installation) as first,
    ):
        assert await first.shown() == comment_id
        await first.press("a")
        await becomes(installation, comment_id, "published")
        await expect(first.page.get_by_role("heading", name="Nothing waits")).to_be_visible()
    async with Moderator.at(browser, installation, token="moderator2_token", view="me") as second:
        answers = Answers(second.page)
        await second.open("queue")
        await assert_blind(second, answers, comment_id, *BY_MACHINE, "demo moderator")
        await second.press("r", "2")
        await expect(second.page.get_by_role("heading", name="Nothing waits")).to_be_visible()
        await second.open(f"comment/{comment_id}")
        await expect(second.page.locator(".decisions > li").first).to_contain_text("Approved by Demo moderator")
    assert await installation.status(comment_id) == "published"
    async with Moderator.at(browser, installation, token="admin_token") as admin:
        assert await admin.shown() == comment_id
        await expect(admin.card.locator(".kind")).to_have_class("tag kind disagreement")
        await expect(admin.card.locator(".told section")).to_have_text(
            ["Opinion 1Approved ", "Opinion 2Rejected Insult"]
        )
        await admin.press("r", "2")
        await becomes(installation, comment_id, "removed")
    assert len(await by_people(installation, comment_id)) == 2
