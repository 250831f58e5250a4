"""Review: the queue in numbers, claims with everything needed, leases, decisions that are made once."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.service.answers import UNKNOWN_ID, fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
REVIEW = "/v1/review/test"


async def held(service: Service, body: str = "A rude one.", **wanted: Any) -> dict[str, Any]:
    """Submit a comment that the model doubts, and let the worker hold it."""
    sent = await service.submit(body, **wanted)
    await service.drain()
    return sent


async def queue(service: Service) -> dict[str, Any]:
    """Read the queue's numbers."""
    found: dict[str, Any] = (await service.call("GET", f"{REVIEW}/queue", as_="moderator", expect=200)).json()
    return found


async def act(service: Service, sent: dict[str, Any], action: str, *, revision: int = 1, **wanted: Any) -> Any:
    """Remove or restore a comment."""
    path = f"{REVIEW}/comments/{sent['comment']['id']}/decision"
    return await service.call("POST", path, as_="moderator", json={"revision": revision, "action": action, **wanted})


async def test_the_queue_in_numbers(service: Service) -> None:
    """Depth, claimed, oldest age and pending follow what happens; the parts that are down are named."""
    empty = await queue(service)
    assert (empty["depth"], empty["claimed"], empty["oldest_age_seconds"], empty["pending"]) == (0, 0, None, 0)
    assert empty["degraded"] == ["scorer"]
    await service.scorer_reports()
    await held(service, "A rude one.")
    service.clock.advance(60)
    await held(service, "A rude two.")
    await service.submit("Not scored yet.")
    found = await queue(service)
    assert (found["depth"], found["claimed"], found["pending"], found["degraded"]) == (2, 0, 1, [])
    assert found["oldest_age_seconds"] == pytest.approx(60)
    [item] = await service.claim(limit=1)
    assert (await queue(service))["claimed"] == 1
    await service.decide(item)
    found = await queue(service)
    assert (found["depth"], found["claimed"]) == (1, 0)
    assert found["oldest_age_seconds"] == pytest.approx(0)


async def test_a_claim_holds_everything_needed(service: Service) -> None:
    """An item carries the text, its thread and parents, the scores, the rule in numbers and the author's record."""
    await service.call(
        "POST", "/v1/admin/sites/test/threads", as_="publisher", json={"page": "page", "title": "Trams"}, expect=201
    )
    root = await service.published("Root.", author={"name": "Ada"})
    parent = await service.published("Parent.", parent_id=root["comment"]["id"])
    token = (await service.published("Earlier."))["author_token"]
    await service.submit("A vile one.", token=token)
    sent = await held(service, "A *rude* reply.", parent_id=parent["comment"]["id"], token=token)
    [item] = await service.claim(lease_seconds=120)
    assert item["kind"] == "held"
    assert item["comment"]["id"] == sent["comment"]["id"]
    assert (item["comment"]["body"], item["comment"]["status"], item["revision"]) == ("A *rude* reply.", "held", 1)
    assert item["comment"]["html"] == "<p>A <em>rude</em> reply.</p>"
    assert (item["thread"]["page"], item["thread"]["title"], item["thread"]["count"]) == ("page", "Trams", 3)
    assert [one["body"] for one in item["parents"]] == ["Root.", "Parent."]
    [score] = item["scores"]
    assert score["attribute"] == "toxicity"
    assert score["value"] == pytest.approx(0.7)
    assert (score["model_id"], score["calibrated"]) == (service.scorer.model_id, True)
    [cause] = item["causes"]
    assert cause["rule"] == "doubtful-toxicity"
    assert cause["value"] == pytest.approx(0.7)
    assert cause["threshold"] == pytest.approx(0.5)
    assert item["author_record"]["counts"] == {"published": 1, "rejected": 1, "held": 1}
    assert datetime.fromisoformat(item["lease"]["expires_at"]) == service.clock.moment + timedelta(seconds=120)


async def test_an_item_is_in_one_hand(service: Service) -> None:
    """Two moderators get different items, the oldest first; what is claimed is not given again until the lease ends."""
    sent = [await held(service, f"A rude number {number}.") for number in range(3)]
    first = await service.claim(limit=2)
    second = await service.claim("moderator2", lease_seconds=600)
    got = [item["comment"]["id"] for item in (*first, *second)]
    assert got == [one["comment"]["id"] for one in sent]
    assert await service.claim() == []
    service.clock.advance(301)
    again = await service.claim("moderator2")
    assert [item["item_id"] for item in again] == [item["item_id"] for item in first]
    assert {item["lease"]["token"] for item in again}.isdisjoint(item["lease"]["token"] for item in first)


async def test_a_lease_is_renewed_and_released(service: Service) -> None:
    """A renewed lease lasts from now; a released item goes back to its place, and its lease is over."""
    await held(service, "A rude one.")
    await held(service, "A rude two.")
    first, second = await service.claim()
    lease = {"lease": first["lease"]["token"]}
    path = f"{REVIEW}/items/{first['item_id']}"
    service.clock.advance(200)
    renewed = await service.call(
        "POST", f"{path}/renew", as_="moderator", json={**lease, "lease_seconds": 900}, expect=200
    )
    assert renewed.json()["token"] == lease["lease"]
    assert datetime.fromisoformat(renewed.json()["expires_at"]) == service.clock.moment + timedelta(seconds=900)
    service.clock.advance(200)
    assert [item["item_id"] for item in await service.claim("moderator2")] == [second["item_id"]]
    await service.call("POST", f"{path}/release", as_="moderator", json=lease, expect=204)
    for verb in ("renew", "release"):
        problem(await service.call("POST", f"{path}/{verb}", as_="moderator", json=lease), "lease.expired")
    assert (await service.decide(first, expect=409))["code"] == "lease.expired"
    [again] = await service.claim("moderator2")
    assert again["item_id"] == first["item_id"]


async def test_a_person_approves_or_rejects(service: Service) -> None:
    """A decision answers the comment and itself, with who, why, on which revision, by which policy, and its causes."""
    await held(service, "A rude one.")
    await held(service, "A rude two.")
    first, second = await service.claim()
    approved = await service.decide(first, "approve")
    assert approved["comment"]["status"] == "published"
    rejected = await service.decide(second, "reject", reasons=["insult", "other", "insult"], note="Twice warned.")
    assert rejected["comment"]["status"] == "rejected"
    decision = rejected["decision"]
    assert [reason["code"] for reason in decision["reasons"]] == ["insult", "other"]
    wanted: dict[str, Any] = {
        "action": "reject", "actor_kind": "moderator", "from_status": "held", "to_status": "rejected", "revision": 1,
        "note": "Twice warned.", "causes": second["causes"],
    }  # fmt: skip
    assert {name: decision[name] for name in wanted} == wanted
    policy = (await service.call("GET", "/v1/admin/sites/test/policy", as_="admin")).json()
    assert decision["policy_version"] == policy["version"]
    members = (await service.call("GET", "/v1/admin/sites/test/members", as_="admin")).json()["members"]
    assert decision["actor"] == next(one["id"] for one in members if one["name"] == "moderator")
    assert (await service.thread())["thread"]["count"] == 1


async def test_reasons_are_the_sites(service: Service) -> None:
    """A reject needs a reason, an approve none, an unknown one is refused, and `other` always exists."""
    await held(service)
    [item] = await service.claim()
    wanted: dict[str, Any]
    for wanted in ({"reasons": []}, {"reasons": ["no_such_reason"]}, {}, {"reasons": ["insult", "no_such_reason"]}):
        path = f"{REVIEW}/items/{item['item_id']}/decision"
        body = {"lease": item["lease"]["token"], "revision": 1, "action": "reject", **wanted}
        assert fields(await service.call("POST", path, as_="moderator", json=body)) == {"reasons"}
    await service.decide(item, "reject", reasons=["other"])


async def test_conflicts_come_before_the_reasons(service: Service) -> None:
    """Who is late, second, or read another text learns that, whatever reasons they gave."""
    await held(service)
    [item] = await service.claim()
    wrong: dict[str, Any] = {"reasons": ["no_such_reason"]}
    changed = await service.decide(item, "reject", expect=409, revision=2, **wrong)
    assert changed["code"] == "revision.changed"
    assert changed["extra"]["revision"] == 1
    assert changed["extra"]["comment"]["body"] == item["comment"]["body"]
    other = item | {"lease": {"token": "another"}}
    assert (await service.decide(other, "reject", expect=409, **wrong))["code"] == "lease.expired"
    service.clock.advance(300)
    assert (await service.decide(item, "reject", expect=409, **wrong))["code"] == "lease.expired"
    [again] = await service.claim("moderator2")
    await service.decide(again, "approve", as_="moderator2")
    for late in (item, again):
        assert (await service.decide(late, "reject", expect=409, **wrong))["code"] == "item.decided"
    assert (await service.thread())["thread"]["count"] == 1
    for verb in ("renew", "release"):
        path = f"{REVIEW}/items/{again['item_id']}/{verb}"
        problem(
            await service.call("POST", path, as_="moderator2", json={"lease": again["lease"]["token"]}), "item.decided"
        )


async def test_a_published_comment_is_removed_and_restored(service: Service) -> None:
    """Removing needs a reason and hides, restoring shows again, each counts once, and what makes no sense is final."""
    sent = await service.published("An opinion.")
    assert fields(await act(service, sent, "remove")) == {"reasons"}
    problem(await act(service, sent, "remove", revision=2, reasons=["spam"]), "revision.changed")
    removed = (await act(service, sent, "remove", reasons=["spam"])).json()
    assert removed["comment"]["status"] == "removed"
    assert (await service.thread())["thread"]["count"] == 0
    problem(await act(service, sent, "remove", reasons=["spam"]), "comment.final")
    assert (await act(service, sent, "restore")).json()["comment"]["status"] == "published"
    problem(await act(service, sent, "restore"), "comment.final")
    assert (await service.thread())["thread"]["count"] == 1
    mine = await service.call("GET", f"/v1/sites/test/comments/{sent['comment']['id']}", as_=sent["author_token"])
    assert mine.json()["comment"]["status"] == "published"
    rejected = await held(service, "A vile one.")
    assert (await act(service, rejected, "restore")).json()["comment"]["status"] == "published"
    waiting = await held(service)
    for action in ("remove", "restore"):
        problem(await act(service, waiting, action, reasons=["spam"]), "comment.final")
    assert [item["comment"]["id"] for item in await service.claim()] == [waiting["comment"]["id"]]
    path = f"{REVIEW}/comments/{UNKNOWN_ID}/decision"
    problem(
        await service.call("POST", path, as_="moderator", json={"revision": 1, "action": "restore"}), "comment.unknown"
    )


async def test_the_history_tells_every_decision(service: Service) -> None:
    """Each decision on a comment is listed in order with its actor, from and to, and its causes."""
    sent = await held(service)
    [item] = await service.claim()
    await service.decide(item, "approve")
    await act(service, sent, "remove", reasons=["insult"], note="On second thoughts.")
    path = f"{REVIEW}/comments/{sent['comment']['id']}/decisions"
    decisions = (await service.call("GET", path, as_="moderator", expect=200)).json()["decisions"]
    told = [(one["actor_kind"], one["action"], one["from_status"], one["to_status"]) for one in decisions]
    assert told == [
        ("machine", "hold", "pending", "held"),
        ("moderator", "approve", "held", "published"),
        ("moderator", "remove", "published", "removed"),
    ]
    assert decisions[0]["causes"][0]["rule"] == "doubtful-toxicity"
    assert decisions[0]["actor"] is None
    assert decisions[2]["note"] == "On second thoughts."
    unknown = f"{REVIEW}/comments/{UNKNOWN_ID}/decisions"
    problem(await service.call("GET", unknown, as_="moderator"), "comment.unknown")


async def test_another_sites_items_do_not_exist(service: Service) -> None:
    """Nothing of one site is seen, claimed, renewed or decided under another, even by who may act on both."""
    await service.call("POST", "/v1/admin/sites", as_="root", json={"slug": "other", "name": "O"}, expect=201)
    sent = await held(service)
    [item] = await service.claim("root")
    other = "/v1/review/other"
    assert (await service.call("GET", f"{other}/queue", as_="root")).json()["depth"] == 0
    assert (await service.call("POST", f"{other}/claims", as_="root", json={"limit": 50})).json() == {"items": []}
    lease = {"lease": item["lease"]["token"]}
    for verb, body in (
        ("renew", lease),
        ("release", lease),
        ("decision", {**lease, "revision": 1, "action": "approve"}),
    ):
        path = f"{other}/items/{item['item_id']}/{verb}"
        problem(await service.call("POST", path, as_="root", json=body), "item.unknown")
        problem(await service.call("POST", path, as_="moderator", json=body), "auth.forbidden")
    comment = f"{other}/comments/{sent['comment']['id']}"
    problem(await service.call("GET", f"{comment}/decisions", as_="root"), "comment.unknown")
    wanted: dict[str, Any] = {"revision": 1, "action": "restore"}
    problem(await service.call("POST", f"{comment}/decision", as_="root", json=wanted), "comment.unknown")
    problem(
        await service.call("GET", f"/v1/sites/other/comments/{sent['comment']['id']}", as_="root"), "comment.unknown"
    )
    await service.decide(item, as_="root")
