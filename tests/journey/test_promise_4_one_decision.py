"""Promise 4: exactly one decision per revision and review item; a late or second one is a clear 409."""

import asyncio

import pytest
import sqlalchemy as sa

from service.composition import open_context
from service.flow import decide as deciding
from service.flow.context import Context
from service.flow.identify import find_site, principal_of
from service.schemas import DecideInput
from service.settings import Settings
from service.store.tables import decisions
from tests.service_fixture import Clock, Service

pytestmark = pytest.mark.anyio


async def held(service: Service, body: str = "A rude opinion.") -> dict[str, str]:
    """Submit a comment that is held and answer its id and its author's token."""
    sent = await service.submit(body)
    await service.drain()
    return {"id": sent["comment"]["id"], "token": sent["author_token"]}


async def actions(service: Service) -> list[str]:
    """The actions of all decisions of people, in order."""
    async with service.context.database.reading() as connection:
        query = sa.select(decisions.c.action).where(decisions.c.actor_kind != "machine").order_by(decisions.c.id)
        return list((await connection.execute(query)).scalars())


async def test_two_moderators_who_claim_at_once_share_nothing(service: Service) -> None:
    """Of ten items that six claims ask for at once, each is in exactly one hand."""
    for number in range(10):
        await service.submit(f"A rude opinion, number {number}.")
    await service.drain()
    asked = [service.claim(name, limit=4) for name in ("moderator", "moderator2") * 3]
    given = [item["item_id"] for items in await asyncio.gather(*asked) for item in items]
    assert len(given) == len(set(given)) == 10


async def test_two_decisions_at_once_leave_one(service: Service) -> None:
    """Of eight answers sent at once under one lease, one is taken and seven are told that it is decided."""
    await held(service)
    [item] = await service.claim()
    wanted = {"lease": item["lease"]["token"], "revision": 1}
    path = f"/v1/review/test/items/{item['item_id']}/decision"
    bodies = [{**wanted, "action": "approve"}, {**wanted, "action": "reject", "reasons": ["toxicity"]}] * 4
    answers = await asyncio.gather(
        *(service.call("POST", path, as_="moderator", json=body) for body in bodies), return_exceptions=False
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert {answer.json().get("code") for answer in answers} == {None, "item.decided"}
    assert len(await actions(service)) == 1


async def test_a_decision_after_the_lease_ended_is_refused(service: Service) -> None:
    """A decision that comes late is a 409, and the item is still there for the next."""
    await held(service)
    [item] = await service.claim(lease_seconds=60)
    service.clock.advance(60)
    assert (await service.decide(item, expect=409))["code"] == "lease.expired"
    assert await actions(service) == []
    assert len(await service.claim("moderator2")) == 1


async def test_a_decision_after_another_claimed_is_refused(service: Service) -> None:
    """The first holder's late decision changes nothing for the second, whose own decision stands."""
    await held(service)
    [late] = await service.claim(lease_seconds=60)
    service.clock.advance(61)
    [item] = await service.claim("moderator2")
    assert (await service.decide(late, expect=409))["code"] == "lease.expired"
    await service.decide(item, "reject", as_="moderator2", reasons=["toxicity"])
    assert (await service.decide(late, expect=409))["code"] == "item.decided"
    assert await actions(service) == ["reject"]


async def test_a_second_decision_never_overwrites(service: Service) -> None:
    """Sending a decision again, or another one, is a 409, and the first one stands."""
    comment = await held(service)
    [item] = await service.claim()
    await service.decide(item, "reject", reasons=["toxicity"])
    assert (await service.decide(item, "reject", reasons=["toxicity"], expect=409))["code"] == "item.decided"
    assert (await service.decide(item, "approve", expect=409))["code"] == "item.decided"
    view = await service.call("GET", f"/v1/sites/test/comments/{comment['id']}", as_="moderator", expect=200)
    assert view.json()["comment"]["status"] == "rejected"
    assert await actions(service) == ["reject"]


async def test_a_text_that_was_edited_meanwhile_is_not_decided(service: Service) -> None:
    """A decision on a text that its author has changed is a 409, and the new text is judged by itself."""
    comment = await held(service)
    [item] = await service.claim()
    path = f"/v1/sites/test/comments/{comment['id']}"
    await service.call("PATCH", path, as_=comment["token"], json={"body": "A vile opinion."}, expect=200)
    assert (await service.decide(item, expect=409))["code"] == "revision.changed"
    await service.drain()
    view = await service.call("GET", path, as_="moderator", expect=200)
    assert view.json()["comment"]["status"] == "rejected"
    assert await actions(service) == []


async def test_a_decision_names_the_revision_it_judged(service: Service) -> None:
    """A decision for another revision than the item's is a 409 that names the right one, and changes nothing."""
    await held(service)
    [item] = await service.claim()
    refused = await service.decide({**item, "revision": 2}, expect=409)
    assert (refused["code"], refused["extra"]["revision"]) == ("revision.changed", 1)
    await service.decide(item)


async def test_an_edit_between_score_and_record_is_not_decided_by_the_old_score(service: Service) -> None:
    """A text that is edited while its first version is being scored is decided by the score of the new one alone."""
    sent = await service.submit("A vile opinion.")
    entries = await service.context.stream.fetch(10, 1)
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    await service.call("PATCH", path, as_=sent["author_token"], json={"body": "A civil opinion."}, expect=200)
    await service.worker._settle(entries)
    view = await service.call("GET", path, as_="moderator", expect=200)
    assert view.json()["comment"]["status"] == "pending"
    await service.drain()
    assert (await service.thread())["comments"][0]["body"] == "A civil opinion."


async def test_a_deleted_comment_is_not_decided(service: Service) -> None:
    """A decision on a comment that its author took away meanwhile is a 409, and nothing comes back."""
    comment = await held(service)
    [item] = await service.claim()
    await service.call("DELETE", f"/v1/sites/test/comments/{comment['id']}", as_=comment["token"], expect=204)
    assert (await service.decide(item, expect=409))["code"] == "revision.changed"
    assert (await service.thread())["comments"] == []
    assert await actions(service) == ["delete"]


async def test_a_lease_of_one_item_decides_no_other(service: Service) -> None:
    """The lease of one item is refused for another, and so is a made-up one."""
    await held(service, "A rude opinion.")
    await held(service, "Another rude opinion.")
    first, second = await service.claim()
    assert (await service.decide({**first, "lease": second["lease"]}, expect=409))["code"] == "lease.expired"
    assert (await service.decide({**first, "lease": {"token": "x" * 32}}, expect=409))["code"] == "lease.expired"


async def test_a_lease_outlives_a_restart(service: Service, settings: Settings, clock: Clock) -> None:
    """A process that was started after the claim takes the holder's decision, and only the first one."""
    await held(service)
    [item] = await service.claim()
    wanted = DecideInput(lease=item["lease"]["token"], revision=1, action="approve")
    async with open_context(settings, consumer="restarted", now=clock) as restarted:
        answer = await decide_in(restarted, service, item["item_id"], wanted)
    assert answer == "published"
    assert (await service.decide(item, expect=409))["code"] == "item.decided"


async def decide_in(context: Context, service: Service, item_id: str, wanted: DecideInput) -> str:
    """Decide in another process's context and answer the comment's status."""
    site = await find_site(context, "test")
    principal = await principal_of(context, service.tokens["moderator"])
    return (await deciding.decide(context, site, principal, item_id, wanted)).comment.status.value


async def test_only_a_person_publishes_what_a_person_rejected(service: Service) -> None:
    """An entry that comes back for a comment that a moderator rejected does not publish it."""
    comment = await held(service)
    [item] = await service.claim()
    await service.decide(item, "reject", reasons=["toxicity"])
    async with service.context.database.reading() as connection:
        revision_id = (await connection.execute(sa.select(decisions.c.revision_id).limit(1))).scalar_one()
    service.scorer.scores = {}
    await service.context.stream.enqueue([revision_id])
    await service.drain()
    view = await service.call("GET", f"/v1/sites/test/comments/{comment['id']}", as_="moderator", expect=200)
    assert view.json()["comment"]["status"] == "rejected"
