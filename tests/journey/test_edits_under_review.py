"""What readers see goes on being asked about while its edit is judged; what they no longer see is asked no more."""

import pytest

from service.flow import manage_sites
from service.flow.identify import find_site
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def in_post_moderation(service: Service) -> None:
    """Put the site in post-moderation."""
    site = await find_site(service.context, "test")
    policy = (await manage_sites.read_policy(service.context, site, None)).policy
    await manage_sites.set_policy(service.context, site, "test", policy | {"mode": "post-moderation"}, None)


async def edit(service: Service, sent: dict[str, object], body: str) -> None:
    """Edit a comment as its author and let the worker decide it."""
    comment, token = sent["comment"], sent["author_token"]
    assert isinstance(comment, dict)
    path = f"/v1/sites/test/comments/{comment['id']}"
    await service.call("PATCH", path, as_=str(token), json={"body": body}, expect=200)
    await service.drain()


async def test_a_rejected_edit_does_not_end_the_review_of_what_is_shown(service: Service) -> None:
    """In post-moderation an author cannot have the shown text forgotten by an edit that the machine rejects."""
    await in_post_moderation(service)
    sent = await service.published("Shown to all.")
    await edit(service, sent, "A vile text.")
    [item] = await service.claim()
    assert (item["comment"]["body"], item["revision"]) == ("Shown to all.", 1)
    decided = await service.decide(item, "reject", reasons=["other"])
    assert decided["comment"]["status"] == "removed"
    assert (await service.thread())["comments"] == []


async def test_a_shown_edit_ends_the_review_of_what_was_shown(service: Service) -> None:
    """Once readers see another text, a moderator is asked about that one only."""
    await in_post_moderation(service)
    sent = await service.published("Shown first.")
    await edit(service, sent, "Shown second.")
    [item] = await service.claim()
    assert (item["comment"]["body"], item["revision"]) == ("Shown second.", 2)


async def test_taking_a_comment_down_ends_its_pending_edit(service: Service) -> None:
    """A held edit of a comment that a moderator rejects is asked about no more, and waits for nobody."""
    await in_post_moderation(service)
    sent = await service.published("Shown to all.")
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    await service.call("PATCH", path, as_=sent["author_token"], json={"body": "A rude text."}, expect=200)
    [item] = await service.claim()
    await service.decide(item, "reject", reasons=["other"])
    await service.drain()
    assert await service.claim() == []
    wanted = {"revision": 1, "action": "restore"}
    path = f"/v1/review/test/comments/{sent['comment']['id']}/decision"
    restored = await service.call("POST", path, as_="moderator", json=wanted, expect=200)
    assert restored.json()["comment"]["pending_edit"] is None


async def test_a_comment_cannot_be_edited_for_ever(service: Service) -> None:
    """Fifty revisions are enough for any comment."""
    sent = await service.published("Number 1.")
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    for number in range(2, 51):
        await service.call("PATCH", path, as_=sent["author_token"], json={"body": f"Number {number}."}, expect=200)
    answer = await service.call("PATCH", path, as_=sent["author_token"], json={"body": "One more."}, expect=409)
    assert answer.json()["code"] == "edit.too_late"
