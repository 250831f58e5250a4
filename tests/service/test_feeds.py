"""Feeds: valid Atom for whatever was written, the newest first, stable ids, and nothing that a reader may not see."""

from __future__ import annotations

import uuid
from typing import Any
from xml.etree import ElementTree

import pytest

from service.flow.feed import ENTRIES
from service.store import newest
from tests.seeding import seed_thread
from tests.service.answers import problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
FEED, SITE_FEED = "/v1/sites/test/threads/page/feed", "/v1/sites/test/feed"
ATOM = "{http://www.w3.org/2005/Atom}"
ANSWERS = "{http://purl.org/syndication/thread/1.0}in-reply-to"
ARTICLE = "https://news.example/article"


async def read(service: Service, path: str = FEED) -> Any:
    """Read a feed and check what every feed must have (RFC 4287, 4.1)."""
    answer = await service.call("GET", path, expect=200)
    assert answer.headers["content-type"] == "application/atom+xml"
    root = ElementTree.fromstring(answer.content)
    assert root.tag == f"{ATOM}feed"
    for one in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            [found] = one.findall(f"{ATOM}{name}")
            assert found.text
        assert uuid.UUID((one.findtext(f"{ATOM}id") or "").removeprefix("urn:uuid:"))
    return root


def texts(root: Any, name: str) -> list[str]:
    """Answer a text of every entry."""
    return [entry.findtext(f"{ATOM}{name}") for entry in root.findall(f"{ATOM}entry")]


@pytest.mark.parametrize("path", [FEED, SITE_FEED])
async def test_the_newest_come_first(service: Service, path: str) -> None:
    """Entries have author, times, sanitised HTML and what they answer; ids stay when a text is edited."""
    wanted = {"page": "page", "title": "Bees & trees", "url": ARTICLE}
    await service.call("POST", "/v1/admin/sites/test/threads", as_="publisher", json=wanted, expect=201)
    root = (await service.published("The *first* <script>.", author={"name": "Ada <b>"}))["comment"]
    sent = await service.published("A reply.", parent_id=root["id"])
    reply = sent["comment"]
    feed = await read(service, path)
    assert texts(feed, "id") == [f"urn:uuid:{reply['id']}", f"urn:uuid:{root['id']}"]
    assert texts(feed, "title") == ["Guest on “Bees & trees”", "Ada <b> on “Bees & trees”"]
    assert texts(feed, "content")[1] == "<p>The <em>first</em> &lt;script&gt;.</p>"
    assert feed.findtext(f"{ATOM}entry/{ATOM}author/{ATOM}name") == "Guest"
    assert feed.find(f"{ATOM}entry/{ANSWERS}").get("ref") == f"urn:uuid:{root['id']}"
    links = [link.get("href") for link in feed.findall(f"{ATOM}entry/{ATOM}link")]
    assert links == [f"{ARTICLE}#c-{reply['id']}", f"{ARTICLE}#c-{root['id']}"]
    service.clock.advance(60)
    edit = f"/v1/sites/test/comments/{reply['id']}"
    await service.call("PATCH", edit, as_=sent["author_token"], json={"body": "Another reply."}, expect=200)
    await service.drain()
    again = await read(service, path)
    assert texts(again, "id") == texts(feed, "id")
    assert texts(again, "content")[0] == "<p>Another reply.</p>"
    assert again.findtext(f"{ATOM}updated") == texts(again, "updated")[0] > texts(feed, "updated")[0]
    assert again.findtext(f"{ATOM}id") == feed.findtext(f"{ATOM}id")


async def test_only_what_readers_see_is_in_a_feed(service: Service) -> None:
    """What waits, is refused, taken down or deleted is in neither feed; other threads are in the site's alone."""
    await service.submit("A rude one.")
    await service.submit("A vile one.")
    gone = await service.published("Soon gone.")
    kept = (await service.published("Kept."))["comment"]["id"]
    elsewhere = (await service.published("Elsewhere.", page="other"))["comment"]["id"]
    path = f"/v1/sites/test/comments/{gone['comment']['id']}"
    await service.call("DELETE", path, as_=gone["author_token"], expect=204)
    assert texts(await read(service), "id") == [f"urn:uuid:{kept}"]
    assert texts(await read(service, SITE_FEED), "id") == [f"urn:uuid:{elsewhere}", f"urn:uuid:{kept}"]


async def test_a_feed_has_so_many_entries(service: Service) -> None:
    """Of a long thread a feed has the thirty newest."""
    site = await service.context.directory.find("test")
    seeded = await seed_thread(service.context.database, site.id, comments=300, hidden_share=0.2)
    path = f"/v1/sites/test/threads/{seeded.page}/feed"
    for feed in (await read(service, path), await read(service, SITE_FEED)):
        ids = texts(feed, "id")
        assert len(ids) == ENTRIES
        assert ids == sorted(ids, reverse=True)


async def test_a_flood_of_refused_comments_costs_a_bounded_walk(service: Service) -> None:
    """However many newer comments nobody published, a thread's feed looks at a bounded number."""
    site = await service.context.directory.find("test")
    seeded = await seed_thread(service.context.database, site.id, comments=300, hidden_share=1.0)
    async with service.context.database.reading() as connection:
        assert list(await newest.of_thread(connection, site.id, seeded.thread_id, limit=30)) == []
    assert newest.WALKED == 1_000


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_feed_is_read_once_more_only_when_it_changed(service: Service) -> None:
    """The ETag answers 304 until there is another comment."""
    await service.published("First.")
    for path in (FEED, SITE_FEED):
        known = {"if-none-match": (await service.call("GET", path, expect=200)).headers["etag"]}
        assert (await service.call("GET", path, headers=known)).status_code == 304
    await service.published("Second.")
    assert (await service.call("GET", FEED, headers=known)).status_code == 200


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_feed_of_nothing_is_a_feed(service: Service) -> None:
    """A page without a thread has a valid feed without entries, under the id that it keeps."""
    empty = await read(service)
    assert texts(empty, "id") == []
    await service.published("First.")
    full = await read(service)
    assert full.findtext(f"{ATOM}id") == empty.findtext(f"{ATOM}id")
    assert await read(service, SITE_FEED) is not None
    problem(await service.call("GET", "/v1/sites/nowhere/feed"), "site.unknown")
