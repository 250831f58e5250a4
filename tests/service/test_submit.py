"""A comment comes in: who may send one, where, what the answer says, and what a thread takes from it."""

import asyncio
import re
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from service.queue.live import DecisionHub
from service.queue.scorer_status import ScorerState
from tests.service.answers import ORIGIN, UNKNOWN_ID, client_of, fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
COMMENTS = "/v1/sites/test/threads/page/comments"


async def test_a_guest_gets_a_token_once(service: Service) -> None:
    """A new guest is given an author token; with it they are known, and given none again."""
    first = await service.submit("One.", author={"name": " Ada "})
    key = first["comment"]["author"]["key"]
    assert re.fullmatch(r"[0-9a-f]{16}", key)
    assert first["comment"]["author"] == {
        "name": "Ada", "kind": "guest", "badges": [], "avatar_url": None, "key": key,
    }  # fmt: skip
    token = first["author_token"]
    second = await service.submit("Two.", token=token)
    assert "author_token" not in second
    assert second["comment"]["author"]["name"] == "Ada"
    third = await service.submit("Three.", token=token, author={"name": "Countess"})
    assert third["comment"]["author"]["name"] == "Countess"
    mine = (await service.call("GET", "/v1/sites/test/mine", as_=token)).json()["comments"]
    assert [one["body"] for one in mine] == ["Three.", "Two.", "One."]


async def test_a_nameless_guest_may_write(service: Service) -> None:
    """A name is not needed; two guests without one are two authors."""
    first, second = await service.submit("One."), await service.submit("Two.")
    assert first["comment"]["author"]["name"] is None
    assert first["author_token"] != second["author_token"]


async def test_the_answer_is_the_comment_as_it_stands(service: Service) -> None:
    """A submit answers 202 with the pending comment, where it is, and is not kept by any cache."""
    answer = await service.call("POST", COMMENTS, json={"body": "Look:\n\n*this* <b>"}, expect=202)
    comment = answer.json()["comment"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"] == f"/v1/sites/test/comments/{comment['id']}"
    assert comment["body"] == "Look:\n\n*this* <b>"
    assert comment["html"] == "<p>Look:</p>\n<p><em>this</em> &lt;b&gt;</p>"
    wanted: dict[str, Any] = {
        "status": "pending",
        "parent_id": None,
        "reply_count": 0,
        "likes": 0,
        "replies": [],
        "edited_at": None,
    }
    assert {name: comment[name] for name in wanted} == wanted
    assert comment["created_at"].endswith("Z")
    assert comment["reasons"] == []


async def test_a_closed_site_takes_no_guests(service: Service) -> None:
    """Where guests are not allowed a known author still writes."""
    token = (await service.submit("Before."))["author_token"]
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"guests_allowed": False}, expect=200)
    problem(await service.call("POST", COMMENTS, json={"body": "After."}), "guests.refused")
    await service.submit("After.", token=token)


async def test_replies_go_to_published_comments_of_the_thread(service: Service) -> None:
    """A parent that is not there, of another thread, or not published is parent.unknown."""
    root = (await service.published("Root."))["comment"]["id"]
    reply = await service.published("Reply.", parent_id=root)
    assert reply["comment"]["parent_id"] == root
    pending = (await service.submit("Pending."))["comment"]["id"]
    held = (await service.submit("A rude one."))["comment"]["id"]
    rejected = (await service.submit("A vile one."))["comment"]["id"]
    await service.call("POST", "/v1/admin/sites", as_="root", json={"slug": "other", "name": "O"}, expect=201)
    foreign = await service.call("POST", "/v1/sites/other/threads/page/comments", json={"body": "x"})
    for parent in (UNKNOWN_ID, pending, foreign.json()["comment"]["id"]):
        assert fields(
            await service.call("POST", COMMENTS, json={"body": "x", "parent_id": parent}), "parent.unknown"
        ) == {"parent_id"}
    await service.drain()
    elsewhere = "/v1/sites/test/threads/elsewhere/comments"
    for path, parent in ((COMMENTS, held), (COMMENTS, rejected), (elsewhere, root)):
        problem(await service.call("POST", path, json={"body": "x", "parent_id": parent}), "parent.unknown")
    counts = await service.call("GET", "/v1/sites/test/counts?page=elsewhere")
    assert counts.json() == {"counts": {"elsewhere": 0}}
    problem(await service.call("GET", "/v1/admin/sites/test/threads/elsewhere", as_="admin"), "thread.unknown")


async def test_replies_go_as_deep_as_the_site_says(service: Service) -> None:
    """With two levels a reply to a reply is the last."""
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"max_depth": 2}, expect=200)
    parent = (await service.published("0"))["comment"]["id"]
    for level in ("1", "2"):
        parent = (await service.published(level, parent_id=parent))["comment"]["id"]
    answer = await service.call("POST", COMMENTS, json={"body": "3", "parent_id": parent})
    assert fields(answer, "parent.too_deep") == {"parent_id"}


async def test_the_same_comment_twice_is_a_duplicate(service: Service) -> None:
    """The same text by the same author in the same place within the window is refused, however it is spaced."""
    first = await service.published("Twice.", author={"name": "Ada"})
    token, root = first["author_token"], first["comment"]["id"]
    for body in ("Twice.", "TWICE.", "  twice.\n"):
        problem(await service.call("POST", COMMENTS, as_=token, json={"body": body}), "comment.duplicate")
    await service.submit("Twice.", page="elsewhere", token=token)
    await service.submit("Twice.", parent_id=root, token=token)
    await service.submit("Twice.", author={"name": "Bob"})
    service.clock.advance(61)
    await service.submit("Twice.", token=token)


async def test_a_thread_closes(service: Service) -> None:
    """A closed thread takes no comment, reply or edit; one with a closing time closes when the time has come."""
    sent = await service.published()
    admin, path = "/v1/admin/sites/test/threads/page", f"/v1/sites/test/comments/{sent['comment']['id']}"
    closing = service.clock.moment.timestamp() + 60
    closes_at = service.clock.moment.fromtimestamp(closing, service.clock.moment.tzinfo).isoformat()
    await service.call("PATCH", admin, as_="publisher", json={"closes_at": closes_at}, expect=200)
    await service.submit("Still open.")
    service.clock.advance(61)
    assert (await service.thread())["thread"]["state"] == "closed"
    for body in ({"body": "x"}, {"body": "x", "parent_id": sent["comment"]["id"]}):
        problem(await service.call("POST", COMMENTS, json=body), "thread.closed")
    problem(await service.call("PATCH", path, as_=sent["author_token"], json={"body": "y"}), "thread.closed")
    await service.call("PATCH", admin, as_="publisher", json={"closes_at": None}, expect=200)
    await service.submit("Open again.")
    await service.call("PATCH", admin, as_="publisher", json={"state": "closed"}, expect=200)
    problem(await service.call("POST", COMMENTS, json={"body": "x"}), "thread.closed")
    assert (await service.thread())["thread"]["state"] == "closed"


async def test_title_and_url_come_once_from_an_allowed_origin(service: Service) -> None:
    """The first comment names the article if it comes from the site's own page; nobody else does, and nothing later."""
    told: dict[str, Any] = {"title": "Trams", "url": "https://news.example/trams"}
    await service.submit("One.", page="a", **told)
    await service.submit("Two.", page="a", **told, headers=ORIGIN)
    await service.submit("One.", page="b", **told, headers=ORIGIN)
    await service.submit("Two.", page="b", title="Other", url="https://news.example/other", headers=ORIGIN)
    seen = {page: (await service.thread(page))["thread"] for page in ("a", "b")}
    assert (seen["a"]["title"], seen["a"]["url"]) == (None, None)
    assert (seen["b"]["title"], seen["b"]["url"]) == ("Trams", "https://news.example/trams")


PAGES = [
    "https://news.example/a/b?c=d&e=f#g", "Straßenbahn/über/Köln", "新聞 電車", "100% sure", "a%2Fb", "..", ".",
    "a+b", "a b", ";x=1", "😀" * 4, "p" * 512, "ü" * 512, "/", "//", "comments", "a/comments", "?", "#", "a\nb",
    "../../x", "&", "'", "%", "\u202e",
]  # fmt: skip


async def test_any_text_is_a_page_key(service: Service) -> None:
    """Whole URLs, other scripts, percent signs and dots reach the very thread they name, up to 512 characters."""
    for number, page in enumerate(PAGES):
        path = f"/v1/sites/test/threads/{quote(page, safe='')}".replace("/threads/.", "/threads/%2E")
        if set(page) == {"."}:
            path = "/v1/sites/test/threads/" + "%2E" * len(page)
        await service.call("POST", f"{path}/comments", json={"body": f"About {number}."}, expect=202)
        seen = (await service.call("GET", path, expect=200)).json()["thread"]
        assert seen["page"] == page
        assert (await service.call("GET", path.replace("/v1/", "/v1/admin/"), as_="publisher")).json()["page"] == page
    await service.drain()
    counted = await service.call("POST", "/v1/sites/test/counts", json={"pages": PAGES}, expect=200)
    assert counted.json()["counts"] == dict.fromkeys(PAGES, 1)
    for page in ("p" * 513, "ü" * 513, "%FF", "%ED%A0%80"):
        answer = await service.call("POST", f"/v1/sites/test/threads/{page}/comments", json={"body": "x"})
        assert fields(answer) == {"page"}
        assert fields(await service.call("GET", f"/v1/sites/test/threads/{page}")) == {"page"}


async def test_reading_makes_no_thread(service: Service) -> None:
    """Readers, counts and mistaken comments leave no thread behind; an empty page says its prompt."""
    token = (await service.submit("Elsewhere.", page="other"))["author_token"]
    thread = await service.thread("nowhere")
    assert thread["comments"] == []
    assert thread["next"] is None
    assert thread["thread"] == {
        "page": "nowhere", "title": None, "prompt": "What is your opinion on this topic?", "url": None, "state": "open",
        "count": 0, "version": 0,
    }  # fmt: skip
    await service.call("GET", "/v1/sites/test/counts?page=nowhere", expect=200)
    await service.call("GET", "/v1/sites/test/mine?page=nowhere", as_=token, expect=200)
    await service.call("POST", "/v1/sites/test/threads/nowhere/comments", json={"body": " "}, expect=400)
    problem(await service.call("GET", "/v1/admin/sites/test/threads/nowhere", as_="admin"), "thread.unknown")


@asynccontextmanager
async def a_worker(service: Service) -> Any:
    """Let the worker decide whatever comes, while the block runs."""

    async def work() -> None:
        while True:
            await service.worker.drain_once(block_ms=20)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_client_may_wait_for_the_decision(service: Service) -> None:
    """With Prefer: wait the answer is 201 and the comment's final status, published, held or rejected with reasons."""
    await service.scorer_reports()
    async with a_worker(service):
        for body, status in (("A civil one.", "published"), ("A rude one.", "held"), ("A vile one.", "rejected")):
            sent = await service.submit(body, headers={"prefer": "respond-async, wait=10"}, expect=201)
            assert sent["comment"]["status"] == status
            assert bool(sent["comment"]["reasons"]) == (status != "published")
            assert sent["author_token"]


class CountingHub(DecisionHub):
    """A hub that remembers how long it was asked to wait, and never waits nor hears."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.connected = False
        self.taps = []

    @contextmanager
    def expect(self, revision_id: str) -> Any:  # type: ignore[override]
        yield self

    async def wait(self, timeout_seconds: float) -> None:
        self.asked.append(timeout_seconds)


async def prefer(service: Service, hub: CountingHub, text: str) -> httpx.Response:
    """Submit with a preference, on an application whose hub is the given one."""
    async with client_of(service.context.settings, replace(service.context, hub=hub)) as client:
        return await client.post(COMMENTS, json={"body": f"With {text}."}, headers={"prefer": text})


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_wait_is_bounded_and_nonsense_is_none(service: Service) -> None:
    """A wait is at most ten seconds; a preference that makes no sense is ignored (RFC 7240)."""
    await service.scorer_reports()
    hub = CountingHub()
    for text in ("wait=3", "wait=999999", 'WAIT = "7"', "wait=10; foo"):
        assert (await prefer(service, hub, text)).status_code == 202
    assert hub.asked == [3, 10, 7, 10]
    for text in ("wait=0", "wait=-1", "wait=abc", "wait", "await=5", "wait=1e3", "wait=99999999999", ",;=", "wait=5x"):
        assert (await prefer(service, hub, text)).status_code == 202, text
    assert len(hub.asked) == 4


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_nobody_waits_for_a_scorer_that_is_not_up(service: Service) -> None:
    """While the scorer is silent, stalled or down a wait is ignored and the answer is 202 at once."""
    hub = CountingHub()
    assert (await prefer(service, hub, "wait=5")).status_code == 202
    for state in (ScorerState.STALLED, ScorerState.DOWN):
        await service.scorer_reports(state)
        answer = await prefer(service, hub, f"wait=5;x={state}")
        assert answer.status_code == 202
        assert answer.json()["comment"]["status"] == "pending"
    assert hub.asked == []


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_scorer_that_is_starting_is_waited_for(service: Service) -> None:
    """In the first moment of a service the model is being loaded, and a score will come."""
    hub = CountingHub()
    await service.scorer_reports(ScorerState.STARTING)
    assert (await prefer(service, hub, "wait=5")).status_code == 202
    assert hub.asked == [5]


async def test_an_invisible_name_is_refused(service: Service) -> None:
    """A name of zero-width characters only would be no name on the page."""
    answer = await service.submit("A civil opinion.", author={"name": "\u200b\u2060"}, expect=400)
    assert answer["fields"][0]["field"] == "author.name"


async def test_nameless_strangers_may_say_the_same(service: Service) -> None:
    """Two guests without name and token cannot be told apart, so neither blocks the other."""
    await service.submit("A civil opinion.")
    await service.submit("A civil opinion.")


async def test_a_guest_who_can_be_given_no_token_leaves_no_comment(service: Service) -> None:
    """Without signing keys a guest is refused before anything is stored, so a retry makes one comment."""
    await service.submit("First.")
    tokens = service.context.author_tokens
    tokens._keys = tokens._keys and tokens._keys._replace(read_at=float("-inf"))
    async with service.context.database.writing() as connection:
        await connection.exec_driver_sql("ALTER TABLE signing_keys RENAME TO gone")
    refused = await service.call("POST", COMMENTS, json={"body": "Second."})
    assert refused.status_code >= 500
    async with service.context.database.writing() as connection:
        await connection.exec_driver_sql("ALTER TABLE gone RENAME TO signing_keys")
    assert (await service.submit("Second."))["author_token"]
    await service.drain()
    assert (await service.thread())["thread"]["count"] == 2
