"""Reports and appeals in Chromium: what readers and authors say is on the card, and the answer reaches them."""

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.moderator import Moderator, becomes, empty, hold
from tests.browser.site import Answers, accounts, ask
from tests.eventually import eventually
from tests.journey.harness import Installation
from tests.service.reporting import NOTICE

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

COMMENTS = "/v1/sites/demo/comments"
NOTHING = "Nothing waits"


async def rejected(browser: Browser, installation: Installation, word: str) -> dict[str, Any]:
    """Let the first moderator reject a comment, and its author appeal; answer the comment, the appeal and the token."""
    await empty(installation)
    body = f"You are an idiot and a liar, somebody shouted at the {word}."
    sent = (await installation.submit(body, page="appeal", wait=10)).json()
    assert sent["comment"]["status"] == "held"
    comment_id, token = sent["comment"]["id"], sent["author_token"]
    async with Moderator.at(browser, installation) as first:
        assert await first.shown() == comment_id
        await first.press("r", "2")
        await becomes(installation, comment_id, "rejected")
        text = {"text": f"It was a quotation, at the {word}."}
        appeal = await ask(installation, "POST", f"{COMMENTS}/{comment_id}/appeals", token, text)
        await first.page.reload()
        await expect(first.page.get_by_role("heading", name=NOTHING)).to_be_visible()
    return {"comment_id": comment_id, "path": f"/v1/sites/demo/appeals/{appeal['id']}", "token": token}


async def test_an_appeal_that_is_overturned_brings_the_comment_back(
    browser: Browser, installation: Installation
) -> None:
    """Who decided is not asked again; another reads the author's words and what was decided, and overturns it."""
    sent = await rejected(browser, installation, "station")
    async with Moderator.at(browser, installation, token="moderator2_token") as second:
        assert await second.shown() == sent["comment_id"]
        told = second.card.locator(".told")
        await expect(told).to_contain_text("It was a quotation, at the station.")
        await expect(told.locator(".decisions")).to_contain_text("Rejected by Demo moderator")
        await expect(told.locator(".decisions")).to_contain_text("Insult")
        await expect(second.page.get_by_role("button", name="Overturn")).to_be_visible()
        await second.press("a")
        await second.page.keyboard.press("Enter")
        await becomes(installation, sent["comment_id"], "published")
        await second.open("appeals?state=closed")
        row = second.page.locator("li", has_text="at the station")
        await expect(row.locator(".told .tag")).to_have_text("overturned")
    [shown] = (await installation.thread("appeal"))["comments"]
    assert shown["body"] == "You are an idiot and a liar, somebody shouted at the station."
    appeal = await ask(installation, "GET", sent["path"], sent["token"])
    assert (appeal["state"], appeal["outcome"]) == ("closed", "overturned")


async def test_an_appeal_that_is_upheld_is_answered(browser: Browser, installation: Installation) -> None:
    """Upholding takes a reason and tells the author why; the comment stays away."""
    sent = await rejected(browser, installation, "harbour")
    async with Moderator.at(browser, installation, token="moderator2_token") as second:
        assert await second.shown() == sent["comment_id"]
        await second.press("r")
        await second.page.get_by_label("Answer to the author").fill("Quotations need a source.")
        await second.page.get_by_role("checkbox", name="Insult").check()
        await second.page.get_by_role("button", name="Uphold").click()
        await expect(second.page.get_by_role("heading", name=NOTHING)).to_be_visible()

    async def is_closed() -> bool:
        return bool((await ask(installation, "GET", sent["path"], sent["token"]))["state"] == "closed")

    await eventually(is_closed)
    appeal = await ask(installation, "GET", sent["path"], sent["token"])
    assert (appeal["outcome"], appeal["answer"]) == ("upheld", "Quotations need a source.")
    assert await installation.status(sent["comment_id"]) == "rejected"
    statement = await ask(installation, "GET", f"{COMMENTS}/{sent['comment_id']}/statement", sent["token"])
    assert [reason["code"] for reason in statement["reasons"]] == ["insult"]
    assert statement["appeal"]["appeal"]["outcome"] == "upheld"


async def test_three_reports_are_one_card_and_one_decision_answers_them(
    browser: Browser, installation: Installation
) -> None:
    """What three readers report leaves the thread and comes as one card; its decision reaches each of them."""
    await empty(installation)
    sent = await installation.submit("Most shops in our street open at nine in the morning.", page="reported", wait=10)
    comment_id = sent.json()["comment"]["id"]
    sent_by = {}
    for token, reason in zip(
        await accounts(installation, "Ann", "Ben", "Cem"), ("insult", "insult", "hate"), strict=True
    ):
        made = await ask(installation, "POST", f"{COMMENTS}/{comment_id}/reports", token, {"reason": reason})
        sent_by[token] = made["id"]
    assert (await installation.thread("reported"))["comments"] == []
    async with Moderator.at(browser, installation) as moderator:
        assert await moderator.shown() == comment_id
        assert len(await moderator.at_hand()) == 1
        told = moderator.card.locator(".told")
        await expect(told.get_by_role("heading")).to_have_text("3 reports")
        await expect(told.locator("li b")).to_have_text(["Insult", "Insult", "Hate"])
        await moderator.press("r", "2")
        await becomes(installation, comment_id, "rejected")
    for token, report_id in sent_by.items():
        report = await ask(installation, "GET", f"/v1/sites/demo/reports/{report_id}", token)
        assert (report["state"], report["outcome"]) == ("closed", "taken_down")


async def test_a_notice_of_illegal_content_is_shown_without_who_sent_it(
    browser: Browser, installation: Installation
) -> None:
    """A notice comes before what waited longer, with its law and explanation, and never with name or address."""
    await empty(installation)
    await hold(installation, 1, "before the notice")
    sent = await installation.submit("The new bridge is wide enough for two lanes of bicycles.", page="notice", wait=10)
    comment_id = sent.json()["comment"]["id"]
    body = {"reason": "illegal_content", "illegal": NOTICE}
    made = await ask(installation, "POST", f"{COMMENTS}/{comment_id}/reports", None, body)
    assert await installation.status(comment_id) == "published"
    async with Moderator.at(browser, installation, view="me") as moderator:
        answers = Answers(moderator.page)
        await moderator.open("queue")
        assert await moderator.shown() == comment_id
        told = moderator.card.locator(".told li")
        await expect(told).to_contain_text("Illegal content")
        await expect(told).to_contain_text(NOTICE["explanation"])
        await expect(told.locator(".tag")).to_have_text(NOTICE["law"])
        for text in await answers.about(comment_id):
            assert NOTICE["name"] not in text
            assert NOTICE["email"] not in text
        await moderator.press("a")

        async def is_answered() -> bool:
            headers = {"x-report-token": made["token"]}
            report = await ask(installation, "GET", f"/v1/sites/demo/reports/{made['id']}", **headers)
            return (report["outcome"], bool(report["redress"])) == ("kept", True)

        await eventually(is_answered)
