"""What a moderator finds outside the queue: a comment with what is reported of it, what asks about it, and by when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.service.answers import UNKNOWN_ID, problem
from tests.service.reporting import NOTICE, act, appeal, made, report
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
REVIEW = "/v1/review/test"


async def desk(service: Service, sent: dict[str, Any], *, as_: str = "moderator") -> dict[str, Any]:
    """Read a comment as moderators do."""
    path = f"{REVIEW}/comments/{sent['comment']['id']}"
    answer = await service.call("GET", path, as_=as_, expect=200)
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


async def test_a_comments_page_tells_all_that_decides_about_it(service: Service) -> None:
    """Its author's id, its time, its article, what it answers, what is reported, and the item that asks about it."""
    root = await service.published("A question.")
    sent = await service.published("An answer.", parent_id=root["comment"]["id"])
    await made(await report(service, sent, detail="It names my street."))
    found = await desk(service, sent)
    assert (found["body"], found["thread"]["page"]) == ("An answer.", "page")
    assert found["created_at"] == sent["comment"]["created_at"]
    assert [one["body"] for one in found["ancestors"]] == ["A question."]
    me = await service.call("GET", "/v1/sites/test/me", as_=sent["author_token"], expect=200)
    assert found["commenter_id"] == me.json()["id"]
    [one], [item] = found["reports"], found["items"]
    assert (one["detail"], one["counts"], one["review_item_id"]) == ("It names my street.", True, item["item_id"])
    assert (item["kind"], item["revision"], item["claimed"]) == ("reported", 1, False)
    problem(await service.call("GET", f"{REVIEW}/comments/{UNKNOWN_ID}", as_="moderator"), "comment.unknown")


async def test_a_comment_that_was_found_can_be_decided_there(service: Service) -> None:
    """A claim by the item's id takes that item, though others came before it, and nothing twice."""
    for body in ("A rude remark.", "Another rude remark."):
        sent = await service.submit(body)
    await service.drain()
    [item] = (await desk(service, sent))["items"]
    assert (item["kind"], (await desk(service, sent))["status"]) == ("held", "held")
    [taken] = await service.claim(filter={"item_id": item["item_id"]})
    assert taken["item_id"] == item["item_id"]
    assert (await desk(service, sent))["items"][0]["claimed"] is True
    assert await service.claim("moderator2", filter={"item_id": item["item_id"]}) == []
    await service.decide(taken)
    assert [(await desk(service, sent))[name] for name in ("status", "items")] == ["published", []]


async def test_what_is_blind_or_for_the_admins_is_not_told(service: Service) -> None:
    """A blind look would be none, and what was escalated only admins find, with the name of who handed it over."""
    settings = {"sample_share": 1.0}
    await service.call("PUT", "/v1/admin/sites/test/review", as_="admin", json=settings, expect=200)
    sampled = await service.published()
    assert (await desk(service, sampled, as_="admin"))["items"] == []
    held = await service.submit("A rude remark.")
    await service.drain()
    [item] = await service.claim(filter={"kind": "held"})
    path = f"{REVIEW}/items/{item['item_id']}/escalate"
    wanted = {"lease": item["lease"]["token"], "note": "?"}
    await service.call("POST", path, as_="moderator", json=wanted, expect=204)
    assert (await desk(service, held))["items"] == []
    [mine] = (await desk(service, held, as_="admin"))["items"]
    assert mine["queue"] == "escalated"
    [taken] = await service.claim("admin", queue="escalated")
    assert (taken["escalation"]["by_name"], taken["escalation"]["note"]) == ("moderator", "?")


async def test_the_list_of_appeals_shows_the_comment(service: Service) -> None:
    """What is appealed against can be read in the list, with its author and article; an overturning note answers."""
    sent = await service.published("An opinion.")
    await act(service, sent, "remove")
    assert (await appeal(service, sent)).status_code == 201
    [item] = await service.claim("moderator2")
    assert item["decisions"][-1]["actor_name"] == "moderator"
    await service.decide(item, "approve", as_="moderator2", note="You are right, it was a quotation.")
    [one] = (await service.call("GET", f"{REVIEW}/appeals", as_="moderator", expect=200)).json()["appeals"]
    assert (one["comment"]["body"], one["comment"]["thread"]["page"]) == ("An opinion.", "page")
    assert (one["outcome"], one["answer"]) == ("overturned", "You are right, it was a quotation.")
    assert one["answered_by_name"] == "moderator2"
    path = f"/v1/sites/test/appeals/{one['id']}"
    own = (await service.call("GET", path, as_=sent["author_token"], expect=200)).json()
    assert own["answer"] == "You are right, it was a quotation."


async def test_by_when_an_item_is_to_be_looked_at(service: Service) -> None:
    """When it came plus the service level times one minus its priority; a notice at once, and then it is overdue."""
    await service.submit("A rude remark.")
    await service.drain()
    [held] = await service.claim()
    due, opened = (datetime.fromisoformat(text) for text in (held["priority"]["due_at"], held["opened_at"]))
    expected = opened + timedelta(seconds=3600 * (1 - held["priority"]["value"]))
    assert abs((due - expected).total_seconds()) < 1
    assert held["priority"]["at_once"] is False
    sent = await service.published("An opinion.")
    await made(await report(service, sent, "illegal_content", illegal=NOTICE))
    [notice] = await service.claim()
    assert notice["priority"]["at_once"] is True
    due, opened = (datetime.fromisoformat(text) for text in (notice["priority"]["due_at"], notice["opened_at"]))
    assert abs((due - opened).total_seconds()) < 0.001
    service.clock.advance(1)
    queue = (await service.call("GET", f"{REVIEW}/queue", as_="moderator", expect=200)).json()
    assert queue["queues"][0]["overdue"] == 1


async def test_a_missing_law_is_named_plainly(service: Service) -> None:
    """The problem says which field is needed, and leaves the item in the same hands."""
    await service.submit("A rude remark.")
    await service.drain()
    [item] = await service.claim()
    wanted = {"reasons": ["insult"], "ground": {"kind": "law"}}
    body = {"lease": item["lease"]["token"], "revision": 1, "action": "reject", **wanted}
    refused = await service.call("POST", f"{REVIEW}/items/{item['item_id']}/decision", as_="moderator", json=body)
    [field] = problem(refused, "request.invalid")["fields"]
    assert field == {"field": "ground.clause", "message": "is needed: which law, and which part of it"}
    await service.decide(item, "reject", reasons=["insult"], ground={"kind": "law", "clause": "Section 185"})
