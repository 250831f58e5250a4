"""Readers: every page of every order exactly once, one comment, counts, ETags, tombstones, and what stays hidden."""

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from service.flow import cursors
from service.store.tables import comments
from tests.service.answers import UNKNOWN_ID, fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
PAGE = "/v1/sites/test/threads/page"


async def many(service: Service, number: int, *, parent_id: str | None = None, start: int = 0) -> list[str]:
    """Publish comments and answer their ids, the oldest first."""
    sent = [await service.submit(f"This is number {start + n} of them.", parent_id=parent_id) for n in range(number)]
    await service.drain()
    return [one["comment"]["id"] for one in sent]


async def walk(service: Service, **query: Any) -> list[list[dict[str, Any]]]:
    """Follow `next` to the end and answer the pages."""
    pages, after = [], None
    while True:
        page = await service.thread(**query, **({"after": after} if after else {}))
        pages.append(page["comments"])
        after = page["next"]
        if after is None:
            return pages


def ids(pages: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    """Answer the ids of all pages in order."""
    return [one["id"] for page in pages for one in page]


def flat(found: Sequence[dict[str, Any]]) -> list[str]:
    """Answer the ids of nested comments in pre-order."""
    return [one for comment in found for one in (comment["id"], *flat(comment["replies"]))]


async def test_every_order_shows_every_root_once(service: Service) -> None:
    """Walking `next` to the end gives each root exactly once, in the order asked for, full pages but the last."""
    roots = await many(service, 7)
    replies = {roots[2]: 3, roots[5]: 1, roots[6]: 3}
    for root, number in replies.items():
        await many(service, number, parent_id=root)
    likes = {roots[0]: 5, roots[3]: 5, roots[4]: 9}
    async with service.context.database.writing() as connection:
        for root, number in likes.items():
            await connection.execute(sa.update(comments).where(comments.c.id == root).values(likes=number))
    orders = {
        "newest": roots[::-1],
        "oldest": roots,
        "replies": sorted(roots, key=lambda root: (replies.get(root, 0), root), reverse=True),
        "likes": sorted(roots, key=lambda root: (likes.get(root, 0), root), reverse=True),
    }
    for sort, wanted in orders.items():
        for limit in (1, 3, 7, 100):
            pages = await walk(service, sort=sort, limit=limit)
            assert ids(pages) == wanted, (sort, limit)
            assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert ids([(await service.thread())["comments"]]) == roots[::-1]


async def test_new_comments_do_not_disturb_a_walk(service: Service) -> None:
    """While comments are published between pages, newest shows no root twice, and oldest shows the new ones too."""
    roots = await many(service, 6)
    newest, oldest = await service.thread(limit=2, sort="newest"), await service.thread(limit=2, sort="oldest")
    seen_newest, seen_oldest = flat(newest["comments"]), flat(oldest["comments"])
    more: list[str] = []
    while newest["next"] or oldest["next"]:
        if len(more) < 2:
            more += await many(service, 1, start=100 + len(more))
        if newest["next"]:
            newest = await service.thread(limit=2, sort="newest", after=newest["next"])
            seen_newest += flat(newest["comments"])
        if oldest["next"]:
            oldest = await service.thread(limit=2, sort="oldest", after=oldest["next"])
            seen_oldest += flat(oldest["comments"])
    assert seen_newest == roots[::-1]
    assert seen_oldest == [*roots, *more]


async def test_replies_are_bounded_and_walked_to_the_end(service: Service) -> None:
    """Under a root stand its first descendants, nested; `replies_next` walked to its end gives each other one once."""
    [root, other] = await many(service, 2)
    children = await many(service, 3, parent_id=root)
    grandchildren = await many(service, 3, parent_id=children[0])
    deep = await many(service, 1, parent_id=grandchildren[1])
    order = [children[0], grandchildren[0], grandchildren[1], *deep, grandchildren[2], children[1], children[2]]
    for replies in (0, 1, 2, 3, 6, 7, 50):
        [_, found] = (await service.thread(replies=replies))["comments"]
        seen, after = flat(found["replies"]), found["replies_next"]
        assert len(seen) == min(replies, len(order))
        assert (after is None) == (replies >= len(order))
        while after:
            answer = await service.call(
                "GET", f"/v1/sites/test/comments/{root}/replies", params={"after": after, "limit": 2}
            )
            seen += flat(answer.json()["comments"])
            after = answer.json()["next"]
        assert seen == order, replies
    [first, found] = (await service.thread(replies=7))["comments"]
    assert first["id"] == other
    assert (first["replies"], first["replies_next"], first["reply_count"]) == ([], None, 0)
    assert found["reply_count"] == 3
    assert [one["id"] for one in found["replies"]] == children
    assert found["replies"][0]["replies"][1]["replies"][0]["id"] == deep[0]
    under = (await service.call("GET", f"/v1/sites/test/comments/{children[0]}/replies", expect=200)).json()
    assert flat(under["comments"]) == order[1:5]
    assert under["next"] is None


async def test_foreign_and_garbage_cursors_are_refused(service: Service) -> None:
    """A cursor of another order or list, of another comment, cut, made up, or holding a NUL, is request.invalid."""
    roots = await many(service, 3)
    replies = await many(service, 2, parent_id=roots[0])
    newest = (await service.thread(limit=1))["next"]
    inner = (await service.thread(sort="oldest", replies=1))["comments"][0]["replies_next"]
    bad = ["", "x", "!", "====", newest[:-3], newest + "A", inner, "W10", "bnVsbA", "%00", "é", "x" * 5000]
    bad += [cursors.write("newest", 0, key) for key in ("\0", "", "x y", "é", "k" * 2001)]
    bad += [cursors.write("newest", value, UNKNOWN_ID) for value in (-1, 2**31, 2**70)]
    for after in bad:
        assert fields(await service.call("GET", PAGE, params={"after": after})) == {"after"}, after
    for sort in ("oldest", "replies", "likes"):
        assert fields(await service.call("GET", PAGE, params={"after": newest, "sort": sort})) == {"after"}
    path = "/v1/sites/test/comments/{}/replies"
    for comment, after in ((roots[0], newest), (roots[1], inner), (replies[1], inner), (roots[0], "x")):
        assert fields(await service.call("GET", path.format(comment), params={"after": after})) == {"after"}
    token = (await service.submit("Mine."))["author_token"]
    assert fields(await service.call("GET", "/v1/sites/test/mine", as_=token, params={"after": newest})) == {"after"}


async def test_an_etag_names_what_is_seen(service: Service) -> None:
    """The same page is a 304; each change that readers see, and none that they do not, gives it another ETag."""
    seen: list[str] = []

    async def changed() -> bool:
        answer = await service.call("GET", PAGE, expect=200)
        again = await service.call(
            "GET", PAGE, headers={"if-none-match": f'"x", W/{answer.headers["etag"]}'}, expect=304
        )
        assert (again.content, again.headers["etag"]) == (b"", answer.headers["etag"])
        await service.call("GET", PAGE, headers={"if-none-match": '"x"'}, expect=200)
        new = answer.headers["etag"] not in seen
        seen.append(answer.headers["etag"])
        return new

    assert await changed()
    sent = await service.submit("An opinion.")
    assert not await changed()
    await service.drain()
    assert await changed()
    path, token = f"/v1/sites/test/comments/{sent['comment']['id']}", sent["author_token"]
    reply = await service.published("A reply.", parent_id=sent["comment"]["id"])
    assert await changed()
    await service.submit("A rude one.")
    await service.drain()
    assert not await changed()
    await service.decide((await service.claim())[0])
    assert await changed()
    await service.call("PATCH", path, as_=token, json={"body": "Another opinion."}, expect=200)
    assert not await changed()
    await service.drain()
    assert await changed()
    for change in ({"title": "T"}, {"prompt": "Well?"}, {"state": "closed"}, {"state": "open"}):
        await service.call("PATCH", "/v1/admin/sites/test/threads/page", as_="publisher", json=change, expect=200)
        assert await changed() or change == {"state": "open"}
    await service.call("DELETE", path, as_=token, expect=204)
    assert await changed()
    reply_path = f"/v1/sites/test/comments/{reply['comment']['id']}"
    await service.call("DELETE", reply_path, as_=reply["author_token"], expect=204)
    assert await changed()


async def test_counts_are_of_what_is_published(service: Service) -> None:
    """Counts give published comments by page key, replies too, 0 for an unknown page, for up to 500 pages at once."""
    [root, _] = await many(service, 2)
    await many(service, 1, parent_id=root)
    await service.submit("A rude one.")
    await service.drain()
    path = "/v1/sites/test/counts"
    wanted = {"page": 3, "none": 0}
    got = await service.call("GET", path, params={"page": ["page", "none", "page"]}, expect=200)
    assert got.json() == {"counts": wanted}
    posted = await service.call("POST", path, json={"pages": ["page", "none", "none"]}, expect=200)
    assert posted.json() == {"counts": wanted}
    assert (await service.call("GET", path, expect=200)).json() == {"counts": {}}
    assert (await service.call("POST", path, json={"pages": []}, expect=200)).json() == {"counts": {}}
    pages = [f"https://news.example/{number}" for number in range(500)]
    for count, status in ((500, 200), (501, 400)):
        asked = [*pages, "page"][:count]
        for answer in (
            await service.call("GET", path, params={"page": asked}),
            await service.call("POST", path, json={"pages": asked}),
        ):
            assert answer.status_code == status
            assert status == 400 or answer.json()["counts"] == dict.fromkeys(asked, 0)
            assert status == 200 or fields(answer) <= {"page", "pages"}


async def test_one_comment_is_read_with_its_ancestors(service: Service) -> None:
    """A comment comes with what it answers, the root first; a removed ancestor is a tombstone."""
    root = await service.published("Root.", author={"name": "Ada"})
    child = (await service.published("Child.", parent_id=root["comment"]["id"]))["comment"]["id"]
    grandchild = (await service.published("Grandchild.", parent_id=child))["comment"]["id"]
    path = f"/v1/sites/test/comments/{grandchild}"
    found = (await service.call("GET", path, expect=200)).json()
    assert found["comment"]["body"] == "Grandchild."
    assert [one["body"] for one in found["ancestors"]] == ["Root.", "Child."]
    assert "reasons" not in found["comment"]
    await service.call(
        "DELETE", f"/v1/sites/test/comments/{root['comment']['id']}", as_=root["author_token"], expect=204
    )
    above = (await service.call("GET", path, expect=200)).json()["ancestors"]
    assert above[0] | {"body": None, "html": None, "status": "deleted", "likes": 0} == above[0]
    assert above[0]["author"]["name"] is None
    problem(await service.call("GET", f"/v1/sites/test/comments/{UNKNOWN_ID}"), "comment.unknown")


async def test_what_is_hidden_is_shown_to_its_author_and_moderators_only(service: Service) -> None:
    """Pending, held and rejected comments are 404 to readers; author and moderator see text, status and reasons."""
    stranger = (await service.submit("Somebody else."))["author_token"]
    await service.call("POST", "/v1/admin/sites", as_="root", json={"slug": "other", "name": "O"}, expect=201)
    sent = {status: await service.submit(f"{word} words.") for status, word in (("held", "rude"), ("rejected", "vile"))}
    await service.drain()
    sent["pending"] = await service.submit("Just now.")
    for status, one in sent.items():
        path = f"/v1/sites/test/comments/{one['comment']['id']}"
        for as_ in (None, stranger, "publisher"):
            problem(await service.call("GET", path, as_=as_), "comment.unknown")
            problem(await service.call("GET", path + "/replies", as_=as_), "comment.unknown")
        for as_ in (one["author_token"], "moderator", "admin", "root"):
            answer = await service.call("GET", path, as_=as_, expect=200)
            assert answer.headers["cache-control"] == "no-store"
            seen = answer.json()["comment"]
            assert (seen["status"], seen["body"]) == (status, one["comment"]["body"])
            assert bool(seen["reasons"]) == (status != "pending")
            assert all(set(reason) == {"code", "text"} for reason in seen["reasons"])
        problem(await service.call("GET", path.replace("/test/", "/other/"), as_="moderator"), "comment.unknown")
    assert (await service.thread())["thread"]["count"] == 1


async def test_a_tombstone_holds_up_what_stands_under_it(service: Service) -> None:
    """A deleted comment with replies is an empty shell in its place; when the last visible reply goes it goes too."""
    root = await service.published("Root.", author={"name": "Ada"})
    child = await service.published("Child.", parent_id=root["comment"]["id"])
    grandchild = await service.published("Grandchild.", parent_id=child["comment"]["id"])
    for one in (child, root):
        await service.call(
            "DELETE", f"/v1/sites/test/comments/{one['comment']['id']}", as_=one["author_token"], expect=204
        )
    thread = await service.thread()
    assert thread["thread"]["count"] == 1
    [shell] = thread["comments"]
    assert (shell["status"], shell["body"], shell["html"], shell["author"]["name"]) == ("deleted", None, None, None)
    assert flat(thread["comments"]) == [one["comment"]["id"] for one in (root, child, grandchild)]
    path = f"/v1/sites/test/comments/{grandchild['comment']['id']}"
    await service.call("DELETE", path, as_=grandchild["author_token"], expect=204)
    thread = await service.thread()
    assert (thread["comments"], thread["thread"]["count"]) == ([], 0)
