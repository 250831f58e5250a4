"""Every event of the catalog happens, and carries the parts that the catalog says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, get_args, get_type_hints

import pytest
from msgspec import Struct

from moderation.policy import default_policy
from service.flow import manage_sites
from service.flow.erase import SETTLED
from service.flow.watch import watch
from service.queue.scorer_status import ScorerState
from service.schemas.events import EventData
from service.schemas.webhooks import AttemptView, DeliveryDetail, DeliveryError, WebhookView
from service.webhooks.catalog import EVENTS
from service.workers.delivering import Deliverer
from tests.receiver import Answer, receivers
from tests.service.delivering import delivering
from tests.service.test_event_stream import read
from tests.service_fixture import Service
from tests.test_docs import ROOT

pytestmark = pytest.mark.anyio
REVIEW, ADMIN = "/v1/review/test", "/v1/admin/sites/test"
#: Parts that an event has only where there is one: a policy of the whole site, an act on what was not in the queue.
OPTIONAL = {("policy.changed", "thread"), ("review.decided", "review"), ("appeal.closed", "decision")}


@pytest.fixture
def database_kind() -> str:
    """What is checked here is what is told."""
    return "sqlite"


@pytest.fixture
async def deliverer(service: Service) -> AsyncIterator[Deliverer]:
    """The delivering part of a worker."""
    async with delivering(service.context) as made:
        yield made


async def comments_live(service: Service) -> str:
    """Let a comment of every kind live; answer whose they are."""
    sent = await service.published("A civil opinion.", author={"name": "Ada"})
    token, path = sent["author_token"], f"{REVIEW}/comments/{sent['comment']['id']}/decision"
    own = f"/v1/sites/test/comments/{sent['comment']['id']}"
    for body in ("A rude one.", "A vile one."):
        await service.submit(body, token=token)
    await service.drain()
    await service.call("PATCH", own, as_=token, json={"body": "A better opinion."}, expect=200)
    await service.drain()
    await service.call("POST", f"{own}/reports", json={"reason": "spam"}, expect=201)
    for pick in ("featured", "pinned"):
        await service.call("PUT", f"{REVIEW}/comments/{sent['comment']['id']}/{pick}", as_="moderator", expect=204)
    remove = {"action": "remove", "revision": 2, "reasons": ["other"]}
    await service.call("POST", path, as_="moderator", json=remove, expect=200)
    await service.call("POST", f"{own}/appeals", as_=token, json={"text": "Why?"}, expect=201)
    await service.call("POST", path, as_="moderator", json={"action": "restore", "revision": 2}, expect=200)
    claimed = await service.call("POST", f"{REVIEW}/claims", as_="moderator", json={}, expect=200)
    await service.decide(claimed.json()["items"][0], "approve")
    await service.call("DELETE", own, as_=token, expect=204)
    me: str = (await service.call("GET", "/v1/sites/test/me", as_=token, expect=200)).json()["id"]
    return me


async def people_act(service: Service, commenter_id: str) -> None:
    """Let the people of the site do what is told."""
    await service.call("PATCH", f"{ADMIN}/threads/page", as_="publisher", json={"state": "closed"}, expect=200)
    path = f"{REVIEW}/commenters/{commenter_id}/sanctions"
    sanction = {"kind": "ban", "reason": "other"}
    made = (await service.call("POST", path, as_="moderator", json=sanction, expect=201)).json()
    await service.call("POST", f"{path}/{made['id']}/lift", as_="moderator", json={}, expect=200)
    document = manage_sites.as_document(default_policy())
    await service.call("PUT", f"{ADMIN}/policy", as_="admin", json=document, expect=200)
    await service.call("DELETE", f"{ADMIN}/commenters/{commenter_id}", as_="admin", json={}, expect=200)
    service.clock.advance(SETTLED.total_seconds() + 1)
    await service.sweep()


async def things_go_wrong(service: Service, deliverer: Deliverer) -> None:
    """Let the scorer be down and come back, too much wait, and an endpoint be gone."""
    for state in (ScorerState.UP, ScorerState.DOWN, ScorerState.DOWN, ScorerState.UP):
        await service.scorer_reports(state)
        await watch(service.context)
        service.clock.advance(service.context.settings.scorer_grace_seconds + 1)
    await service.call("PUT", f"{ADMIN}/alerts", as_="admin", json={"backlog_items": 1}, expect=200)
    await service.submit("Another rude one.", page="two")
    await service.drain()
    await watch(service.context)
    async with receivers("/gone") as (gone,):
        gone.rule = lambda _number, _request: Answer(410)
        wanted = {"url": gone.url, "events": ["thread.*"]}
        made = (await service.call("POST", f"{ADMIN}/webhooks", as_="admin", json=wanted, expect=201)).json()
        await service.call("POST", f"{ADMIN}/webhooks/{made['id']}/test", as_="admin", expect=202)
        await deliverer.settle_all()


def test_the_docs_name_every_field() -> None:
    """Each part of an event, and what is shown of receivers and deliveries, has a row with all of its fields."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", (ROOT / "docs/webhooks.md").read_text(), flags=re.MULTILINE))
    parts = {part: wanted for part, wanted in get_type_hints(EventData).items() if part not in ("version", "site")}
    shown: dict[str, Any] = {"webhook": WebhookView, "delivery": DeliveryDetail, "attempt": AttemptView}
    for name, wanted in (parts | shown).items():
        [struct] = [one for one in (get_args(wanted) or (wanted,)) if issubclass(one, Struct)]
        named = set(re.findall(r"`(\w+)`", rows[name]))
        assert set(struct.__struct_fields__) <= named, name
    assert set(get_args(DeliveryError)) | {"status"} <= set(re.findall(r"`([\w.]+)`", rows["last_error"]))


async def test_every_event_happens_with_its_parts(service: Service, deliverer: Deliverer) -> None:
    """None is in the catalog alone, none is told that is not in it, and each has its parts."""
    commenter_id = await comments_live(service)
    await people_act(service, commenter_id)
    await things_go_wrong(service, deliverer)
    events = (await read(service, limit=100))["events"]
    assert {event["type"] for event in events} == set(EVENTS)
    assert [one["data"]["commenter"]["mode"] for one in events if one["type"] == "commenter.erased"] == ["anonymise"]
    for event in events:
        kind, data = EVENTS[event["type"]], event["data"]
        assert (data["version"], data["site"]) == (kind.version, "test")
        parts = set(data) - {"version", "site"}
        wanted = {part for part in kind.carries if (event["type"], part) not in OPTIONAL}
        assert wanted <= parts <= set(kind.carries), event["type"]
