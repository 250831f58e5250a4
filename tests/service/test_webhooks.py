"""Webhooks as a publisher meets them: named by the API, signed, in order, retried, seen, sent again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.flow import erase
from service.flow.identify import find_site
from service.flow.relay import relay_all
from service.store import tables as t
from service.webhooks.retries import CLOSES_AFTER, DISABLED_AFTER, DISABLED_AFTER_FAILURES, PLAN
from service.workers.delivering import Deliverer
from tests.leaks import plant
from tests.receiver import OK, Answer, Receiver, receivers
from tests.service.answers import problem
from tests.service.delivering import delivering
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
WEBHOOKS = "/v1/admin/sites/test/webhooks"
UNKNOWN = "0190a0a0-0000-7000-8000-000000000000"


@pytest.fixture
async def deliverer(service: Service) -> AsyncIterator[Deliverer]:
    """The delivering part of a worker."""
    async with delivering(service.context) as made:
        yield made


@pytest.fixture
async def one() -> AsyncIterator[Receiver]:
    """A receiver."""
    async with receivers("/hook?key=inner") as made:
        made[0].server.replies["/hook"] = made[0].reply
        yield made[0]


async def named(service: Service, receiver: Receiver, *events: str, **fields: Any) -> dict[str, Any]:
    """Name a receiver, and answer what the API answered."""
    wanted = {"url": receiver.url, "events": list(events) or ["*"], **fields}
    made: dict[str, Any] = (await service.call("POST", WEBHOOKS, as_="admin", json=wanted, expect=201)).json()
    plant(made["secret"])
    return made


async def of(service: Service, made: dict[str, Any]) -> dict[str, Any]:
    """Read a receiver."""
    found: dict[str, Any] = (await service.call("GET", f"{WEBHOOKS}/{made['id']}", as_="admin", expect=200)).json()
    return found


async def log(service: Service, made: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    """Read a receiver's deliveries."""
    answer = await service.call("GET", f"{WEBHOOKS}/{made['id']}/deliveries", as_="admin", params=query, expect=200)
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found


async def test_an_event_is_delivered_signed(service: Service, deliverer: Deliverer, one: Receiver) -> None:
    """A receiver's library accepts what comes, and the payload says where and what."""
    made = await named(service, one, "comment.*", description="search", headers={"X-Tenant": "daily"})
    sent = await service.published("A civil opinion on trams.", author={"name": "Ada"})
    await deliverer.settle_all()
    submitted, published = one.verified(made["secret"])
    assert [submitted["type"], published["type"]] == ["comment.submitted", "comment.published"]
    data = published["data"]
    assert (data["version"], data["site"], data["thread"]["page"]) == (1, "test", "page")
    comment_id = sent["comment"]["id"]
    assert (data["comment"]["id"], data["comment"]["status"], data["comment"]["parent_id"]) == (
        comment_id, "published", None,
    )  # fmt: skip
    assert data["comment"]["author"] | {"commenter_id": ""} == {
        "commenter_id": "", "kind": "guest", "name": "Ada", "subject": None,
    }  # fmt: skip
    assert (data["revision"]["number"], data["revision"]["body"]) == (1, "A civil opinion on trams.")
    assert data["decision"]["actor_kind"] == "machine"
    assert "body" not in submitted["data"]["revision"]
    headers = one.took[0].headers
    assert (headers["x-tenant"], headers["content-type"]) == ("daily", "application/json")
    assert one.took[0].target.endswith("?key=inner")
    (first, second) = reversed(await log(service, made))
    assert [first["state"], second["state"]] == ["delivered", "delivered"]
    assert second["event_id"] == one.took[1].headers["webhook-id"]
    assert (await of(service, made))["last_success_at"] is not None


async def test_the_secret_is_shown_once_and_kept_sealed(service: Service, one: Receiver) -> None:
    """No later answer has it, nor any row; the values of custom headers neither."""
    made = await named(service, one, headers={"X-Key": "receivers-own-secret"})
    plant("receivers-own-secret")
    assert made["secret"].startswith("whsec_")
    listed = (await service.call("GET", WEBHOOKS, as_="admin", expect=200)).text
    assert made["secret"] not in listed
    assert "receivers-own-secret" not in listed
    assert '"X-Key"' in listed
    async with service.context.database.reading() as connection:
        for table in (t.webhook_secrets, t.webhook_endpoints, t.audit_events):
            text = str((await connection.execute(sa.select(table))).all())
            assert made["secret"].removeprefix("whsec_") not in text
            assert "receivers-own-secret" not in text


async def test_only_the_wanted_events_come(service: Service, deliverer: Deliverer) -> None:
    """By name, by kind, or all; each endpoint gets its own."""
    async with receivers("/all", "/published", "/threads") as (everything, published, threads):
        await named(service, everything)
        await named(service, published, "comment.published")
        await named(service, threads, "thread.*", "policy.*")
        await service.published("One.")
        await service.call(
            "PATCH", "/v1/admin/sites/test/threads/page", as_="publisher", json={"state": "closed"}, expect=200
        )
        await deliverer.settle_all()
        assert sorted(everything.types) == ["comment.published", "comment.submitted", "thread.closed", "thread.opened"]
        assert published.types == ["comment.published"]
        assert threads.types == ["thread.opened", "thread.closed"]


async def test_a_held_comment_can_be_decided_by_who_is_told(
    service: Service, deliverer: Deliverer, one: Receiver
) -> None:
    """The payload has the text, the causes and the item; the decision is an event of its own."""
    await named(service, one, "comment.held", "review.decided", "comment.published")
    await service.submit("A rude word.")
    await service.drain()
    await deliverer.settle_all()
    (held,) = one.events
    data = held["data"]
    assert (data["comment"]["status"], data["revision"]["body"]) == ("held", "A rude word.")
    assert data["review"]["causes"][0]["value"] == 0.7
    items = (await service.call("POST", "/v1/review/test/claims", as_="moderator", json={}, expect=200)).json()["items"]
    assert items[0]["item_id"] == data["review"]["item_id"]
    await service.decide(items[0], "approve")
    await deliverer.settle_all()
    assert one.types == ["comment.held", "comment.published", "review.decided"]
    decided = one.events[-1]["data"]
    assert (decided["decision"]["action"], decided["decision"]["actor_kind"]) == ("approve", "moderator")
    assert decided["review"]["state"] == "decided"


async def test_an_erased_text_never_leaves(service: Service, deliverer: Deliverer, one: Receiver) -> None:
    """The text is read when the event is sent: erased, deleted or taken down before, it is not in it."""
    await named(service, one, "comment.published", "comment.held")
    sent = await service.published("My telephone number is quokka.")
    author = sent["author_token"]
    await service.submit("A rude number quokka.", token=author)
    await service.drain()
    await relay_all(service.context)
    site = await find_site(service.context, "test")
    async with service.context.database.reading() as connection:
        (commenter_id,) = (await connection.execute(sa.select(t.commenters.c.id))).scalars()
    await erase.erase(service.context, site, commenter_id, "test", mode="remove")
    await deliverer.settle_all()
    assert len(one.took) == 2
    assert b"quokka" not in b"".join(request.body for request in one.took)


async def test_a_failed_delivery_is_tried_again_by_its_plan(
    service: Service, deliverer: Deliverer, one: Receiver
) -> None:
    """Nothing is sent before its time, each attempt is in the log, and the success ends it."""
    made = await named(service, one, "comment.published")
    one.rule = lambda number, _: OK if number > 3 else Answer(500, body=b"do not keep this")
    await service.published("One.")
    await deliverer.settle_all()
    (owed,) = await log(service, made)
    assert (owed["state"], owed["attempts"], owed["last_status"], owed["last_error"]) == ("pending", 1, 500, "status")
    await deliverer.settle_all()
    assert len(one.requests) == 1
    for wait in PLAN[:3]:
        service.clock.advance(wait * 1.2)
        await deliverer.settle_all()
    assert len(one.took) == 1
    assert len({request.headers["webhook-id"] for request in one.requests}) == 1
    path = f"{WEBHOOKS}/{made['id']}/deliveries/{owed['id']}"
    detail = (await service.call("GET", path, as_="admin", expect=200)).json()
    assert detail["state"] == "delivered"
    assert [attempt["status"] for attempt in detail["attempts_made"]] == [500, 500, 500, 204]
    assert [attempt["number"] for attempt in detail["attempts_made"]] == [1, 2, 3, 4]
    assert "do not keep" not in json.dumps(detail)


async def test_the_end_of_the_plan_is_a_dead_letter_that_can_be_sent_again(
    service: Service, deliverer: Deliverer
) -> None:
    """Kept with its attempts; replayed by its id, or with all that are dead."""
    async with receivers("/hook") as (one,):
        made = await named(service, one, "comment.published", "comment.held")
        one.rule = lambda _, request: Answer(500) if b"comment.held" in request.body else OK
        await service.submit("A rude one.")
        await service.drain()
        await deliverer.settle_all()
        for wait in PLAN:
            service.clock.advance(wait * 1.25)
            # Another event arrives, so that the endpoint itself is not down.
            await service.published(f"Civil {wait}.", page=f"page-{wait}")
            await deliverer.settle_all()
        (dead,) = await log(service, made, state="dead")
        assert (dead["event_type"], dead["attempts"]) == ("comment.held", len(PLAN) + 1)
        assert (await of(service, made))["dead"] == 1
        one.rule = lambda _number, _request: OK
        again = await service.call(
            "POST", f"{WEBHOOKS}/{made['id']}/replay", as_="admin", json={"states": ["dead"]}, expect=202
        )
        assert again.json() == {"deliveries": 1, "next": None}
        await deliverer.settle_all()
        assert one.types[-1] == "comment.held"
        path = f"{WEBHOOKS}/{made['id']}/deliveries/{dead['id']}"
        assert (await service.call("POST", f"{path}/replay", as_="admin", expect=202)).json()["state"] == "pending"
        await deliverer.settle_all()
        detail = (await service.call("GET", path, as_="admin")).json()
        assert (detail["state"], detail["attempts"]) == ("delivered", len(PLAN) + 3)
        assert [one_.get("number") for one_ in detail["attempts_made"]] == list(range(1, len(PLAN) + 4))


async def test_the_order_of_a_comment_is_kept(service: Service, deliverer: Deliverer, one: Receiver) -> None:
    """What happened later to a comment waits for what happened before; other comments do not."""
    made = await named(service, one, "comment.*")
    first = await service.published("The first one.")
    comment_id = first["comment"]["id"]
    one.rule = lambda _, request: (
        Answer(500) if comment_id.encode() in request.body and b"comment.submitted" in request.body else OK
    )
    await service.published("Another.", page="other")
    await deliverer.settle_all()
    assert [event["data"]["thread"]["page"] for event in one.events] == ["other", "other"]
    act = {"action": "remove", "revision": 1, "reasons": ["other"]}
    await service.call("POST", f"/v1/review/test/comments/{comment_id}/decision", as_="moderator", json=act, expect=200)
    await deliverer.settle_all()
    one.took.clear()
    one.rule = lambda _number, _request: OK
    service.clock.advance(PLAN[0] * 1.2)
    await deliverer.settle_all()
    assert one.types == ["comment.submitted", "comment.published", "comment.removed"]
    assert (await of(service, made))["pending"] == 0


async def test_a_delivery_that_blocks_can_be_given_up(service: Service, deliverer: Deliverer, one: Receiver) -> None:
    """The next event of the comment goes out then; twice is a conflict."""
    made = await named(service, one, "comment.*")
    one.rule = lambda _, request: Answer(500) if b"comment.submitted" in request.body else OK
    await service.published("One.")
    await deliverer.settle_all()
    assert one.types == []
    (owed,) = await log(service, made, type="comment.submitted")
    path = f"{WEBHOOKS}/{made['id']}/deliveries/{owed['id']}/cancel"
    assert (await service.call("POST", path, as_="admin", expect=200)).json()["state"] == "cancelled"
    problem(await service.call("POST", path, as_="admin"), "delivery.finished")
    await deliverer.settle_all()
    assert one.types == ["comment.published"]


async def test_410_disables_an_endpoint(service: Service, deliverer: Deliverer) -> None:
    """With a reason, an audit line and an event to the others; nothing is sent or owed to it until it is enabled."""
    async with receivers("/gone", "/admins") as (gone, admins):
        made = await named(service, gone, "comment.*")
        await named(service, admins, "webhook.*")
        gone.rule = lambda _number, _request: Answer(410)
        await service.published("One.")
        await deliverer.settle_all()
        await deliverer.settle_all()
        found = await of(service, made)
        assert (found["status"], found["reason"], found["pending"]) == ("disabled", "gone", 0)
        assert {one["last_error"] for one in await log(service, made, state="dead")} == {"endpoint.gone"}
        (told,) = admins.events
        assert told["data"]["endpoint"]["endpoint_id"] == made["id"]
        assert told["data"]["endpoint"]["reason"] == "gone"
        audited = (await service.call("GET", "/v1/admin/sites/test/audit", as_="admin")).json()["events"]
        assert audited[0]["action"] == "webhook.disabled"
        await service.published("Two.", page="two")
        await deliverer.settle_all()
        assert len(await log(service, made)) == 2
        for path in ("test", "replay"):
            answer = await service.call(
                "POST", f"{WEBHOOKS}/{made['id']}/{path}", as_="admin", json={"states": ["dead"]}
            )
            problem(answer, "webhook.disabled")
        gone.rule = lambda _number, _request: OK
        back = await service.call(
            "PATCH", f"{WEBHOOKS}/{made['id']}", as_="admin", json={"status": "active"}, expect=200
        )
        assert (back.json()["status"], back.json()["reason"], back.json()["failures"]) == ("active", None, 0)
        since = {"since": (service.clock() - timedelta(hours=1)).isoformat()}
        again = await service.call("POST", f"{WEBHOOKS}/{made['id']}/replay", as_="admin", json=since, expect=202)
        assert again.json() == {"deliveries": 4, "next": None}
        await deliverer.settle_all()
        assert sorted(gone.types) == ["comment.published"] * 2 + ["comment.submitted"] * 2


async def test_an_endpoint_that_fails_for_days_is_disabled(
    service: Service, deliverer: Deliverer, one: Receiver
) -> None:
    """While it fails it is asked by one delivery at a time; after three days it is disabled with that reason."""
    made = await named(service, one, "comment.published")
    one.rule = lambda _number, _request: Answer(503)
    for number in range(CLOSES_AFTER + 3):
        await service.published(f"Number {number}.", page=f"page-{number}")
    await deliverer.settle_all()
    assert (await of(service, made))["failures"] == CLOSES_AFTER
    before = len(one.requests)
    service.clock.advance(60)
    await deliverer.settle_all()
    assert len(one.requests) == before + 1
    for _ in range(DISABLED_AFTER_FAILURES):
        service.clock.advance(1800)
        await deliverer.settle_all()
    service.clock.advance(DISABLED_AFTER.total_seconds())
    await deliverer.settle_all()
    found = await of(service, made)
    assert (found["status"], found["reason"]) == ("disabled", "failing")
    assert found["dead"] == CLOSES_AFTER + 3


async def test_an_endpoint_that_is_back_gets_everything_at_once(
    service: Service, deliverer: Deliverer, one: Receiver
) -> None:
    """The first success opens it, and what was put off for hours is not waited for."""
    made = await named(service, one, "comment.published")
    one.rule = lambda _number, _request: Answer(503)
    for number in range(12):
        await service.published(f"Number {number}.", page=f"page-{number}")
    for _ in range(8):
        await deliverer.settle_all()
        service.clock.advance(301)
    one.rule = lambda _number, _request: OK
    await deliverer.settle_all()
    assert len(one.took) == 12
    found = await of(service, made)
    assert (found["failures"], found["failing_since"], found["pending"]) == (0, None, 0)


async def test_one_dead_endpoint_delays_no_other(service: Service, deliverer: Deliverer) -> None:
    """While one says nothing at all, the other has everything."""
    async with receivers("/dead", "/alive") as (dead, alive):
        await named(service, dead)
        await named(service, alive)
        dead.rule = lambda _number, _request: Answer(manner="hang")
        for number in range(5):
            await service.published(f"Number {number}.", page=f"page-{number}")
        while len(alive.took) < 15:
            await deliverer.drain_once()
        assert dead.took == []
        assert sorted(alive.types) == sorted(["thread.opened", "comment.submitted", "comment.published"] * 5)


async def test_a_paused_endpoint_keeps_what_it_is_owed(service: Service, deliverer: Deliverer, one: Receiver) -> None:
    """Nothing is sent, nothing is lost."""
    made = await named(service, one, "comment.published")
    path = f"{WEBHOOKS}/{made['id']}"
    await service.call("PATCH", path, as_="admin", json={"status": "paused"}, expect=200)
    await service.published("One.")
    await deliverer.settle_all()
    assert one.requests == []
    assert (await of(service, made))["pending"] == 1
    await service.call("PATCH", path, as_="admin", json={"status": "active"}, expect=200)
    await deliverer.settle_all()
    assert one.types == ["comment.published"]


async def test_a_test_event_goes_to_its_endpoint_alone(service: Service, deliverer: Deliverer) -> None:
    """Whatever it wants otherwise, and the answer leads to how it went."""
    async with receivers("/one", "/two") as (one, two):
        made = await named(service, one, "comment.published")
        await named(service, two)
        owed = (await service.call("POST", f"{WEBHOOKS}/{made['id']}/test", as_="admin", expect=202)).json()
        await deliverer.settle_all()
        assert (one.types, two.types) == (["webhook.test"], [])
        path = f"{WEBHOOKS}/{made['id']}/deliveries/{owed['id']}"
        assert (await service.call("GET", path, as_="admin", expect=200)).json()["state"] == "delivered"
