"""What was once lost, shown or refused by taking decisions back, or by deciding one of several items of a comment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.service.reporting import NOTICE, made, queue_kinds, report, status_of
from tests.service.test_queue import held
from tests.service.test_second_opinions import put
from tests.service.test_undo import undo
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def edit(service: Service, sent: dict[str, Any], body: str) -> None:
    """Let an author change the own comment, and the worker decide it."""
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    await service.call("PATCH", path, as_=sent["author_token"], json={"body": body}, expect=200)
    await service.drain()


async def bodies(service: Service) -> list[str | None]:
    """Answer what readers see."""
    return [one["body"] for one in (await service.thread())["comments"]]


async def take_down(service: Service, sent: dict[str, Any], *, expect: int = 200, as_: str = "moderator") -> Any:
    """Remove a published comment."""
    path = f"/v1/review/test/comments/{sent['comment']['id']}/decision"
    wanted = {"revision": 1, "action": "remove", "reasons": ["other"]}
    return (await service.call("POST", path, as_=as_, json=wanted, expect=expect)).json()


async def test_who_reports_meanwhile_is_asked_about_once(service: Service) -> None:
    """Where a reader reports between a decision and its undo, the undo finds the new item and leaves it."""
    sent = await service.published()
    await made(await report(service, sent, network="10.1.1.1"))
    [item] = await service.claim()
    decided = await service.decide(item)
    await made(await report(service, sent, network="10.2.1.1"))
    undone = await undo(service, decided["decision"]["act_id"])
    assert (undone["undone"], undone["items"]) == (1, [])
    assert await queue_kinds(service) == {"reported": 1}


async def test_an_open_second_opinion_stops_no_decision(service: Service) -> None:
    """A report about a comment of which a second opinion is asked already is decided like any other."""
    await put(service, second_opinion_share=1.0)
    [comment] = await held(service, "A rude remark.")
    [item] = await service.claim()
    await service.decide(item)
    await made(await report(service, {"comment": {"id": comment}}, network="10.1.1.1"))
    [reported] = [one for one in await service.claim() if one["kind"] == "reported"]
    assert (await service.decide(reported))["comment"]["status"] == "published"


async def test_undoing_that_an_edit_stays_leaves_the_edit(service: Service) -> None:
    """A decision that kept what readers saw is undone without touching what they see."""
    sent = await service.published("First text.")
    await edit(service, sent, "Second text.")
    await made(await report(service, sent, network="10.1.1.1"))
    [item] = await service.claim()
    await undo(service, (await service.decide(item))["decision"]["act_id"])
    assert await bodies(service) == ["Second text."]


async def test_an_edit_that_was_refused_before_stops_no_undo(service: Service) -> None:
    """A removal is undone though a newer text of the comment was refused long before it."""
    sent = await service.published("First text.")
    await edit(service, sent, "A rude text.")
    [item] = await service.claim()
    await service.decide(item, "reject", reasons=["insult"])
    undone = await undo(service, (await take_down(service, sent))["decision"]["act_id"])
    assert (undone["undone"], await bodies(service)) == (1, ["First text."])


async def test_an_undo_never_shows_an_erased_text(service: Service) -> None:
    """When the author was erased since, the decision on their edit stays, and readers see no empty comment."""
    sent = await service.published("First text.")
    await edit(service, sent, "A rude text.")
    [item] = await service.claim()
    decided = await service.decide(item)
    commenter = item["author_record"]["commenter_id"]
    wanted = {"mode": "anonymise"}
    await service.call("DELETE", f"/v1/admin/sites/test/commenters/{commenter}", as_="admin", json=wanted)
    service.clock.advance(150)
    await service.sweep()
    undone = await undo(service, decided["decision"]["act_id"])
    assert (undone["undone"], undone["left"][0]["code"]) == (0, "comment.final")
    assert await bodies(service) == ["A rude text."]


async def test_one_decision_answers_all_that_asks_about_a_comment(service: Service) -> None:
    """Of two items about one comment in one act the second is answered by the first, and one undo takes both back."""
    await put(service, sample_share=1.0)
    sent = await service.published()
    await made(await report(service, sent, network="10.1.1.1"))
    items = sorted(await service.claim(), key=lambda one: str(one["kind"]))
    assert [one["kind"] for one in items] == ["reported", "sampled"]
    chosen = [{"item_id": one["item_id"], "lease": one["lease"]["token"], "revision": 1} for one in items]
    wanted = {"items": chosen, "action": "approve"}
    answer = (await service.call("POST", "/v1/review/test/decisions", as_="moderator", json=wanted, expect=200)).json()
    assert [one["code"] for one in answer["failed"]] == ["item.decided"]
    undone = await undo(service, answer["act_id"])
    assert (undone["undone"], undone["left"]) == (1, [])
    assert await queue_kinds(service) == {"reported": 1}


async def test_a_sanction_that_is_over_stops_no_undo(service: Service) -> None:
    """A reject with a short suspension is undone after the suspension ran out by itself."""
    await service.submit("A rude opinion.")
    await service.drain()
    [item] = await service.claim()
    until = (service.clock.moment + timedelta(seconds=60)).isoformat()
    sanction = {"kind": "suspension", "reason": "insult", "until": until}
    decided = await service.decide(item, "reject", reasons=["insult"], sanction=sanction)
    service.clock.advance(90)
    assert (await undo(service, decided["decision"]["act_id"]))["undone"] == 1


async def test_a_lifted_sanction_asks_about_a_reported_comment_once(service: Service) -> None:
    """What reports held, and a ban took down, waits under the item of its reports alone when the ban is lifted."""
    sent = await service.published()
    for number in range(3):
        await made(await report(service, sent, network=f"10.{number}.1.1"))
    [item] = await service.claim()
    path = f"/v1/review/test/commenters/{item['author_record']['commenter_id']}/sanctions"
    ban = {"kind": "ban", "reason": "insult", "reject_hours": 1}
    banned = (await service.call("POST", path, as_="moderator", json=ban, expect=201)).json()
    assert (await status_of(service, sent), await queue_kinds(service)) == ("rejected", {})
    await service.call("POST", f"{path}/{banned['id']}/lift", as_="moderator", json={"restore": True}, expect=200)
    assert (await status_of(service, sent), await queue_kinds(service)) == ("held", {"reported": 1})


async def test_a_notice_stays_first_wherever_it_goes(service: Service) -> None:
    """A notice of illegal content is due at once, also when it was handed to the admins and when it comes back."""
    sent = await service.published()
    await made(await report(service, sent, "illegal_content", illegal=NOTICE))
    [item] = await service.claim()
    path, lease = f"/v1/review/test/items/{item['item_id']}/escalate", {"lease": item["lease"]["token"]}
    await service.call("POST", path, as_="moderator", json={**lease, "note": "see"}, expect=204)
    [item] = await service.claim("admin")
    assert item["priority"]["value"] == 1.0
    decided = await service.decide(item, as_="admin")
    [again] = (await undo(service, decided["decision"]["act_id"], as_="admin"))["items"]
    assert (again["priority"]["value"], again["escalation"]["note"]) == (1.0, "see")
    assert again["opened_at"] == item["opened_at"]


async def test_refusing_an_edit_says_nothing_of_what_was_shown(service: Service) -> None:
    """While reports hold a comment, refusing its edit leaves the text that was reported to be decided by itself."""
    sent = await service.published("First text.")
    await edit(service, sent, "A rude text.")
    for number in range(3):
        await made(await report(service, sent, network=f"10.{number}.1.1"))
    assert await status_of(service, sent) == "held"
    [change] = [one for one in await service.claim() if one["kind"] == "held"]
    await service.decide(change, "reject", reasons=["insult"])
    assert await status_of(service, sent) == "held"
    assert await queue_kinds(service) == {"reported": 1}


async def test_a_person_comes_before_a_sample(service: Service) -> None:
    """What a person decided is no more asked blind, so that a stale answer never overrides it."""
    await put(service, sample_share=1.0)
    sent = await service.published()
    await take_down(service, sent)
    assert await queue_kinds(service) == {}


async def test_nobody_lifts_what_restricts_them(service: Service) -> None:
    """A moderator neither restricts nor frees the commenter that they are, nor takes back that they are."""
    await service.submit("A rude remark.")
    await service.drain()
    [item] = await service.claim()
    commenter = item["author_record"]["commenter_id"]
    path, ban = f"/v1/review/test/commenters/{commenter}/sanctions", {"kind": "ban", "reason": "insult"}
    made_ = (await service.call("POST", path, as_="moderator2", json=ban, expect=201)).json()
    me = "/v1/review/test/me"
    await service.call("PUT", me, as_="moderator", json={"commenter_id": commenter}, expect=200)
    lift = await service.call("POST", f"{path}/{made_['id']}/lift", as_="moderator", json={}, expect=403)
    assert lift.json()["code"] == "review.own"
    await service.call("PUT", me, as_="moderator", json={"commenter_id": None}, expect=403)
    await service.call("POST", f"{path}/{made_['id']}/lift", as_="moderator2", json={}, expect=200)


async def test_a_sweep_of_an_author_leaves_what_the_admins_have(service: Service) -> None:
    """A moderator's ban that takes down what somebody wrote leaves the comment that another handed to the admins."""
    sent = await service.submit("A rude remark.")
    await service.drain()
    [item] = await service.claim()
    path, lease = f"/v1/review/test/items/{item['item_id']}/escalate", {"lease": item["lease"]["token"]}
    await service.call("POST", path, as_="moderator", json=lease, expect=204)
    commenter = item["author_record"]["commenter_id"]
    ban = {"kind": "ban", "reason": "insult", "reject_hours": 1}
    path = f"/v1/review/test/commenters/{commenter}/sanctions"
    await service.call("POST", path, as_="moderator2", json=ban, expect=201)
    assert await status_of(service, sent) == "held"


async def test_a_second_opinion_promises_no_undo(service: Service) -> None:
    """The answer to a second opinion shows the first decision without an act that could be taken back."""
    await put(service, second_opinion_share=1.0)
    await held(service, "A rude remark.")
    [item] = await service.claim()
    await service.decide(item)
    [second] = await service.claim("moderator2")
    answer = await service.decide(second, as_="moderator2")
    assert (answer["undo_until"], answer["decision"]["act_id"]) == (None, None)
