"""What a moderator does is taken back soon after it: one decision, many at once, a removal, a sanction with it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.test_queue import comment_ids, held
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def undo(service: Service, act_id: str, *, as_: str = "moderator", expect: int = 200) -> dict[str, Any]:
    """Take an act back and answer the JSON."""
    answer = await service.call("POST", f"/v1/review/test/acts/{act_id}/undo", as_=as_, expect=expect)
    found: dict[str, Any] = answer.json()
    return found


async def status_of(service: Service, comment_id: str) -> str:
    """Answer a comment's status, as a moderator sees it."""
    answer = await service.call("GET", f"/v1/sites/test/comments/{comment_id}", as_="moderator", expect=200)
    return str(answer.json()["comment"]["status"])


@pytest.mark.parametrize(("action", "after"), [("approve", "published"), ("reject", "rejected")])
async def test_a_decision_is_undone(service: Service, action: str, after: str) -> None:
    """The comment is held again with its first reasons, its item is in the hands of who undid, and is decided anew."""
    [comment] = await held(service, "A rude remark.")
    [item] = await service.claim()
    reasons: dict[str, Any] = {"reasons": ["insult"]} if action == "reject" else {}
    decided = await service.decide(item, action, **reasons)
    assert decided["comment"]["status"] == after
    assert decided["undo_until"] > decided["decision"]["created_at"]
    undone = await undo(service, decided["decision"]["act_id"])
    assert (undone["undone"], undone["left"]) == (1, [])
    [again] = undone["items"]
    assert again["item_id"] != item["item_id"]
    assert (again["comment"]["id"], again["causes"]) == (comment, item["causes"])
    assert await status_of(service, comment) == "held"
    thread = await service.thread()
    assert (thread["thread"]["count"], thread["comments"]) == (0, [])
    # It is nobody else's meanwhile, and decided like any other.
    assert await service.claim("moderator2") == []
    assert (await service.decide(again, "approve"))["comment"]["status"] == "published"
    history = await service.call("GET", f"/v1/review/test/comments/{comment}/decisions", as_="moderator", expect=200)
    made = history.json()["decisions"]
    assert [one["action"] for one in made] == ["hold", action, "hold", "approve"]
    assert made[2]["undoes"] == made[1]["id"]
    assert made[2]["reasons"] == made[0]["reasons"]


async def test_an_undo_that_is_let_go_is_offered_to_others(service: Service) -> None:
    """When the lease that an undo gave runs out, the item is back in the queue."""
    [comment] = await held(service, "A rude remark.")
    [item] = await service.claim()
    await undo(service, (await service.decide(item))["decision"]["act_id"])
    service.clock.advance(301)
    assert comment_ids(await service.claim("moderator2")) == [comment]


async def test_an_undo_has_its_time_and_its_owner(service: Service) -> None:
    """Somebody else's act, one that is undone, one that is too old and one that never was are each refused by name."""
    await held(service, "A rude remark.", "Another rude remark.")
    first, second = await service.claim()
    act = (await service.decide(first))["decision"]["act_id"]
    assert (await undo(service, act, as_="moderator2", expect=403))["code"] == "undo.not_yours"
    await undo(service, act)
    assert (await undo(service, act, expect=409))["code"] == "undo.done"
    late = (await service.decide(second))["decision"]["act_id"]
    service.clock.advance(301)
    assert (await undo(service, late, expect=409))["code"] == "undo.over"
    assert (await undo(service, first["item_id"], expect=404))["code"] == "undo.unknown"
    assert (await undo(service, "nonsense", expect=404))["code"] == "undo.unknown"


async def test_what_somebody_decided_since_is_left(service: Service) -> None:
    """An undo leaves a comment alone that somebody decided about after the act, and says so."""
    [comment] = await held(service, "A rude remark.")
    [item] = await service.claim()
    act = (await service.decide(item))["decision"]["act_id"]
    remove = {"revision": 1, "action": "remove", "reasons": ["other"]}
    path = f"/v1/review/test/comments/{comment}/decision"
    await service.call("POST", path, as_="moderator2", json=remove, expect=200)
    undone = await undo(service, act)
    assert (undone["undone"], undone["left"]) == (0, [{"comment_id": comment, "code": "comment.final"}])
    assert await status_of(service, comment) == "removed"


async def test_a_removal_is_undone(service: Service) -> None:
    """A published comment that was taken down is back where readers see it, and stays countable."""
    comment = (await service.published())["comment"]["id"]
    path = f"/v1/review/test/comments/{comment}/decision"
    remove = {"revision": 1, "action": "remove", "reasons": ["other"]}
    decided = (await service.call("POST", path, as_="moderator", json=remove, expect=200)).json()
    undone = await undo(service, decided["decision"]["act_id"])
    assert (undone["undone"], undone["items"]) == (1, [])
    assert (await service.thread())["thread"]["count"] == 1


async def test_an_edit_that_was_let_in_is_undone(service: Service) -> None:
    """After the undo readers see the text before the edit, and the edit waits again."""
    made = await service.published("A civil opinion.")
    token, comment = made["author_token"], made["comment"]["id"]
    path = f"/v1/sites/test/comments/{comment}"
    await service.call("PATCH", path, as_=token, json={"body": "A rude opinion."}, expect=200)
    await service.drain()
    [item] = await service.claim()
    act = (await service.decide(item))["decision"]["act_id"]
    assert (await service.thread())["comments"][0]["body"] == "A rude opinion."
    [again] = (await undo(service, act))["items"]
    assert (await service.thread())["comments"][0]["body"] == "A civil opinion."
    assert (again["revision"], again["comment"]["body"]) == (2, "A rude opinion.")
    await service.decide(again, "reject", reasons=["insult"])
    assert (await service.thread())["comments"][0]["body"] == "A civil opinion."


async def test_many_are_decided_in_one_act_and_undone_as_one(service: Service) -> None:
    """Items of several threads are decided together, those that cannot be are named, and one undo brings all back."""
    ids = [*await held(service, "A rude one.", "A rude two."), *await held(service, "A rude three.", page="other")]
    items = await service.claim()
    await service.decide(items[2], "approve")
    chosen = [{"item_id": one["item_id"], "lease": one["lease"]["token"], "revision": 1} for one in items]
    wanted = {"items": chosen, "action": "reject", "reasons": ["spam"], "note": "a wave"}
    answer = (await service.call("POST", "/v1/review/test/decisions", as_="moderator", json=wanted, expect=200)).json()
    assert [one["status"] for one in answer["decided"]] == ["rejected", "rejected"]
    assert [(one["item_id"], one["code"]) for one in answer["failed"]] == [(items[2]["item_id"], "item.decided")]
    undone = await undo(service, answer["act_id"])
    assert undone["undone"] == 2
    rejected = {one["comment_id"] for one in answer["decided"]}
    assert {item["comment"]["id"] for item in undone["items"]} == rejected
    assert sorted([await status_of(service, one) for one in ids]) == ["held", "held", "published"]


async def test_what_is_wrong_with_all_of_them_changes_none(service: Service) -> None:
    """A reason that the site does not have, or an item named twice, refuses the whole act."""
    await held(service, "A rude one.", "A rude two.")
    chosen = [
        {"item_id": one["item_id"], "lease": one["lease"]["token"], "revision": 1} for one in await service.claim()
    ]
    path = "/v1/review/test/decisions"
    for wrong in (
        {"items": chosen, "action": "reject", "reasons": ["no_such_reason"]},
        {"items": chosen, "action": "reject"},
        {"items": [chosen[0], chosen[0]], "action": "approve"},
    ):
        await service.call("POST", path, as_="moderator", json=wrong, expect=400)
    queue = (await service.call("GET", "/v1/review/test/queue", as_="moderator", expect=200)).json()
    assert queue["depth"] == 2


async def test_a_sanction_in_the_same_act_goes_with_it(service: Service) -> None:
    """A reject that bans the author takes down what they wrote, and one undo lifts the ban and brings it back."""
    made = await service.published("A civil opinion.")
    token = made["author_token"]
    await service.submit("A rude opinion.", token=token)
    await service.drain()
    [item] = await service.claim()
    sanction = {"kind": "ban", "reason": "insult", "reject_hours": 1}
    decided = await service.decide(item, "reject", reasons=["insult"], sanction=sanction)
    assert await status_of(service, made["comment"]["id"]) == "removed"
    assert (await service.submit("Again.", token=token, expect=403))["code"] == "commenter.banned"
    await undo(service, decided["decision"]["act_id"])
    assert await status_of(service, made["comment"]["id"]) == "published"
    assert await status_of(service, item["comment"]["id"]) == "held"
    service.clock.advance(120)
    await service.submit("Again.", token=token)


async def test_a_law_as_ground_is_named(service: Service) -> None:
    """A decision records the law or the guideline that it stands on; a law without its name is refused."""
    await held(service, "A rude remark.")
    [item] = await service.claim()
    await service.decide(item, "reject", reasons=["hate"], ground={"kind": "law"}, expect=400)
    ground = {"kind": "law", "clause": "§ 130 StGB"}
    decision = (await service.decide(item, "reject", reasons=["hate"], ground=ground))["decision"]
    assert (decision["ground"], decision["ground_clause"]) == ("law", "§ 130 StGB")
