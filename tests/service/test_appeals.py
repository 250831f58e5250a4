"""Appeals by authors: once a decision, in time, answered by somebody else where the site has one."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from service import schemas
from service.flow import appeal as flow
from service.flow import manage_people
from service.flow.identify import find_site
from service.store import appeals as store
from service.store import people
from service.store import tables as t
from tests.service.answers import UNKNOWN_ID, fields, problem
from tests.service.reporting import act, appeal, edit, queue_kinds, report, statement, status_of
from tests.service.test_event_stream import read
from tests.service.test_reports import set_review
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
REVIEW = "/v1/review/test"


async def removed(service: Service, body: str = "An opinion.") -> dict[str, Any]:
    """Publish a comment, and let `moderator` take it down."""
    sent = await service.published(body)
    await act(service, sent, "remove")
    return sent


async def own(service: Service, sent: dict[str, Any], appeal_id: str) -> dict[str, Any]:
    """Read an appeal as its author."""
    path = f"/v1/sites/test/appeals/{appeal_id}"
    found: dict[str, Any] = (await service.call("GET", path, as_=sent["author_token"], expect=200)).json()
    return found


async def told(service: Service, type_: str) -> list[dict[str, Any]]:
    """Answer the data of the events of a type."""
    return [event["data"] for event in (await read(service, limit=100, type=type_))["events"]]


async def test_an_appeal_is_answered_by_somebody_else(service: Service) -> None:
    """The first decider is not offered it; the other one overturns, and the author reads the answer."""
    sent = await removed(service)
    answer = await appeal(service, sent)
    assert answer.status_code == 201, answer.text
    mine = answer.json()
    assert (mine["state"], mine["outcome"], mine["text"]) == ("open", None, "It was a quotation.")
    assert answer.headers["location"] == f"/v1/sites/test/appeals/{mine['id']}"
    assert await service.claim() == []
    [item] = await service.claim("moderator2")
    assert (item["kind"], item["appeal"]["id"], item["appeal"]["text"]) == ("appealed", mine["id"], mine["text"])
    assert item["appeal"]["decision"]["action"] == "remove"
    await service.decide(item, "approve", as_="moderator2", note="It was one, indeed.")
    assert await status_of(service, sent) == "published"
    closed = await own(service, sent, mine["id"])
    assert (closed["state"], closed["outcome"], closed["answer"]) == ("closed", "overturned", "It was one, indeed.")
    [opened], [event] = await told(service, "appeal.opened"), await told(service, "appeal.closed")
    assert (opened["appeal"]["state"], opened["appeal"]["answer"]) == ("open", None)
    assert (event["appeal"]["outcome"], event["appeal"]["answer"]) == ("overturned", "It was one, indeed.")
    assert "actor" not in closed


@pytest.mark.parametrize("by", ["machine", "person"])
async def test_an_appeal_is_upheld(service: Service, by: str) -> None:
    """The comment stays as it is, the answer is the last word here, and another appeal is refused."""
    sent = await (removed(service) if by == "person" else service.submit("A vile one."))
    await service.drain()
    before = await status_of(service, sent)
    mine = (await appeal(service, sent)).json()
    [item] = await service.claim("moderator2")
    await service.decide(item, "reject", as_="moderator2", reasons=["insult"], note="Read the guidelines.")
    assert await status_of(service, sent) == before
    assert (await own(service, sent, mine["id"]))["outcome"] == "upheld"
    refused = problem(await appeal(service, sent), "appeal.exists")
    assert refused["extra"] == {"appeal": mine["id"]}
    said = (await statement(service, sent))["appeal"]
    assert (said["possible"], said["appeal"]["id"]) == (False, mine["id"])
    assert "Read the guidelines." in said["text"]


async def test_an_upheld_decision_still_says_that_a_machine_found_the_text(service: Service) -> None:
    """Whoever looks again, an automatic check had pointed it out; the author sees how the appeal stands."""
    sent = await service.submit("A rude one.")
    await service.drain()
    [item] = await service.claim()
    await service.decide(item, "reject", reasons=["toxicity"])
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    for state in (None, "open", "upheld"):
        if state == "open":
            assert (await appeal(service, sent)).status_code == 201
        if state == "upheld":
            [again] = await service.claim("moderator2")
            await service.decide(again, "reject", as_="moderator2", reasons=["toxicity"])
        said = await statement(service, sent)
        assert said["automated_detection"] is True
        assert "An automatic check pointed it out." in said["text"]
        shown = (await service.call("GET", path, as_=sent["author_token"], expect=200)).json()["comment"]
        assert shown["appeal"] == state


async def test_where_there_is_nobody_else_the_first_decider_answers(service: Service) -> None:
    """A site with one reviewer is not left with an appeal that nobody may answer; invitations are no reviewers."""
    members = (await service.call("GET", "/v1/admin/sites/test/members", as_="admin")).json()["members"]
    sent = await removed(service)
    for member in members:
        if member["name"] != "moderator":
            path = f"/v1/admin/sites/test/members/{member['id']}"
            await service.call("DELETE", path, as_="root", expect=204)
    async with service.context.database.writing() as connection:
        everywhere = t.members.update().where(t.members.c.site_id.is_(None))
        await connection.execute(everywhere.values(disabled_at=service.context.now()))
    invited = schemas.MemberInput(name="New", role="moderator", email="new@daily.example")
    await manage_people.add_member(service.context, await find_site(service.context, "test"), "test", invited)
    await appeal(service, sent)
    [item] = await service.claim()
    await service.decide(item, "approve")


async def test_what_can_be_appealed(service: Service) -> None:
    """Only the own comment, only what is refused or taken down; a held one is looked at anyway."""
    published, held = await service.published("An opinion."), await service.submit("A rude one.")
    await service.drain()
    for sent in (published, held):
        problem(await appeal(service, sent), "appeal.not_possible")
    gone = await removed(service, "Another.")
    problem(await appeal(service, gone | {"author_token": published["author_token"]}), "comment.unknown")
    problem(await appeal(service, {**gone, "comment": {"id": UNKNOWN_ID}}), "comment.unknown")
    assert fields(await appeal(service, gone, " ")) == {"text"}
    mine = (await appeal(service, gone)).json()
    path = f"/v1/sites/test/appeals/{mine['id']}"
    problem(await service.call("GET", path, as_=published["author_token"]), "appeal.unknown")


async def test_there_is_a_time_to_appeal(service: Service) -> None:
    """Half a year unless the site says otherwise, and the statement names the day."""
    sent = await removed(service)
    assert (await statement(service, sent))["appeal"]["possible"] is True
    service.clock.advance(180 * 86_400)
    problem(await appeal(service, sent), "appeal.too_late")
    said = (await statement(service, sent))["appeal"]
    assert (said["possible"], said["path"], said["text"]) == (False, None, "The time to appeal is over.")
    await service.call("PUT", "/v1/admin/sites/test/review", as_="admin", json={"appeal_days": 365}, expect=200)
    assert (await appeal(service, sent)).status_code == 201


async def test_two_appeals_at_once_are_one(service: Service) -> None:
    """There is one appeal for a decision and one item, whoever clicks twice; a new decision can be appealed anew."""
    sent = await removed(service)
    answers = await asyncio.gather(*(appeal(service, sent) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert await queue_kinds(service) == {"appealed": 1}
    [item] = await service.claim("moderator2")
    await service.decide(item, "approve", as_="moderator2")
    await act(service, sent, "remove")
    assert (await appeal(service, sent)).status_code == 201


async def test_a_refused_edit_can_be_appealed(service: Service) -> None:
    """The text before it stays meanwhile; overturned, the edit is shown; a newer edit withdraws the appeal."""
    sent = await service.published("An opinion.")
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"

    async def edit(body: str) -> None:
        await service.call("PATCH", path, as_=sent["author_token"], json={"body": body}, expect=200)
        await service.drain()

    await edit("A vile opinion.")
    assert (await statement(service, sent))["restriction"]["code"] == "edit_rejected"
    first = (await appeal(service, sent)).json()
    assert (await service.thread())["comments"][0]["body"] == "An opinion."
    await edit("Another vile opinion.")
    assert (await own(service, sent, first["id"]))["outcome"] == "withdrawn"
    assert await queue_kinds(service) == {}
    second = (await appeal(service, sent)).json()
    [item] = await service.claim()
    assert item["comment"]["body"] == "Another vile opinion."
    await service.decide(item, "approve")
    assert (await own(service, sent, second["id"]))["outcome"] == "overturned"
    assert (await service.thread())["comments"][0]["body"] == "Another vile opinion."
    await statement(service, sent, expect=404)


async def test_another_decision_only_overturns_an_appeal(service: Service) -> None:
    """Who restores the comment without the item overturned; who takes it down over an edit's appeal answers nothing."""
    sent = await removed(service)
    mine = (await appeal(service, sent)).json()
    await act(service, sent, "restore", as_="moderator2", note="A note for the others.")
    closed = await own(service, sent, mine["id"])
    assert (closed["outcome"], closed["answer"]) == ("overturned", None)
    await edit(service, sent, "A vile opinion.")
    other = (await appeal(service, sent)).json()
    await act(service, sent, "remove")
    assert (await own(service, sent, other["id"]))["state"] == "open"
    assert (await appeal(service, sent)).status_code == 201
    assert await queue_kinds(service) == {"appealed": 2}
    await service.sweep()
    items = await service.claim("moderator2")
    assert {item["revision"] for item in items} == {1, 2}
    [edited] = [item for item in items if item["revision"] == 2]
    await service.decide(edited, "reject", as_="moderator2", reasons=["insult"])
    assert (await own(service, sent, other["id"]))["outcome"] == "upheld"


async def test_a_blind_look_does_not_answer_an_appeal(service: Service) -> None:
    """Who looked without having read the appeal cannot uphold it, and what they noted for others stays inside."""
    await set_review(service, sample_share=1.0)
    sent = await service.submit("A vile opinion.")
    await service.drain()
    [blind] = await service.claim()
    mine = (await appeal(service, sent)).json()
    await service.decide(blind, "reject", reasons=["insult"], note="A known troll.")
    waiting = await own(service, sent, mine["id"])
    assert (waiting["state"], waiting["answer"]) == ("open", None)
    again = problem(await appeal(service, sent), "appeal.exists")
    assert again["extra"] == {"appeal": mine["id"]}
    [item] = await service.claim("moderator2")
    assert item["kind"] == "appealed"
    await service.decide(item, "reject", as_="moderator2", reasons=["insult"], note="Read the guidelines.")
    assert (await own(service, sent, mine["id"]))["answer"] == "Read the guidelines."


async def test_nobody_upholds_their_own_decision(service: Service) -> None:
    """Also where the item was for anybody: the appeal goes on waiting for somebody else."""
    sent = await removed(service)
    mine = (await appeal(service, sent)).json()
    async with service.context.database.writing() as connection:
        await connection.execute(t.review_items.update().values(not_for=None))
    [item] = await service.claim()
    wanted = {"lease": item["lease"]["token"], "revision": 1, "action": "reject", "reasons": ["insult"]}
    path = f"{REVIEW}/items/{item['item_id']}/decision"
    problem(await service.call("POST", path, as_="moderator", json=wanted), "review.own")
    assert (await own(service, sent, mine["id"]))["state"] == "open"
    assert await queue_kinds(service) == {"appealed": 1}


async def taken_back(service: Service, action: str) -> flow.Moved:
    """Answer what becomes of appeals where the last decision by an action is taken back."""
    site = await find_site(service.context, "test")
    async with service.context.database.writing() as connection:
        query = sa.select(t.decisions).where(t.decisions.c.action == action).order_by(t.decisions.c.id.desc())
        decision = (await connection.execute(query.limit(1))).one()
        return await flow.reopen_or_withdraw(connection, service.context, site.id, decision, now=service.context.now())


async def test_an_appeal_against_what_is_undone_is_overturned(service: Service) -> None:
    """Nothing is left to look at: it does not wait without an item, and no item without it."""
    sent = await removed(service)
    mine = (await appeal(service, sent)).json()
    moved = await taken_back(service, "remove")
    assert (len(moved.closed), moved.opened) == (1, [])
    closed = await own(service, sent, mine["id"])
    assert (closed["outcome"], closed["answer"]) == ("overturned", None)
    assert await queue_kinds(service) == {}
    [event] = await told(service, "appeal.closed")
    assert event["appeal"]["outcome"] == "overturned"
    assert await taken_back(service, "remove") == ([], [])


async def test_an_appeal_that_a_restore_answered_waits_again_without_it(service: Service) -> None:
    """It costs the author nothing that somebody restored in error: a new item, still not for the first decider."""
    sent = await removed(service)
    mine = (await appeal(service, sent)).json()
    await act(service, sent, "restore", as_="moderator2")
    moved = await taken_back(service, "restore")
    assert (moved.closed, len(moved.opened)) == ([], 1)
    waiting = await own(service, sent, mine["id"])
    assert (waiting["state"], waiting["outcome"]) == ("open", None)
    await service.sweep()
    assert await service.claim() == []
    [item] = await service.claim("moderator2")
    assert (item["kind"], item["appeal"]["id"]) == ("appealed", mine["id"])
    assert await taken_back(service, "restore") == ([], [])


async def test_who_else_can_look(service: Service) -> None:
    """Admins of the installation can; who was invited, or has only tokens that are of no use here, cannot."""
    site, now = await find_site(service.context, "test"), service.context.now()
    names = {"moderator2", "admin", "Root"}
    invited = schemas.MemberInput(name="New", role="moderator", email="new@daily.example")
    await manage_people.add_member(service.context, site, "test", invited)
    async with service.context.database.writing() as connection:
        rows = (await connection.execute(sa.select(t.members.c.id, t.members.c.name))).all()
        ids = {row.name: row.id for row in rows}
        others = await people.other_reviewers(connection, site.id, ids["moderator"], now=now)
        assert {row.name for row in rows if row.id in others} == names
        for useless in ({"scopes": ["threads"]}, {"expires_at": now}, {"revoked_at": now}):
            tokens = t.api_tokens.update().where(t.api_tokens.c.member_id == ids["moderator2"])
            await connection.execute(tokens.values({"scopes": ["review"], "expires_at": None, **useless}))
            others = await people.other_reviewers(connection, site.id, ids["moderator"], now=now)
            assert {row.name for row in rows if row.id in others} == names - {"moderator2"}


async def test_an_appeal_is_not_left_with_nobody_who_may_answer(service: Service) -> None:
    """Where everybody else left after it came, the first decider may; where somebody is there, not."""
    await removed(service)
    await appeal(service, await removed(service, "Another."))

    async def release() -> int:
        async with service.context.database.writing() as connection:
            return await store.release_stuck(connection, at=service.context.now())

    assert (await release(), await service.claim()) == (0, [])
    async with service.context.database.writing() as connection:
        others = t.members.update().where(t.members.c.name != "moderator")
        await connection.execute(others.values(disabled_at=service.context.now()))
    assert await release() == 1
    [item] = await service.claim()
    await service.decide(item, "reject", reasons=["insult"])


@pytest.mark.parametrize("how", ["delete", "erase"])
async def test_deleting_the_comment_withdraws_the_appeal(service: Service, how: str) -> None:
    """There is nothing left to ask, and nothing waits in the queue; an erasure takes the words too."""
    sent = await removed(service)
    await appeal(service, sent)
    path, token = f"/v1/sites/test/comments/{sent['comment']['id']}", sent["author_token"]
    if how == "delete":
        await service.call("DELETE", path, as_=token, expect=204)
    else:
        await service.call("DELETE", "/v1/sites/test/me", as_=token, json={"confirm": "erase"}, expect=200)
    async with service.context.database.reading() as connection:
        [row] = (await connection.execute(sa.select(t.appeals))).all()
    assert (row.outcome, row.text) == ("withdrawn", "It was a quotation." if how == "delete" else None)
    assert await queue_kinds(service) == {}
    [event] = await told(service, "appeal.closed")
    assert (event["appeal"]["outcome"], event["appeal"]["text"]) == ("withdrawn", row.text)


async def test_an_erasure_takes_the_answer_too(service: Service) -> None:
    """The answer of a moderator quotes what was written; it goes with the note that it was, also where texts stay."""
    sent = await removed(service)
    await appeal(service, sent)
    [item] = await service.claim("moderator2")
    await service.decide(item, "reject", as_="moderator2", reasons=["insult"], note="You called Bert a thief.")
    body = {"confirm": "erase", "mode": "anonymise"}
    await service.call("DELETE", "/v1/sites/test/me", as_=sent["author_token"], json=body, expect=200)
    async with service.context.database.reading() as connection:
        [row] = (await connection.execute(sa.select(t.appeals))).all()
    assert (row.text, row.answer, row.outcome) == (None, None, "upheld")


async def test_an_answer_that_is_undone_is_asked_again(service: Service) -> None:
    """The appeal waits again under the item that is back, and the reports that the act had answered are open."""
    sent = await service.published("An opinion.")
    await report(service, sent)
    [item] = await service.claim()
    act_id = (await service.decide(item, "reject", reasons=["insult"]))["decision"]["act_id"]
    await service.call("POST", f"{REVIEW}/acts/{act_id}/undo", as_="moderator", expect=200)
    assert (await status_of(service, sent), await queue_kinds(service)) == ("published", {"reported": 1})
    act_id = await removing(service, sent)
    await service.call("POST", f"{REVIEW}/acts/{act_id}/undo", as_="moderator", expect=200)
    assert (await status_of(service, sent), await queue_kinds(service)) == ("published", {"reported": 1})
    await act(service, sent, "remove")
    mine = (await appeal(service, sent)).json()
    [item] = await service.claim("moderator2")
    act_id = (await service.decide(item, "approve", as_="moderator2"))["decision"]["act_id"]
    await service.call("POST", f"{REVIEW}/acts/{act_id}/undo", as_="moderator2", expect=200)
    assert (await own(service, sent, mine["id"]))["state"] == "open"
    assert await queue_kinds(service) == {"appealed": 1}


async def removing(service: Service, sent: dict[str, Any]) -> str:
    """Take a comment down without its item, and answer the act."""
    path = f"{REVIEW}/comments/{sent['comment']['id']}/decision"
    wanted = {"revision": 1, "action": "remove", "reasons": ["insult"]}
    answer = await service.call("POST", path, as_="moderator", json=wanted, expect=200)
    return str(answer.json()["decision"]["act_id"])


async def test_moderators_list_appeals(service: Service) -> None:
    """The newest first, open or closed, with who answered."""
    for body in ("One.", "Two."):
        await appeal(service, await removed(service, body))
    items = await service.claim("moderator2", limit=1)
    await service.decide(items[0], "reject", as_="moderator2", reasons=["other"], note="No.")

    async def listed(**query: Any) -> list[dict[str, Any]]:
        answer = await service.call("GET", f"{REVIEW}/appeals", as_="moderator", params=query, expect=200)
        found: list[dict[str, Any]] = answer.json()["appeals"]
        return found

    assert len(await listed()) == 2
    [closed], [waiting] = await listed(state="closed"), await listed(state="open")
    assert (closed["outcome"], closed["answer"], waiting["outcome"]) == ("upheld", "No.", None)
    assert closed["answered_by"] is not None
