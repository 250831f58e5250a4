"""Threads for moderators: counts by status, found by title and page, and every comment in them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from service import schemas
from service.flow import manage_sites, moderated_threads
from tests.service.answers import fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
THREADS = "/v1/review/test/threads"
URL = "https://news.example/a?b=c"
CIVIL, RUDE, VILE = (f"A {word} opinion about the tram in this town." for word in ("civil", "rude", "vile"))


async def listed(service: Service, **asked: Any) -> list[tuple[str, dict[str, int]]]:
    """Page and counts of every thread, walked page by page."""
    found, after = [], dict[str, str]()
    while True:
        params = {"limit": 1, **asked, **after}
        page = (await service.call("GET", THREADS, as_="moderator", params=params, expect=200)).json()
        found += [(one["page"], one["counts"]) for one in page["threads"]]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}


async def test_threads_are_listed_with_what_is_in_them(service: Service) -> None:
    """The newest first, each with the number of comments in every status that occurs; found by title and by page."""
    thread = {"page": URL, "title": "Should 100% of the Trams be free?"}
    await service.call("POST", "/v1/admin/sites/test/threads", as_="publisher", json=thread, expect=201)
    service.clock.advance(1)
    for body in (CIVIL, RUDE, VILE, "Another civil opinion about trams."):
        await service.submit(body, page="second")
    await service.submit(CIVIL, page=quote(URL, safe=""))
    await service.drain()
    whole = [("second", {"published": 2, "held": 1, "rejected": 1}), (URL, {"published": 1})]
    assert await listed(service) == whole
    for q, pages in (("TRAMS", [URL]), ("news.example", [URL]), ("SECOND", ["second"]), ("100%", [URL]), ("%", [URL]),
                     ("_", []), ("nothing", []), ("", [URL, "second"])):  # fmt: skip
        assert sorted(page for page, _ in await listed(service, q=q)) == sorted(pages), q


async def test_a_wide_search_for_little_goes_on(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request looks at a bounded number of threads and says where to go on; the one that fits is found in the end."""
    monkeypatch.setattr(moderated_threads, "_STEP", 2)
    monkeypatch.setattr(moderated_threads, "_STEPS", 2)
    for number in range(9):
        thread = {"page": f"page-{number}", "title": "Trams" if number == 0 else "Buses"}
        await service.call("POST", "/v1/admin/sites/test/threads", as_="publisher", json=thread, expect=201)
        service.clock.advance(1)
    first = (await service.call("GET", THREADS, as_="moderator", params={"q": "tram"}, expect=200)).json()
    assert (first["threads"], first["next"] is None) == ([], False)
    assert [page for page, _ in await listed(service, q="tram")] == ["page-0"]
    assert len(await listed(service)) == 9


async def test_every_comment_of_a_thread_is_read(service: Service) -> None:
    """In every status, replies among them, the newest first, page by page; or those in one status."""
    page = quote(URL, safe="")
    root = await service.published(CIVIL, page=page)
    service.clock.advance(1)
    for body in (RUDE, VILE):
        await service.submit(body, page=page, parent_id=root["comment"]["id"])
        service.clock.advance(1)
    await service.submit(RUDE, page="another")
    await service.drain()
    path = f"{THREADS}/{page}/comments"
    first = (await service.call("GET", path, as_="moderator", params={"limit": 2}, expect=200)).json()
    rest = (await service.call("GET", path, as_="moderator", params={"limit": 2, "after": first["next"]})).json()
    assert [one["body"] for one in first["comments"] + rest["comments"]] == [VILE, RUDE, CIVIL]
    assert rest["next"] is None
    for status, bodies in (("held", [RUDE]), ("published", [CIVIL]), ("removed", [])):
        found = (await service.call("GET", path, as_="moderator", params={"status": status}, expect=200)).json()
        assert [one["body"] for one in found["comments"]] == bodies
    other = {"status": "held", "after": first["next"]}
    assert fields(await service.call("GET", path, as_="moderator", params=other)) == {"after"}
    problem(await service.call("GET", f"{THREADS}/nothing/comments", as_="moderator"), "thread.unknown")
    problem(await service.call("GET", THREADS, as_="moderator", params={"q": "a\x00"}), "request.nul")


async def test_a_site_sees_its_own_threads_alone(service: Service) -> None:
    """The same page on two sites is a thread of each."""
    await manage_sites.create_site(service.context, "test", schemas.SiteInput(slug="other", name="Other"))
    await service.submit(CIVIL)
    body = {"body": "Theirs, which is another opinion."}
    await service.call("POST", "/v1/sites/other/threads/page/comments", json=body, expect=202)
    for slug, text in (("test", CIVIL), ("other", body["body"])):
        path = f"/v1/review/{slug}/threads"
        assert len((await service.call("GET", path, as_="root", expect=200)).json()["threads"]) == 1
        found = (await service.call("GET", f"{path}/page/comments", as_="root", expect=200)).json()
        assert [one["body"] for one in found["comments"]] == [text]
    problem(await service.call("GET", "/v1/review/other/threads", as_="moderator"), "auth.forbidden")
