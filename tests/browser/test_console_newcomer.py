"""What a newcomer stumbled over in the console: what covers what, what is lost, what is said of an act."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.moderator import REFUSED, Moderator, becomes, by_people, empty, hold
from tests.browser.site import PASSWORD, member
from tests.eventually import eventually
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

SCREENS = [(1280, 720), (1366, 768), (390, 800)]
LONG = "You are an idiot and a liar, and this is what I think of your plan. " * 6
# Where the comment begins, where its first lines end, where what is on top ends, and where the sheet begins.
PLACES = """() => {
    const at = (one) => document.querySelector(one).getBoundingClientRect();
    return [at('.top').bottom, at('.card > .text').top, at('.card > .text').bottom, at('.actions').top, scrollY];
}"""


async def ask(installation: Installation, method: str, path: str, token: str, body: Any = None) -> Any:
    """Ask the API as somebody."""
    headers = {"authorization": f"Bearer {installation.demo[token]}"}
    answer = await installation.client.request(method, f"/v1/review/demo/{path}", json=body, headers=headers)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


@pytest.mark.parametrize(("width", "height"), SCREENS)
async def test_the_reasons_stand_beside_the_comment(
    browser: Browser, installation: Installation, width: int, height: int
) -> None:
    """With the reasons open a comment's first lines are in sight over them, and Escape goes back to where one read."""
    await empty(installation)
    answer = await installation.submit(f"{width}: {LONG}", page="console", wait=10)
    assert answer.json()["comment"]["status"] == "held"
    async with Moderator.at(browser, installation, width=width, height=height, reduced_motion="reduce") as moderator:
        await moderator.shown()
        before = await moderator.page.evaluate("scrollY")
        for key in "re":
            await moderator.press(key)
            await expect(moderator.page.locator(".picker")).to_be_in_viewport(ratio=0.7)
            top, begin, end, sheet, _ = await moderator.page.evaluate(PLACES)
            assert top <= begin < sheet
            assert min(end, begin + 100) <= sheet
            await moderator.page.keyboard.press("Escape")
            await expect(moderator.page.locator(".picker")).to_have_count(0)
            assert await moderator.page.evaluate("scrollY") == before


async def covered(page: Page) -> list[str]:
    """Answer the buttons of decisions that something else lies over."""
    found: list[str] = await page.evaluate("""() => [...document.querySelectorAll('.actions button, .bulk button')]
        .filter((one) => {
            const { x, y, width, height } = one.getBoundingClientRect();
            return width && !one.contains(document.elementFromPoint(x + width / 2, y + height / 2));
        }).map((one) => one.textContent)""")
    return found


@pytest.mark.parametrize(("width", "height"), SCREENS)
async def test_what_was_done_covers_nothing_and_can_be_put_away(
    browser: Browser, installation: Installation, width: int, height: int
) -> None:
    """The undo line says which comment, lies over no decision, and goes by Escape; what it offers stays possible."""
    await empty(installation)
    await hold(installation, 4, f"cover {width}", author={"name": "Ada"})
    async with Moderator.at(browser, installation, width=width, height=height, reduced_motion="reduce") as moderator:
        first = await moderator.shown()
        await moderator.press("a")
        bar = moderator.page.locator(".bar.undo")
        await expect(bar).to_contain_text("Approved Ada You are an")
        await moderator.shown()
        assert await covered(moderator.page) == []
        await moderator.page.keyboard.press("Escape")
        await expect(bar).to_have_count(0)
        await moderator.open("list")
        await expect(moderator.page.locator("li.item")).to_have_count(3)
        await moderator.page.locator("li.item input").first.check()
        assert await covered(moderator.page) == []
        await moderator.page.keyboard.press("u")
        await becomes(installation, first, "held")
        await expect(moderator.page.locator("li.item")).to_have_count(4)


async def test_a_skip_is_not_undone_in_place_of_a_decision(browser: Browser, installation: Installation) -> None:
    """After a skip `u` says that it cannot be taken back and touches nothing; once more takes back what was before."""
    await empty(installation)
    await hold(installation, 3, "skipped", author={"name": "Ada"})
    async with Moderator.at(browser, installation) as moderator:
        first = await moderator.shown()
        await moderator.press("a")
        await becomes(installation, first, "published")
        await moderator.press("s")
        await expect(moderator.page.locator(".bar.undo")).to_contain_text("Skipped")
        await moderator.press("u")
        await expect(moderator.said("This cannot be taken back. Once more takes back what was before")).to_be_visible()
        assert await installation.status(first) == "published"
        await moderator.press("u")
        await becomes(installation, first, "held")
        await expect(moderator.card).to_have_attribute("data-comment", first)


async def test_a_filter_that_lets_nothing_through_is_not_an_empty_queue(
    browser: Browser, installation: Installation
) -> None:
    """With a filter on, the page says that the filter is why nothing is shown, and leads to everything."""
    await empty(installation)
    [held] = await hold(installation, 1, "filtered")
    async with Moderator.at(browser, installation, view="queue?kind=appealed") as moderator:
        await expect(moderator.page.get_by_role("heading", name="Nothing waits that the filter")).to_be_visible()
        await expect(moderator.page.locator(".tab[aria-current]")).to_have_count(0)
        await moderator.page.get_by_role("link", name="Show everything").click()
        assert await moderator.shown() == held
        await expect(moderator.page.locator(".tab[aria-current]")).to_contain_text("Everything")


async def test_a_refused_rejection_loses_nothing(browser: Browser, installation: Installation) -> None:
    """A law without its name is refused in the form; what the service refuses comes back with all that was entered."""
    await empty(installation)
    [held] = await hold(installation, 1, "refused")
    async with Moderator.at(browser, installation) as moderator:
        await moderator.shown()
        await moderator.press("r")
        page = moderator.page
        await page.get_by_label("Note for colleagues").fill("with care")
        await page.get_by_role("checkbox", name="Hate").check()
        await page.get_by_text("Ground, and the author").click()
        await page.locator(".picker select").first.select_option("law")
        await page.get_by_role("button", name="Reject").click()
        await expect(page.locator(".picker .problem")).to_have_text("Name the law, and which part of it.")
        await expect(page.get_by_label("Clause")).to_be_focused()
        await page.get_by_label("Clause").fill("§ 130 StGB")
        problem = {"code": "request.invalid", "status": 400, "detail": "Not so."}
        await page.route("**/decision", lambda route: route.fulfill(status=400, json=problem))
        await page.get_by_role("button", name="Reject").click()
        await expect(moderator.said("Not so.")).to_be_visible()
        await page.unroute("**/decision")
        await expect(page.get_by_label("Note for colleagues")).to_have_value("with care")
        await expect(page.get_by_label("Clause")).to_have_value("§ 130 StGB")
        await expect(page.get_by_role("checkbox", name="Hate")).to_be_checked()
        await page.get_by_role("button", name="Reject").click()
        await becomes(installation, held, "rejected")
        [decision] = [one for one in await installation.decisions(held) if one["actor_kind"] == "moderator"]
        assert (decision["note"], decision["ground_clause"]) == ("with care", "§ 130 StGB")
        moderator.forgive(REFUSED)


async def test_keys_do_not_act_behind_a_dialog(browser: Browser, installation: Installation) -> None:
    """Going back closes a dialog of the page that was left, and no key decides while one is open."""
    await empty(installation)
    [held] = await hold(installation, 1, "dialog")
    async with Moderator.at(browser, installation, view="search?q=dialog") as moderator:
        await moderator.page.get_by_role("link", name="Queue").click()
        assert await moderator.shown() == held
        await moderator.page.keyboard.press("?")
        await expect(moderator.page.get_by_role("dialog")).to_be_visible()
        await moderator.page.keyboard.press("a")
        await moderator.page.go_back()
        await expect(moderator.page.get_by_role("heading", name="Search")).to_be_visible()
        await expect(moderator.page.get_by_role("dialog")).to_have_count(0)
        assert await by_people(installation, held) == []


async def test_a_telephone_can_sign_out(browser: Browser, installation: Installation) -> None:
    """On a telephone the menu signs out, and the tab forgets who worked in it."""
    options = {"width": 390, "height": 800, "has_touch": True, "is_mobile": True}
    email = await member(installation, "Pia")
    async with Moderator.at(browser, installation, token=None, **options) as moderator:  # type: ignore[arg-type]
        await moderator.page.get_by_label("E-mail address").fill(email)
        await moderator.page.get_by_label("Password").fill(PASSWORD)
        await moderator.page.get_by_role("button", name="Sign in", exact=True).first.tap()
        await moderator.page.get_by_role("button", name="Menu").tap()
        await moderator.page.get_by_role("button", name="Sign out").tap()
        await expect(moderator.page.get_by_role("heading", name="Sign in")).to_be_visible()
        moderator.forgive(REFUSED)


async def test_a_restriction_is_called_by_its_name(browser: Browser, installation: Installation) -> None:
    """The form for a restriction and the list of them name each kind in words, in both languages."""
    await empty(installation)
    await hold(installation, 1, "named", author={"name": "Nemo"})
    for locale, names in (("en-GB", ["Suspension", "Everything waits", "Ban"]),
                          ("de-DE", ["Sperre", "Alles wartet", "Ausschluss"])):  # fmt: skip
        async with Moderator.at(browser, installation, locale=locale) as moderator:
            await moderator.shown()
            await moderator.page.locator(".around").get_by_role("link", name="Nemo").click()
            kinds = moderator.page.locator("details select").first.locator("option")
            await expect(kinds).to_have_text(names)


async def test_an_overturned_appeal_can_be_answered(browser: Browser, installation: Installation) -> None:
    """Who overturns may write the author an answer, and the line on top calls the act by its name."""
    await empty(installation)
    sent = (await installation.submit("You are an idiot, she quoted.", page="overturn", wait=10)).json()
    comment_id, token = sent["comment"]["id"], sent["author_token"]
    for item in (await ask(installation, "POST", "claims", "moderator_token", {"limit": 50}))["items"]:
        wanted = {"lease": item["lease"]["token"], "revision": 1, "action": "reject", "reasons": ["insult"]}
        await ask(installation, "POST", f"items/{item['item_id']}/decision", "moderator_token", wanted)
    path = f"/v1/sites/demo/comments/{comment_id}/appeals"
    headers = {"authorization": f"Bearer {token}"}
    made = await installation.client.post(path, json={"text": "I quoted her."}, headers=headers)
    assert made.status_code == 201, made.text
    async with Moderator.at(browser, installation, token="moderator2_token") as second:
        assert await second.shown() == comment_id
        await second.press("a")
        await second.page.get_by_label("Answer to the author").fill("You are right.")
        await second.page.keyboard.press("Enter")
        await becomes(installation, comment_id, "published")
        await expect(second.page.locator(".bar.undo")).to_contain_text("Overturned")
    closed = (await ask(installation, "GET", "appeals?state=closed", "moderator_token"))["appeals"]
    assert [one["answer"] for one in closed if one["comment_id"] == comment_id] == ["You are right."]


async def test_a_changed_policy_is_kept_until_it_is_in_force(browser: Browser, installation: Installation) -> None:
    """What an admin changed and did not put in force is there after another page, is said, and can be discarded."""
    async with Moderator.at(browser, installation, token="admin_token", view="settings/policy") as admin:
        field = admin.page.get_by_role("spinbutton", name=re.compile("^doubtful-toxicity"))
        before = await field.input_value()
        await field.fill("0.66")
        await admin.open("search")
        await admin.open("settings/policy")
        await expect(field).to_have_value("0.66")
        await expect(admin.page.get_by_text("not in force yet")).to_be_visible()
        await admin.page.get_by_role("button", name="Discard it").click()
        await expect(field).to_have_value(before)
        await expect(admin.page.get_by_text("not in force yet")).to_be_hidden()


async def test_a_report_that_no_card_asks_about_is_answered_where_it_stands(
    browser: Browser, installation: Installation
) -> None:
    """A report that does not count says so beside the comment, and keeping the comment closes it."""
    await empty(installation)
    sent = (await installation.submit("The hall should stay open until nine.", page="uncounted", wait=10)).json()
    comment_id = sent["comment"]["id"]
    reporter = (await installation.submit("Trams for all.", page="uncounted", wait=10)).json()
    found = await ask(installation, "GET", f"comments/{reporter['comment']['id']}", "admin_token")
    sanctions = f"commenters/{found['commenter_id']}/sanctions"
    made = await ask(installation, "POST", sanctions, "admin_token", {"kind": "ban", "reason": "spam"})
    path = f"/v1/sites/demo/comments/{comment_id}/reports"
    headers = {"authorization": f"Bearer {reporter['author_token']}"}
    report = await installation.client.post(path, json={"reason": "off_topic"}, headers=headers)
    assert report.status_code == 201, report.text
    async with Moderator.at(browser, installation, view="reports") as moderator:
        row = moderator.page.locator("li", has_text="The hall should stay open")
        await expect(row).to_contain_text("Does not count.")
        await row.get_by_role("button", name="Keep it").click()
        await expect(row).to_have_count(0)

        async def is_closed() -> bool:
            reports = (await ask(installation, "GET", "reports?state=closed", "admin_token"))["reports"]
            return any(one["comment_id"] == comment_id and one["outcome"] == "kept" for one in reports)

        await eventually(is_closed)
    await ask(installation, "POST", f"{sanctions}/{made['id']}/lift", "admin_token", {})


async def test_a_held_comment_is_decided_from_its_page(browser: Browser, installation: Installation) -> None:
    """The page of a comment names its author and article, and leads to the card that asks about it and to no other."""
    await empty(installation)
    ids = await hold(installation, 3, "page", author={"name": "Ada"})
    async with Moderator.at(browser, installation, view=f"comment/{ids[1]}") as moderator:
        await expect(moderator.page.get_by_role("link", name="About the author")).to_be_visible()
        await moderator.page.get_by_role("link", name="Decide it").click()
        assert await moderator.shown() == ids[1]
        await expect(moderator.page.locator(".place")).to_have_text("1 of 1 at hand")


async def test_an_invitation_is_taken_in_a_tab_that_has_the_console(
    browser: Browser, installation: Installation
) -> None:
    """A link that is opened where the console is already asks for the address first, and uses nothing up without it."""
    headers = {"authorization": f"Bearer {installation.demo['admin_token']}"}
    wanted = {"name": "Ida", "role": "moderator", "email": "ida@colloquy.example"}
    made = await installation.client.post("/v1/admin/sites/demo/members", json=wanted, headers=headers)
    secret = made.json()["invitation"]
    async with Moderator.at(browser, installation) as moderator:
        page = moderator.page
        await page.evaluate(f"location.hash = '#/invitation/{secret}'")
        await expect(page.get_by_role("heading", name="Take your invitation")).to_be_visible()
        await page.get_by_label("Password").fill("a long sentence of my own")
        await page.get_by_role("button", name="Take the invitation").click()
        await expect(page.locator(".problem:visible")).to_have_text("Fill this in first.")
        await page.get_by_label("E-mail").fill("ida@colloquy.example")
        await page.get_by_role("button", name="Take the invitation").click()
        await expect(page.get_by_role("link", name="Ida")).to_be_visible(timeout=30_000)
        # What the token had under way when the session took its place may be refused.
        moderator.forgive(REFUSED)
