"""Every view of the console: nothing that axe calls serious, in the light and the dark; signing in; what admins set."""

import re
from pathlib import Path

import axe_playwright_python
import pyotp
import pytest
from playwright.async_api import Browser, Page, expect

from service.routes.console import FOLDER
from tests.browser.moderator import REFUSED, Moderator, empty, hold
from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

FOR_MODERATORS = ["queue", "list", "threads", "reports", "appeals", "search?q=plan", "dashboard", "me"]
FOR_ADMINS = [
    "audit",
    *(f"settings/{part}" for part in ["policy", "words", "reasons", "review", "members", "keys", "webhooks", "site"]),
]
_DECLARED = re.compile(r"^(?:export )?(?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)
PASSWORD = "a long sentence of my own"


AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
RUN_AXE = """async (rules) => (await axe.run(document, rules)).violations
    .filter((one) => ['serious', 'critical'].includes(one.impact))
    .flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ html, any }) => `${id}: ${html} ${any[0]?.message}`))"""


async def serious(page: Page) -> list[str]:
    """Answer what axe calls serious or critical, in the light and in the dark."""
    # The views are one document, so that axe, which is large, is loaded once; and only what it found comes back.
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    found: list[str] = await page.evaluate(RUN_AXE, RULES)
    await page.emulate_media(color_scheme="dark")
    found += await page.evaluate(RUN_AXE, RULES)
    await page.emulate_media(color_scheme="light")
    return found


async def test_axe_finds_nothing_serious_in_any_view(browser: Browser, installation: Installation) -> None:
    """Contrast, names, roles and order hold in every view, with the picker, the help and a notice open, in both."""
    await empty(installation)
    ids = await hold(installation, 3, "axe", author={"name": "Ada"})
    found: dict[str, list[str]] = {}
    options = {"token": "admin_token", "color_scheme": "light", "reduced_motion": "reduce"}
    async with Moderator.at(browser, installation, **options) as moderator:  # type: ignore[arg-type]
        await moderator.shown()
        found["card"] = await serious(moderator.page)
        await moderator.press("r")
        found["picker"] = await serious(moderator.page)
        await moderator.page.keyboard.press("1")
        await expect(moderator.said("Rejected")).to_be_visible()
        await moderator.page.keyboard.press("?")
        found["help"] = await serious(moderator.page)
        await moderator.page.keyboard.press("Escape")
        author = await moderator.page.locator(".around a").first.get_attribute("href")
        assert author is not None
        for view in [*FOR_MODERATORS, *FOR_ADMINS, f"comment/{ids[0]}", author.removeprefix("#/")]:
            await moderator.open(view)
            await expect(moderator.page.get_by_text("Loading …")).to_have_count(0)
            found[view] = await serious(moderator.page)
    assert {view: problems for view, problems in found.items() if problems} == {}


async def test_signing_in_with_an_invitation_a_password_and_a_second_factor(
    browser: Browser, installation: Installation
) -> None:
    """An admin invites; the person takes the invitation, sets up a second factor, signs out, and needs its code."""
    async with Moderator.at(browser, installation, token="admin_token", view="settings/members") as admin:
        await admin.page.get_by_label("Name").fill("Nora")
        await admin.page.get_by_label("E-mail address").fill("nora@daily.example")
        await admin.page.get_by_role("button", name="Invite").click()
        link = await admin.page.get_by_role("dialog").get_by_role("textbox").input_value()
        await admin.page.keyboard.press("Escape")
        await expect(admin.page.get_by_role("cell", name="nora@daily.example")).to_be_visible()
    async with Moderator.at(browser, installation, token=None) as nora:
        page = nora.page
        await page.goto("about:blank")
        await page.goto(link)
        await page.get_by_label("E-mail address").fill("nora@daily.example")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Take the invitation").click()
        await expect(page.get_by_role("link", name="Nora")).to_be_visible()
        await expect(page.get_by_role("link", name="Settings")).to_have_count(0)
        await nora.open("me")
        factor = page.locator("section", has_text="Code of your second factor")
        await factor.get_by_label("Password").fill(PASSWORD)
        await factor.get_by_role("button", name="Set one up").click()
        dialog = page.get_by_role("dialog")
        secret = (await dialog.locator("code").inner_text()).replace(" ", "")
        await dialog.get_by_label("First code").fill(pyotp.TOTP(secret).now())
        await dialog.get_by_role("button", name="Put it in force").click()
        await expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
        recovery = (await page.get_by_role("dialog").get_by_role("textbox").input_value()).split()
        assert len(recovery) == 10
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Sign out", exact=True).click()
        await page.get_by_label("E-mail address").fill("nora@daily.example")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).first.click()
        await page.get_by_label("Code of your second factor").fill(recovery[0])
        await page.get_by_role("button", name="Sign in", exact=True).first.click()
        await expect(page.get_by_role("link", name="Nora")).to_be_visible()
        nora.forgive(REFUSED)


async def test_a_token_can_be_pasted(browser: Browser, installation: Installation) -> None:
    """With a token of demo.json and the site's slug the queue opens; the token stays in this tab."""
    async with Moderator.at(browser, installation, token=None) as moderator:
        page = moderator.page
        await page.get_by_text("Use an API token instead").click()
        await page.get_by_label("API token").fill(installation.demo["moderator_token"])
        await page.get_by_label("Site").fill("demo")
        await page.locator(".token").get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("link", name="Demo moderator")).to_be_visible()
        assert await page.evaluate("Object.values(localStorage).join().includes('cq_')") is False
        moderator.forgive(REFUSED)


async def test_the_console_speaks_german(browser: Browser, installation: Installation) -> None:
    """A German browser is met in German, says so to screen readers, and counts in the German way."""
    await empty(installation)
    await hold(installation, 1, "German")
    async with Moderator.at(browser, installation, locale="de-DE") as moderator:
        await moderator.shown()
        await expect(moderator.page.get_by_role("button", name="Freigeben")).to_be_visible()
        await expect(moderator.page.locator("html")).to_have_attribute("lang", "de")
        await expect(moderator.card).to_contain_text(re.compile(r"Toxizität 0,\d\d, hält ab 0,50"))


async def test_the_languages_have_the_same_messages(browser: Browser, installation: Installation) -> None:
    """No message is missing in a language, and each names the same values."""
    async with Moderator.at(browser, installation, token=None) as moderator:
        english, german = await moderator.page.evaluate(
            "Promise.all(['en', 'de'].map(async (one) => (await import(`/console/i18n/${one}.js`)).default))"
        )
        moderator.forgive(REFUSED)
    assert english.keys() == german.keys()
    named = re.compile(r"\{\w+\}")
    assert [key for key in english if {*named.findall(str(english[key]))} != {*named.findall(str(german[key]))}] == []


async def test_a_policy_is_previewed_before_it_is_in_force(browser: Browser, installation: Installation) -> None:
    """A moved threshold says what it would have done, and only then is put in force."""
    await hold(installation, 2, "preview")
    async with Moderator.at(browser, installation, token="admin_token", view="settings/policy") as admin:
        page = admin.page
        await page.get_by_role("spinbutton", name="doubtful-toxicity: toxicity").fill("0.99")
        await page.get_by_role("button", name="See what would change").click()
        await expect(page.get_by_text(re.compile(r"With these thresholds, of the last \d+ comments"))).to_be_visible()
        await expect(page.get_by_text(re.compile("holds → .*publishes")).first).to_be_visible()
        before = await page.locator("main code").first.inner_text()
        await page.get_by_role("spinbutton", name="doubtful-toxicity: toxicity").fill("0.51")
        await page.get_by_role("button", name="Put in force").click()
        await expect(page.locator("main code").first).not_to_have_text(before)


async def test_an_author_is_restricted_from_their_page(browser: Browser, installation: Installation) -> None:
    """From a card to the author, a note for colleagues, a suspension, and its end."""
    await empty(installation)
    await hold(installation, 1, "restricted", author={"name": "Rolf"})
    async with Moderator.at(browser, installation) as moderator:
        await moderator.shown()
        page = moderator.page
        await page.get_by_role("link", name="Rolf").click()
        await expect(page.get_by_role("heading", name="Rolf")).to_be_visible()
        await page.get_by_label("New note").fill("Was warned on the telephone.")
        await page.get_by_role("button", name="Add").click()
        await expect(page.get_by_text("Was warned on the telephone.")).to_be_visible()
        await page.get_by_text("Restrict the author", exact=True).click()
        await page.get_by_role("button", name="Restrict", exact=True).click()
        await expect(page.get_by_text("in force", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Lift", exact=True).click()
        await expect(page.get_by_text("over", exact=True)).to_be_visible()


async def test_a_published_comment_is_taken_down_and_brought_back(browser: Browser, installation: Installation) -> None:
    """In the view of a thread a published comment goes with a reason and comes back."""
    answer = await installation.submit("The trams should run all night, for take-down.", page="down", wait=10)
    assert answer.json()["comment"]["status"] == "published"
    async with Moderator.at(browser, installation, view="threads/down") as moderator:
        row = moderator.page.locator("li", has_text="for take-down")
        await row.get_by_role("button", name="Take down").click()
        await moderator.page.get_by_role("dialog").get_by_role("checkbox", name="Off topic").check()
        await moderator.page.get_by_role("dialog").get_by_role("button", name="Take down").click()
        await expect(row.locator(".status")).to_have_text("removed")
        await row.get_by_role("button", name="Bring back").click()
        await expect(row.locator(".status")).to_have_text("published")


async def test_the_files_are_served_with_care(installation: Installation) -> None:
    """Right types, a strict content policy, an ETag that saves the body, gzip where it is wanted, 404 for the rest."""
    for name, kind in (("", "text/html"), ("/app.js", "text/javascript"), ("/css/frame.css", "text/css")):
        answer = await installation.client.get(f"/console{name}")
        assert answer.headers["content-type"].startswith(kind)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["content-encoding"] == "gzip"
        again = await installation.client.get(f"/console{name}", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        plain = await installation.client.get(f"/console{name}", headers={"accept-encoding": "identity"})
        assert plain.text == answer.text
    for name in ("nothing.js", "..%2fpages.py", "views", "css/../../demo/demo.js%00"):
        assert (await installation.client.get(f"/console/{name}")).status_code in (400, 404)
    assert (await installation.client.get("/console", headers={"accept-encoding": "identity"})).status_code == 200


async def test_no_name_of_the_joined_modules_is_one_of_the_browsers(browser: Browser) -> None:
    """A module that means what the browser calls so gets that, though all modules of the console share one scope."""
    names = sorted({name for path in FOLDER.rglob("*.js") for name in _DECLARED.findall(path.read_text())})
    page = await browser.new_page()
    assert await page.evaluate("(names) => names.filter((name) => name in window)", names) == []
    await page.close()
