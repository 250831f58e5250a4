"""What people do is in the site's chain: decisions, keys and their use, policies; admins can read it."""

import msgspec
import pytest

from service import schemas
from service.flow.audit import list_events
from service.flow.context import Context
from service.flow.identify import find_site
from service.flow.verify_audit import verify
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def events(context: Context, action: str) -> list[schemas.AuditEvent]:
    """The site's events of one kind, the newest first."""
    site = await find_site(context, "test")
    return [
        event for event in (await list_events(context, site, after=None, limit=99)).events if event.action == action
    ]


async def test_every_decision_of_a_person_is_audited_without_text(service: Service) -> None:
    """Approving and removing leave an event with who, what and ids, and the chain holds."""
    sent = await service.submit("A rude opinion with the word marmalade.")
    await service.drain()
    (item,) = await service.claim()
    await service.decide(item, "approve", note="marmalade")
    comment_id = sent["comment"]["id"]
    policy = (await service.call("GET", "/v1/admin/sites/test/policy", as_="admin", expect=200)).json()["policy"]
    wanted = {"action": "remove", "revision": 1, "reasons": [policy["reasons"][0]["code"]]}
    await service.call(
        "POST", f"/v1/review/test/comments/{comment_id}/decision", as_="moderator2", json=wanted, expect=200
    )
    found = await events(service.context, "comment.decided")
    assert [(event.subject, event.actor_kind, event.data["decided"]) for event in found] == [
        (comment_id, "moderator", "remove"),
        (comment_id, "moderator", "approve"),
    ]
    assert found[0].actor != found[1].actor
    assert b"marmalade" not in msgspec.json.encode(found)
    assert [one.fault async for one in verify(service.context)] == [None, None]


async def test_a_refused_decision_is_not_audited(service: Service) -> None:
    """What changed nothing left nothing in the chain."""
    await service.submit("A rude opinion.")
    await service.drain()
    (item,) = await service.claim()
    await service.decide(item, "approve")
    await service.decide(item, "reject", reasons=["insult"], expect=409)
    assert len(await events(service.context, "comment.decided")) == 1


async def test_the_first_use_of_a_key_is_audited_once_a_day(service: Service) -> None:
    """However often a key is used, the chain tells of each day that it was used on."""
    service.clock.moment = service.clock.moment.replace(hour=10)
    for days in range(2):
        for minutes in range(3):
            service.clock.advance(minutes * 60)
            await service.call("GET", "/v1/review/test/queue", as_="moderator", expect=200)
        assert len(await events(service.context, "key.used")) == days + 1
        service.clock.advance(86_400)
    (used, _) = await events(service.context, "key.used")
    assert used.subject in {event.subject for event in await events(service.context, "key.created")}
    assert (used.actor_kind, used.data) == ("key", {})


async def test_admins_read_their_site_s_events_in_pages(service: Service) -> None:
    """The route gives the site's own events, the newest first, and the cursor of the next page."""
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        answer = await service.call(
            "GET", "/v1/admin/sites/test/audit", as_="admin", params={"limit": 2} | after, expect=200
        )
        page = answer.json()
        seen += [event["id"] for event in page["events"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) > 4
    assert answer.headers["cache-control"] == "no-store"


async def test_a_strange_cursor_is_refused(service: Service) -> None:
    """What is no id of an event is a clear 400."""
    answer = await service.call("GET", "/v1/admin/sites/test/audit", as_="admin", params={"after": "x"}, expect=400)
    assert answer.json()["code"] == "request.invalid"
