"""A thread as HTML: what readers without scripts and search engines are served, and what the widget takes over."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from tests.seeding import seed_thread
from tests.service.answers import problem
from tests.service.well_formed import Page
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
FRAGMENT = "/v1/sites/test/threads/page/fragment"
BROWSER = {"accept": "text/html,application/xhtml+xml", "sec-fetch-dest": "document"}
ARTICLE = "https://news.example/article"


@pytest.fixture
def database_kind() -> str:
    """What is checked here is HTML."""
    return "sqlite"


async def fragment(service: Service, path: str = FRAGMENT, **query: str) -> Page:
    """Read a page as HTML, which must be well-formed."""
    answer = await service.call("GET", path, params=query or None, expect=200)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.text)


def linked_data(page: Page) -> Any:
    """Answer what search engines read."""
    [data] = [text for text in page.texts if text.startswith('{"@context"')]
    return json.loads(data)


async def titled(service: Service, **values: Any) -> None:
    """Make the thread of the article as a publisher does."""
    wanted = {"page": "page", "title": "Bees & trees", "url": ARTICLE, **values}
    await service.call("POST", "/v1/admin/sites/test/threads", as_="publisher", json=wanted, expect=201)


async def test_a_thread_is_served_in_the_widget_s_markup(service: Service) -> None:
    """Comments stand nested in the elements and attributes that the widget takes over."""
    root = (await service.published("The *first*.", author={"name": "Ada <b>"}))["comment"]
    reply = (await service.published("A reply.", parent_id=root["id"]))["comment"]
    page = await fragment(service)
    [section] = page.named("section", **{"class": "colloquy", "part": "thread"})
    state = {"data-version": "2", "data-count": "2", "data-next": "", "data-state": "open", "lang": "en", "dir": "ltr"}
    assert state.items() <= section.items()
    first, second = page.named("article", **{"class": "c"})
    assert (first["id"], first["data-id"], first["data-parent"]) == (f"c-{root['id']}", root["id"], "")
    assert (second["data-id"], second["data-parent"]) == (reply["id"], root["id"])
    key = (await service.thread())["comments"][0]["author"]["key"]
    assert first["data-author"] == key
    assert ("em", {}) in page.elements
    assert "Ada <b>" in page.texts
    assert page.named("a", **{"class": "when"})[0]["href"] == f"#c-{root['id']}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", page.named("time")[0]["datetime"] or "")


async def test_what_the_widget_does_itself_is_for_those_without_scripts(service: Service) -> None:
    """On an article's page form, sorts and feed stand in `noscript`; on a page of ours they stand in the open."""
    await service.published("First.")
    part = (await service.call("GET", FRAGMENT, expect=200)).text
    outside = re.sub(r"<noscript>.*?</noscript>", "", part, flags=re.DOTALL)
    assert "<form" in part
    assert "<form" not in outside
    assert 'class="sorts"' not in outside
    whole = (await service.call("GET", FRAGMENT, params={"page": "1"}, expect=200)).text
    assert "<noscript>" not in whole
    assert "<form" in whole


async def test_a_tombstone_shows_neither_text_nor_name(service: Service) -> None:
    """A deleted comment with replies is a shell, and search engines see its replies in its place."""
    root = await service.published("Soon gone.", author={"name": "Ada"})
    await service.published("A reply.", parent_id=root["comment"]["id"])
    path = f"/v1/sites/test/comments/{root['comment']['id']}"
    await service.call("DELETE", path, as_=root["author_token"], expect=204)
    page = await fragment(service)
    [gone] = page.named("article", **{"class": "c gone"})
    assert gone["data-author"] == ""
    assert "This comment was deleted." in page.texts
    assert "Soon gone." not in page.text
    assert "Ada" not in page.text
    assert [one["text"] for one in linked_data(page)["comment"]] == ["A reply."]


async def test_search_engines_read_the_thread(service: Service) -> None:
    """The linked data is a DiscussionForumPosting whose comments have text, time, author and an address each."""
    await titled(service)
    root = (await service.published("</script><script>alert(1)</script> & more", author={"name": "Ada"}))["comment"]
    await service.published("A reply.", parent_id=root["id"])
    answer = await service.call("GET", FRAGMENT, expect=200)
    assert answer.text.count("<script") == answer.text.count("</script>") == 1
    data = linked_data(Page(answer.text))
    assert (data["@context"], data["@type"]) == ("https://schema.org", "DiscussionForumPosting")
    assert (data["headline"], data["url"], data["commentCount"]) == ("Bees & trees", ARTICLE, 2)
    [comment] = data["comment"]
    assert comment["@type"] == "Comment"
    assert comment["text"] == "</script><script>alert(1)</script> & more"
    assert comment["author"] == {"@type": "Person", "name": "Ada"}
    assert comment["url"] == f"{ARTICLE}#c-{root['id']}"
    assert comment["comment"][0]["text"] == "A reply."


async def test_a_page_is_read_once_more_only_when_it_changed(service: Service) -> None:
    """The ETag stays while nothing changes, answers 304, and is another one after a comment and in another language."""
    await service.published("First.")
    first = await service.call("GET", FRAGMENT, expect=200)
    known = {"if-none-match": first.headers["etag"]}
    again = await service.call("GET", FRAGMENT, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert (await service.call("GET", FRAGMENT, params={"lang": "de"}, headers=known)).status_code == 200
    assert (await service.call("GET", FRAGMENT, params={"page": "1"}, headers=known)).status_code == 200
    await service.published("Second.")
    assert (await service.call("GET", FRAGMENT, headers=known)).status_code == 200


async def test_a_setting_that_changes_the_form_changes_the_page(service: Service) -> None:
    """When guests are refused, or the thread is closed, the page says so at once."""
    await service.published("First.")
    assert (await fragment(service)).named("form")
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"guests_allowed": False}, expect=200)
    page = await fragment(service)
    assert not page.named("form")
    assert "Sign in on the article’s page to comment." in page.texts
    change = {"state": "closed"}
    await service.call("PATCH", "/v1/admin/sites/test/threads/page", as_="publisher", json=change, expect=200)
    page = await fragment(service)
    assert page.named("section")[0]["data-state"] == "closed"
    assert "This discussion is closed." in page.texts


async def test_links_lead_through_a_long_thread(service: Service) -> None:
    """More comments, more replies and the sorts are links to pages of ours, and every root is met once."""
    site = await service.context.directory.find("test")
    seeded = await seed_thread(service.context.database, site.id, comments=200, reply_share=0.7, hidden_share=0.05)
    path: str | None = f"/v1/sites/test/threads/{seeded.page}/fragment?page=1&sort=oldest"
    roots: list[str | None] = []
    rest: str | None = None
    while path is not None:
        page = await fragment(service, path)
        roots += [one["data-id"] for one in page.named("article", **{"data-parent": ""})]
        rest = rest or next((link["href"] for link in page.named("a", **{"class": "rest"})), None)
        nexts = [one["href"] for one in page.named("a") if "after=" in (one["href"] or "")]
        assert len(nexts) <= 1
        path = _here(service, nexts[0]) if nexts else None
    assert len(roots) == len(set(roots)) > 20
    answer = await service.call("GET", f"/v1/sites/test/threads/{seeded.page}", params={"limit": 100, "sort": "oldest"})
    assert roots[:40] == [one["id"] for one in answer.json()["comments"]][:40]
    assert rest is not None
    under = await fragment(service, _here(service, rest))
    assert len(under.named("article")) > 10
    sorts = [one["href"] for one in (await fragment(service, _here(service, rest))).named("a")]
    assert sorts


def _here(service: Service, address: str | None) -> str:
    assert address is not None
    assert address.startswith(service.context.settings.url + "/v1/")
    return address.removeprefix(service.context.settings.url)


async def test_one_comment_is_a_page_with_its_context(service: Service) -> None:
    """`under` shows a comment below what it answers and above what answers it; one that nobody may see is unknown."""
    root = (await service.published("The root."))["comment"]["id"]
    middle = (await service.published("The middle.", parent_id=root))["comment"]["id"]
    leaf = (await service.published("The leaf.", parent_id=middle))["comment"]["id"]
    page = await fragment(service, FRAGMENT, under=middle)
    assert [one["data-id"] for one in page.named("article")] == [root, middle, leaf]
    waiting = (await service.submit("A rude one."))["comment"]["id"]
    for unknown in (waiting, "nothing"):
        problem(await service.call("GET", FRAGMENT, params={"under": unknown}), "comment.unknown")


async def test_a_browser_that_goes_there_is_served_a_whole_page(service: Service) -> None:
    """A navigation gets a styled document in which nothing runs; a script's request gets the part alone."""
    await titled(service)
    await service.published("First.")
    answer = await service.call("GET", FRAGMENT, headers=BROWSER, expect=200)
    assert answer.text.startswith('<!doctype html>\n<html lang="en" dir="ltr">')
    page = Page(answer.text.removeprefix("<!doctype html>"))
    policy = answer.headers["content-security-policy"]
    [style] = [text for text in page.texts if text.startswith(":root {")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "form-action 'self' https://news.example;" in policy
    assert answer.headers["referrer-policy"] == "same-origin"
    assert {"rel": "alternate", "type": "application/atom+xml"}.items() <= page.named("link")[0].items()
    assert page.named("a", href=ARTICLE)
    assert page.named("h1")
    for asked in ({**BROWSER, "sec-fetch-dest": "empty"}, {"accept": "*/*"}):
        part = await service.call("GET", FRAGMENT, headers=asked, expect=200)
        assert part.text.startswith("<section ")
        assert "sec-fetch-dest" in part.headers["vary"].lower()
    assert (await fragment(service, FRAGMENT, page="1")).named("html")


@pytest.mark.parametrize(
    ("language", "direction"), [("en", "ltr"), ("de", "ltr"), ("fr", "ltr"), ("es", "ltr"), ("ar", "rtl")]
)
async def test_our_words_are_in_the_language_asked_for(service: Service, language: str, direction: str) -> None:
    """Language and direction are said, links keep them, and what readers wrote finds its own direction."""
    await service.published("Hello.", author={"name": "ليلى"})
    page = await fragment(service, FRAGMENT, lang=language, page="1")
    for name in ("html", "section"):
        [said] = page.named(name)
        assert (said["lang"], said["dir"]) == (language, direction)
    assert page.named("div", **{"class": "body", "dir": "auto"})
    assert page.named("bdi", **{"class": "name"})
    leading = [one["href"] or "" for one in page.named("a") if "fragment" in (one["href"] or "")]
    assert leading
    assert all(f"lang={language}" in address for address in leading)


async def test_every_language_has_every_word() -> None:
    """No text is missing in a language, and none takes other values than in English."""
    from service.flow.reader_words import _WORDS

    english = _WORDS["en"].texts
    for words in _WORDS.values():
        assert words.texts.keys() == english.keys(), words.language
        for key, text in words.texts.items():
            assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", english[key])), key
        assert len(words("months").split()) == 12


async def test_only_an_allowed_origin_is_led_to(service: Service) -> None:
    """An article's address elsewhere, or one that only looks like the site's, is never a link."""
    from service.flow.reader_links import article_of

    site = await service.context.directory.find("test")
    for url in (
        "https://evil.example/", "https://news.example.evil.example/", "https://news.example@evil.example/",
        "https://news.example\\@evil.example/", "http://news.example/", "https://news.example:8443/", None,
        "https://news.examples/",
    ):  # fmt: skip
        assert article_of(site, url) is None, url
    assert article_of(site, "https://news.example") == "https://news.example"
    assert article_of(site, f"{ARTICLE}?a=1#top", "x") == f"{ARTICLE}?a=1#c-x"
    assert article_of(site, "https://news.example/a\r\nset-cookie: b") == "https://news.example/a%0D%0Aset-cookie:%20b"
    await titled(service, url="https://evil.example/")
    await service.published("First.")
    whole = await service.call("GET", FRAGMENT, params={"page": "1"}, expect=200)
    assert "evil.example" not in whole.text


async def test_a_page_without_a_thread_invites(service: Service) -> None:
    """Where nobody wrote yet the form is there, and nothing is made by reading."""
    page = await fragment(service)
    assert "Leave the first comment" in page.texts
    assert page.named("form")
    problem(await service.call("GET", "/v1/admin/sites/test/threads/page", as_="admin"), "thread.unknown")
    problem(await service.call("GET", FRAGMENT, params={"after": "nonsense"}), "request.invalid")
    problem(await service.call("GET", FRAGMENT, params={"lang": "xx"}), "request.invalid")
    problem(await service.call("GET", FRAGMENT, headers={"origin": "https://evil.example"}), "origin.refused")


async def test_pinned_and_featured_comments_are_marked(service: Service) -> None:
    """What moderators pinned is on the first page whatever the order, once, and says that it is."""
    first = (await service.published("The first."))["comment"]["id"]
    for number in range(21):
        await service.published(f"Comment number {number}.")
    for mark in ("featured", "pinned"):
        await service.call("PUT", f"/v1/review/test/comments/{first}/{mark}", as_="moderator", expect=204)
    page = await fragment(service)
    assert page.named("article")[0]["class"] == "c featured pinned"
    assert page.named("article")[0]["data-id"] == first
    oldest = await fragment(service, FRAGMENT, sort="oldest")
    assert [one["data-id"] for one in oldest.named("article")].count(first) == 1
