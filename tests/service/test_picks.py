"""Moderators feature and pin comments: readers see it, it is recorded, and a takedown ends it."""

from typing import Any

import pytest

from service.flow.pick import MOST_PINNED
from tests.service.answers import UNKNOWN_ID, problem
from tests.service.test_event_stream import read
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
SITE, REVIEW, ADMIN = "/v1/sites/test", "/v1/review/test", "/v1/admin/sites/test"


async def pick(service: Service, comment_id: str, what: str, method: str = "PUT", expect: int = 204) -> Any:
    """Feature or pin a comment, or no more."""
    path = f"{REVIEW}/comments/{comment_id}/{what}"
    return await service.call(method, path, as_="moderator", expect=expect)


async def seen(service: Service, comment_id: str) -> tuple[bool, bool]:
    """Answer whether readers see a comment as featured and as pinned."""
    comment = (await service.call("GET", f"{SITE}/comments/{comment_id}", expect=200)).json()["comment"]
    return comment["featured"], comment["pinned"]


async def test_what_is_pinned_stands_above_and_at_its_place(service: Service) -> None:
    """The first page names the pinned roots, the last pinned first, in every order; later pages do not."""
    first, second, third = [
        (await service.published(f"Opinion {number}."))["comment"]["id"] for number in range(3)
    ]  # fmt: skip
    reply = (await service.published("An answer.", parent_id=first))["comment"]["id"]
    await pick(service, first, "pinned")
    service.clock.advance(1)
    await pick(service, second, "pinned")
    for sort in ("newest", "oldest", "replies", "likes"):
        page = await service.thread(sort=sort)
        assert [one["id"] for one in page["pinned"]] == [second, first]
        assert {one["id"]: one["pinned"] for one in page["comments"]} == {first: True, second: True, third: False}
    pinned = page["pinned"][1]
    assert (pinned["replies"], pinned["reply_count"]) == ([], 1)
    under = await service.call(
        "GET", f"{SITE}/comments/{first}/replies", params={"after": pinned["replies_next"]}, expect=200
    )
    assert [one["id"] for one in under.json()["comments"]] == [reply]
    cursor = (await service.thread(limit=1))["next"]
    assert (await service.thread(limit=1, after=cursor))["pinned"] == []
    await pick(service, second, "pinned", "DELETE")
    assert [one["id"] for one in (await service.thread())["pinned"]] == [first]


async def test_a_reply_is_featured_but_never_pinned(service: Service) -> None:
    """Roots and replies can be picked; above a discussion only what answers nobody has sense."""
    root = (await service.published())["comment"]["id"]
    reply = (await service.published("An answer.", parent_id=root))["comment"]["id"]
    await pick(service, reply, "featured")
    assert await seen(service, reply) == (True, False)
    problem(await pick(service, reply, "pinned", expect=409), "comment.final")


async def test_only_what_is_published_is_picked(service: Service) -> None:
    """What waits or is not there cannot be; what is picked no more is as before."""
    held = (await service.submit("A rude one."))["comment"]["id"]
    await service.drain()
    problem(await pick(service, held, "featured", expect=409), "comment.final")
    problem(await pick(service, UNKNOWN_ID, "pinned", expect=404), "comment.unknown")
    comment_id = (await service.published())["comment"]["id"]
    await pick(service, comment_id, "featured")
    await pick(service, comment_id, "featured", "DELETE")
    await pick(service, comment_id, "featured", "DELETE")
    assert await seen(service, comment_id) == (False, False)


async def test_a_thread_has_room_for_three(service: Service) -> None:
    """A fourth pinned comment is refused until one is taken down; one that is pinned already is not."""
    ids = [(await service.published(f"Opinion {number}."))["comment"]["id"] for number in range(MOST_PINNED + 1)]
    for comment_id in ids[:MOST_PINNED]:
        await pick(service, comment_id, "pinned")
    await pick(service, ids[0], "pinned")
    problem(await pick(service, ids[-1], "pinned", expect=409), "pinned.full")
    await pick(service, ids[0], "pinned", "DELETE")
    await pick(service, ids[-1], "pinned")
    assert len((await service.thread())["pinned"]) == MOST_PINNED


async def test_a_takedown_ends_both(service: Service) -> None:
    """A comment that comes back is neither featured nor pinned, and its place is free."""
    comment_id = (await service.published())["comment"]["id"]
    for what in ("featured", "pinned"):
        await pick(service, comment_id, what)
    decision = f"{REVIEW}/comments/{comment_id}/decision"
    remove = {"action": "remove", "revision": 1, "reasons": ["other"]}
    await service.call("POST", decision, as_="moderator", json=remove, expect=200)
    assert (await service.thread())["pinned"] == []
    await service.call("POST", decision, as_="moderator", json={"action": "restore", "revision": 1}, expect=200)
    assert await seen(service, comment_id) == (False, False)


async def test_an_edit_ends_both(service: Service) -> None:
    """A new text was picked by nobody: once it is shown, the mark of the editors is gone, and the pin with it."""
    sent = await service.published()
    comment_id, token = sent["comment"]["id"], sent["author_token"]
    for what in ("featured", "pinned"):
        await pick(service, comment_id, what)
    path = f"{SITE}/comments/{comment_id}"
    await service.call("PATCH", path, as_=token, json={"body": "A better opinion."}, expect=200)
    assert await seen(service, comment_id) == (True, True)
    await service.drain()
    assert (await service.thread())["comments"][0]["body"] == "A better opinion."
    assert await seen(service, comment_id) == (False, False)


async def test_of_two_threads_that_become_one_the_target_keeps_its_pins(service: Service) -> None:
    """The other's stay as comments, so that there are never more than fit."""
    moved, stays = [
        (await service.published(f"Under {page}.", page=page))["comment"]["id"] for page in ("page", "other")
    ]  # fmt: skip
    for comment_id in (moved, stays):
        await pick(service, comment_id, "pinned")
    await service.call("POST", f"{ADMIN}/threads/page/move", as_="publisher", json={"to_page": "other"}, expect=200)
    page = await service.thread("other")
    assert [one["id"] for one in page["pinned"]] == [stays]
    assert {one["id"] for one in page["comments"]} == {moved, stays}


async def test_each_pick_is_recorded_and_told_once(service: Service) -> None:
    """The audit names who picked and who took it back; an event tells of the first alone, with the comment's text."""
    comment_id = (await service.published())["comment"]["id"]
    for what in ("featured", "pinned"):
        for method in ("PUT", "PUT", "DELETE", "DELETE"):
            await pick(service, comment_id, what, method)
    audit = (await service.call("GET", f"{ADMIN}/audit", as_="admin", expect=200)).json()["events"]
    acts = [event["action"] for event in audit if event["subject"] == comment_id]
    assert sorted(acts) == ["comment.featured", "comment.pinned", "comment.unfeatured", "comment.unpinned"]
    told = [event for event in (await read(service, limit=100))["events"] if event["type"] in acts]
    assert [event["type"] for event in told] == ["comment.featured", "comment.pinned"]
    assert {event["data"]["revision"]["body"] for event in told} == {"A civil opinion."}
