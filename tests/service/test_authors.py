"""Authors: they see their own in every status, edit within the window, and delete for good."""

from typing import Any

import pytest

from tests.service.answers import UNKNOWN_ID, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


def path_of(sent: dict[str, Any]) -> str:
    """Answer the path of a submitted comment."""
    return f"/v1/sites/test/comments/{sent['comment']['id']}"


async def edit(service: Service, sent: dict[str, Any], body: str, *, expect: int = 200) -> dict[str, Any]:
    """Edit a submitted comment as its author."""
    answer = await service.call("PATCH", path_of(sent), as_=sent["author_token"], json={"body": body}, expect=expect)
    found: dict[str, Any] = answer.json()
    return found


async def delete(service: Service, sent: dict[str, Any]) -> None:
    """Delete a submitted comment as its author."""
    await service.call("DELETE", path_of(sent), as_=sent["author_token"], expect=204)


async def own(service: Service, sent: dict[str, Any]) -> dict[str, Any]:
    """Read a submitted comment as its author."""
    found: dict[str, Any] = (await service.call("GET", path_of(sent), as_=sent["author_token"], expect=200)).json()
    comment: dict[str, Any] = found["comment"]
    return comment


async def test_mine_shows_every_status_newest_first(service: Service) -> None:
    """An author sees the own comments of every status with reasons, by pages, of one page key if asked."""
    first = await service.submit("A civil one.")
    token = first["author_token"]
    for number, body in enumerate(("A rude one.", "A vile one.", "Civil again.", "To go.")):
        sent = await service.submit(body, token=token, page=f"page{number % 2}")
    await service.submit("Somebody else.")
    await service.drain()
    await service.call("DELETE", path_of(sent), as_=token, expect=204)
    await service.submit("Just now.", token=token)
    seen, after = [], None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        answer = await service.call("GET", "/v1/sites/test/mine", as_=token, params=query, expect=200)
        assert answer.headers["cache-control"] == "no-store"
        seen += answer.json()["comments"]
        after = answer.json()["next"]
        if after is None:
            break
    assert [one["status"] for one in seen] == ["pending", "deleted", "published", "rejected", "held", "published"]
    assert [bool(one["reasons"]) for one in seen] == [False, False, False, True, True, False]
    assert seen[1]["body"] is None
    of_page = await service.call("GET", "/v1/sites/test/mine?page=page1", as_=token, expect=200)
    assert [one["status"] for one in of_page.json()["comments"]] == ["deleted", "rejected"]


async def test_a_published_text_stays_until_its_edit_is_decided(service: Service) -> None:
    """Readers see the old text until the new one is published, then the new one and when it was written."""
    sent = await service.published("Old.")
    service.clock.advance(60)
    edited = await edit(service, sent, "New.")
    assert (edited["status"], edited["body"]) == ("published", "Old.")
    assert edited["pending_edit"] == {"body": "New.", "status": "pending", "reasons": []}
    [seen] = (await service.thread())["comments"]
    assert (seen["body"], seen["edited_at"]) == ("Old.", None)
    assert "pending_edit" not in seen
    await service.drain()
    [seen] = (await service.thread())["comments"]
    assert (seen["body"], seen["html"]) == ("New.", "<p>New.</p>")
    assert seen["edited_at"] > seen["created_at"]
    assert (await own(service, sent))["pending_edit"] is None


async def test_a_refused_edit_keeps_the_old_text(service: Service) -> None:
    """An edit that the model or a person refuses leaves the published text; its author sees which and why."""
    sent = await service.published("Old.")
    for body, status in (("A vile edit.", "rejected"), ("A rude edit.", "held")):
        await edit(service, sent, body)
        await service.drain()
        mine = await own(service, sent)
        assert (mine["status"], mine["body"]) == ("published", "Old.")
        assert (mine["pending_edit"]["body"], mine["pending_edit"]["status"]) == (body, status)
        assert mine["pending_edit"]["reasons"]
    [item] = await service.claim()
    assert (item["comment"]["body"], item["revision"]) == ("A rude edit.", 3)
    await service.decide(item, "reject", reasons=["insult"])
    mine = await own(service, sent)
    assert mine["pending_edit"]["status"] == "rejected"
    assert [reason["code"] for reason in mine["pending_edit"]["reasons"]] == ["insult"]
    thread = await service.thread()
    assert (thread["comments"][0]["body"], thread["thread"]["count"]) == ("Old.", 1)


async def test_a_moderator_publishes_an_edit(service: Service) -> None:
    """A held edit that a person approves takes the place of the old text."""
    sent = await service.published("Old.")
    await edit(service, sent, "A rude edit.")
    await service.drain()
    await service.decide((await service.claim())[0], "approve")
    thread = await service.thread()
    assert (thread["comments"][0]["body"], thread["thread"]["count"]) == ("A rude edit.", 1)


async def test_an_edit_of_a_held_comment_takes_it_out_of_review(service: Service) -> None:
    """A held comment that is edited is scored anew: the moderator's item is over, and a civil text is published."""
    sent = await service.submit("A rude one.")
    await service.drain()
    [item] = await service.claim()
    assert (await edit(service, sent, "A civil one."))["status"] == "pending"
    assert (await service.decide(item, expect=409))["code"] == "revision.changed"
    await service.drain()
    assert (await service.thread())["comments"][0]["body"] == "A civil one."
    assert await service.claim() == []


async def test_only_the_last_of_several_edits_counts(service: Service) -> None:
    """Edits that follow each other before any is scored end in one decision, on the last text."""
    sent = await service.submit("A vile first.")
    await edit(service, sent, "A vile second.")
    await edit(service, sent, "A civil third.")
    await service.drain()
    assert (await service.thread())["comments"][0]["body"] == "A civil third."
    path = f"/v1/review/test/comments/{sent['comment']['id']}/decisions"
    decisions = (await service.call("GET", path, as_="moderator", expect=200)).json()["decisions"]
    assert [(one["revision"], one["to_status"]) for one in decisions] == [(3, "published")]


async def test_edits_end_with_the_sites_window(service: Service) -> None:
    """The last second of the window is in it, the next is not."""
    sent = await service.published("Old.")
    service.clock.advance(900)
    await edit(service, sent, "New.")
    service.clock.advance(1)
    assert (await edit(service, sent, "Newer.", expect=409))["code"] == "edit.too_late"
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"edit_window_seconds": 2000}, expect=200)
    await edit(service, sent, "Newer.")


async def test_what_is_final_is_not_edited(service: Service) -> None:
    """A rejected, removed or deleted comment cannot be edited."""
    rejected = await service.submit("A vile one.")
    removed, deleted = await service.published("To be removed."), await service.published("To be deleted.")
    act = {"revision": 1, "action": "remove", "reasons": ["spam"]}
    path = f"/v1/review/test/comments/{removed['comment']['id']}/decision"
    await service.call("POST", path, as_="moderator", json=act, expect=200)
    await delete(service, deleted)
    for sent in (rejected, removed, deleted):
        assert (await edit(service, sent, "Another.", expect=409))["code"] == "comment.final"


async def test_only_the_author_edits_and_deletes(service: Service) -> None:
    """To another author a comment is unknown, and a moderator's token is no author's."""
    sent, other = await service.published("Mine."), await service.submit("Other.")
    for path in (path_of(sent), f"/v1/sites/test/comments/{UNKNOWN_ID}"):
        for method in ("PATCH", "DELETE"):
            answer = await service.call(method, path, as_=other["author_token"], json={"body": "Taken."})
            problem(answer, "comment.unknown")
            problem(await service.call(method, path, as_="moderator", json={"body": "Taken."}), "auth.forbidden")
    assert (await service.thread())["comments"][0]["body"] == "Mine."


async def test_deleting_leaves_counts_right(service: Service) -> None:
    """A deleted comment vanishes, or leaves a shell under which others stand; twice is no error and counts once."""
    root, single = await service.published("Root."), await service.published("Single.")
    reply = await service.published("Reply.", parent_id=root["comment"]["id"])
    for _ in range(2):
        await delete(service, single)
        await delete(service, root)
    thread = await service.thread()
    assert thread["thread"]["count"] == 1
    [shell] = thread["comments"]
    assert (shell["id"], shell["status"], shell["reply_count"]) == (root["comment"]["id"], "deleted", 1)
    problem(await service.call("GET", path_of(single)), "comment.unknown")
    await delete(service, reply)
    counts = await service.call("GET", "/v1/sites/test/counts?page=page")
    assert counts.json() == {"counts": {"page": 0}}


async def test_what_waits_is_deleted_too(service: Service) -> None:
    """A pending comment that its author deletes is never published, and a held one leaves the review queue."""
    held = await service.submit("A rude one.")
    await service.drain()
    [item] = await service.claim()
    pending = await service.submit("A civil one.")
    await delete(service, held)
    await delete(service, pending)
    await service.drain()
    await service.sweep()
    await service.drain()
    assert (await service.thread())["thread"]["count"] == 0
    assert (await service.decide(item, expect=409))["code"] == "revision.changed"
    queue = (await service.call("GET", "/v1/review/test/queue", as_="moderator")).json()
    assert (queue["depth"], queue["pending"]) == (0, 0)
    assert (await own(service, pending))["status"] == "deleted"


async def test_the_revision_of_a_view_is_the_one_shown(service: Service) -> None:
    """A moderator who reads a comment with a pending edit can act on the revision that the view names."""
    sent = await service.published("Old.")
    await edit(service, sent, "A vile edit.")
    await service.drain()
    seen = (await service.call("GET", path_of(sent), as_="moderator", expect=200)).json()["comment"]
    act = {"revision": seen["revision"], "action": "remove", "reasons": ["spam"]}
    path = f"/v1/review/test/comments/{sent['comment']['id']}/decision"
    await service.call("POST", path, as_="moderator", json=act, expect=200)
    assert (await service.thread())["thread"]["count"] == 0
