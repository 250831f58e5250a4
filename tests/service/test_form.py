"""The form that needs no scripts: sent from a page of the site's or ours, once, and answered with what became of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from service.flow import post_form
from tests.service.answers import ORIGIN, problem
from tests.service.well_formed import Page
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
FORM = "/v1/sites/test/threads/page/form"
HTML = {"accept": "text/html"}
ARTICLE = "https://news.example/article"


@pytest.fixture
def database_kind() -> str:
    """What is checked here is HTTP and HTML."""
    return "sqlite"


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments are decided when a test says so, so waiting for it would be in vain."""
    monkeypatch.setattr(post_form, "WAIT_SECONDS", 0.0)


async def send(service: Service, headers: dict[str, str] | None = None, /, **fields: str) -> httpx.Response:
    """Send the form from the article's page."""
    sent = {**ORIGIN, **HTML, **(headers or {})}
    return await service.client.post(FORM, data={"body": "An opinion.", **fields}, headers=sent)


async def page_of(service: Service, answer: httpx.Response) -> Page:
    """Follow an answer as a browser does."""
    assert answer.status_code == 303, answer.text
    shown = await service.call("GET", answer.headers["location"], headers=HTML, expect=200)
    assert shown.headers["cache-control"] == "no-store"
    return Page(shown.text.removeprefix("<!doctype html>"))


async def hidden(service: Service, **query: str) -> tuple[Page, dict[str, str]]:
    """Open the form and answer it with its hidden fields."""
    answer = await service.call("GET", FORM, params=query or None, headers=HTML, expect=200)
    page = Page(answer.text.removeprefix("<!doctype html>"))
    return page, {str(one["name"]): str(one["value"]) for one in page.named("input", type="hidden")}


async def test_a_comment_is_sent_without_a_script(service: Service) -> None:
    """What a form sends is a comment like any other, with the name, and the time that the writing took."""
    _, kept = await hidden(service)
    service.clock.advance(30)
    answer = await send(service, **kept, name="Ada", website="")
    assert (await page_of(service, answer)).text.count("is being checked") == 1
    await service.drain()
    assert (await page_of(service, answer)).text.count("Your comment is published.") == 1
    [comment] = (await service.thread())["comments"]
    assert (comment["body"], comment["author"]["name"], comment["author"]["kind"]) == ("An opinion.", "Ada", "guest")
    assert await noticed(service) == '{"seconds_to_write": 30.0}'


async def noticed(service: Service) -> object:
    """Answer what was noticed of how the one comment was sent."""
    async with service.context.database.reading() as connection:
        return (await connection.exec_driver_sql("SELECT submission FROM revisions")).scalar_one()


async def test_a_program_that_fills_in_everything_is_noticed(service: Service) -> None:
    """The field that no person sees is a honeypot, as in a comment sent as JSON."""
    page, _ = await hidden(service)
    [honeypot] = page.named("input", name="website")
    assert honeypot["tabindex"] == "-1"
    await send(service, website="https://spam.example")
    assert await noticed(service) == '{"honeypot": true}'


async def test_a_reply_goes_under_what_it_answers(service: Service) -> None:
    """The link of a comment opens a form that quotes it and sends a reply."""
    root = (await service.published("What I *think*.", author={"name": "Ada"}))["comment"]["id"]
    page, kept = await hidden(service, reply_to=root)
    assert "Reply to Ada" in page.texts
    assert "think" in page.texts
    assert kept["parent_id"] == root
    assert (await send(service, **kept)).status_code == 303
    await service.drain()
    assert (await service.thread())["comments"][0]["replies"][0]["parent_id"] == root
    waiting = (await service.submit("A rude one."))["comment"]["id"]
    elsewhere = (await service.published("Elsewhere.", page="other"))["comment"]["id"]
    for unknown in (waiting, elsewhere, "nothing"):
        problem(await service.call("GET", FORM, params={"reply_to": unknown}), "comment.unknown")


def made_by(answer: httpx.Response) -> str:
    """Answer the id of the comment that a sent form made."""
    return str(answer.headers["location"]).partition("receipt=")[2].partition(".")[0]


async def test_a_second_click_changes_nothing(service: Service) -> None:
    """The same text from the same form is one comment; another text from it is another."""
    _, kept = await hidden(service)
    first, again = [made_by(await send(service, **kept)) for _ in range(2)]
    assert first == again
    assert made_by(await send(service, **{**kept, "body": "Another opinion."})) != first
    await service.drain()
    assert (await service.thread())["thread"]["count"] == 2


async def test_a_form_without_a_key_is_known_by_its_network(service: Service) -> None:
    """The form on an article's page is the same for all, so the same words from one network are one comment."""
    assert len({made_by(await send(service)) for _ in range(3)}) == 1
    await service.drain()
    assert (await service.thread())["thread"]["count"] == 1


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "https://news.example.evil.example"])
async def test_only_pages_of_the_site_and_ours_may_send(service: Service, origin: str | None) -> None:
    """A form from elsewhere, or from nowhere, is refused and makes nothing."""
    headers = {"origin": origin} if origin else {}
    answer = await service.client.post(FORM, data={"body": "An opinion."}, headers=headers)
    problem(answer, "origin.refused")
    await service.drain()
    assert (await service.thread())["thread"]["count"] == 0


async def test_our_own_page_may_send(service: Service) -> None:
    """The page of ours sends from our own origin, which no other route lets in as a site's."""
    own = {"origin": service.context.settings.url}
    assert (await send(service, own)).status_code == 303
    problem(await service.call("GET", "/v1/sites/test/threads/page", headers=own), "origin.refused")


async def test_a_published_comment_leads_back_to_the_article(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the thread has an address on the site's origin the reader goes there, to the comment; else to our page."""
    wanted = {"page": "page", "url": f"{ARTICLE}?a=1#top"}
    await service.call("POST", "/v1/admin/sites/test/threads", as_="publisher", json=wanted, expect=201)
    await service.scorer_reports()
    _, kept = await hidden(service)
    first = await send(service, **kept)
    assert first.headers["location"].startswith(service.context.settings.url)
    await service.drain()
    again = await send(service, **kept)
    [comment] = (await service.thread())["comments"]
    assert again.headers["location"] == f"{ARTICLE}?a=1#c-{comment['id']}"
    change = {"url": "https://evil.example/"}
    await service.call("PATCH", "/v1/admin/sites/test/threads/page", as_="publisher", json=change, expect=200)
    assert (await send(service, **kept)).headers["location"].startswith(service.context.settings.url)


@pytest.mark.parametrize(
    ("body", "said"), [("A rude one.", "waits for a moderator"), ("A vile one.", "was not accepted")]
)
async def test_what_was_not_published_is_said(service: Service, body: str, said: str) -> None:
    """The page of ours says honestly that a comment waits, or was refused and why."""
    answer = await send(service, body=body)
    await service.drain()
    page = await page_of(service, answer)
    assert said in page.text
    if "accepted" in said:
        assert page.named("li")
    assert "Look again" in page.texts or "accepted" in said


async def test_a_receipt_cannot_be_made_up(service: Service) -> None:
    """A receipt shows one comment for a day, to whom has it; a changed one, or an old one, shows nothing."""
    held = (await service.submit("A rude one."))["comment"]["id"]
    location = (await send(service)).headers["location"]
    receipt = location.partition("receipt=")[2]
    mine, until, seal = receipt.split(".")
    for made_up in (f"{held}.{until}.{seal}", f"{mine}.{int(until) + 1}.{seal}", f"{mine}.{until}.", mine, "", "a.b.ü"):
        problem(await service.call("GET", FORM, params={"receipt": made_up}), "comment.unknown")
    service.clock.advance(24 * 3600 + 1)
    problem(await service.call("GET", location), "comment.unknown")


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"body": "  "}, 400, "must not be blank"),
        ({"body": ""}, 400, "must not be blank"),
        ({"name": "x" * 81}, 400, "Expected"),
        ({"body": "y" * 10_001}, 400, "Expected"),
        ({"body": "x" * 5_001}, 400, "at most 5000"),
        ({"parent_id": "0190a0a0-0000-7000-8000-000000000000"}, 422, "not there any more"),
    ],
)
async def test_what_was_wrong_is_said_and_the_text_is_kept(
    service: Service, fields: dict[str, str], status: int, said: str
) -> None:
    """A browser is answered the form once more, with what was wrong and what was written."""
    written = {"name": "Ada </textarea>", "body": "An opinion.", **fields}
    answer = await send(service, **written)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text.removeprefix("<!doctype html>"))
    assert said in page.text
    assert written["body"] in page.text
    assert page.named("input", name="name")[0]["value"] == written["name"]
    asked = await send(service, {"accept": "*/*"}, **written)
    assert asked.headers["content-type"] == "application/problem+json"


async def test_limits_and_rules_hold_for_forms_too(service: Service) -> None:
    """A closed thread, a puzzle that must be solved, guests that are refused and a limit: each is said in words."""
    await service.published("First.")
    change: dict[str, Any] = {"state": "closed"}
    thread = "/v1/admin/sites/test/threads/page"
    await service.call("PATCH", thread, as_="publisher", json=change, expect=200)
    answer = await send(service)
    assert (answer.status_code, "is closed and takes no more" in answer.text) == (409, True)
    await service.call("PATCH", thread, as_="publisher", json={"state": "open"}, expect=200)
    await service.call("PUT", "/v1/admin/sites/test/spam", as_="admin", json={"challenge": "always"}, expect=200)
    answer = await send(service)
    assert (answer.status_code, "only with JavaScript" in answer.text) == (403, True)
    await service.call("PUT", "/v1/admin/sites/test/spam", as_="admin", json={}, expect=200)
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"guests_allowed": False}, expect=200)
    assert (await send(service)).status_code == 403
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"guests_allowed": True}, expect=200)
    rates = {"submit_per_network": {"limit": 1, "per_seconds": 60}}
    await service.call("PUT", "/v1/admin/sites/test/limits", as_="admin", json=rates, expect=200)
    answers = [await send(service, body=f"Opinion {number}.") for number in range(3)]
    assert answers[-1].status_code == 429
    assert "That was quick." in answers[-1].text
    assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("content", "content_type", "code"),
    [
        (b'{"body":"x"}', "application/json", "request.content_type"),
        (b"body=x", "text/plain", "request.content_type"),
        (b"body=%ff", "application/x-www-form-urlencoded", "request.malformed"),
        (b"body=x&body=y", "application/x-www-form-urlencoded", "request.malformed"),
        (b"body=x&status=published", "application/x-www-form-urlencoded", "request.invalid"),
        (b"body=x%00", "application/x-www-form-urlencoded", "request.nul"),
        ("body=ü".encode(), "application/x-www-form-urlencoded", "request.malformed"),
        (
            b"&".join(b"a%d=1" % number for number in range(50)),
            "application/x-www-form-urlencoded",
            "request.malformed",
        ),
        (b"name=x", "application/x-www-form-urlencoded", "request.invalid"),
        (b"body=" + b"x" * 200_000, "application/x-www-form-urlencoded", "request.too_large"),
    ],
)
async def test_a_form_is_read_strictly(service: Service, content: bytes, content_type: str, code: str) -> None:
    """What is no form of ours is refused with the reason, and makes nothing."""
    headers = {**ORIGIN, "content-type": content_type}
    problem(await service.client.post(FORM, content=content, headers=headers), code)


async def test_the_longest_text_fits(service: Service) -> None:
    """As many characters as a site may allow can be sent, however many bytes each takes; line ends are as typed."""
    wanted = {"body_max_characters": 10_000}
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json=wanted, expect=200)
    body = "😀" * 9_997 + "\n\na"
    content = urlencode({"body": body.replace("\n", "\r\n"), "name": "", "key": "", "lang": "en"})
    headers = {**ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    assert (await service.client.post(FORM, content=content, headers=headers)).status_code == 303
    async with service.context.database.reading() as connection:
        assert (await connection.exec_driver_sql("SELECT body FROM revisions")).scalar_one() == body
