"""What ends reports, and what does not: decisions, edits, what is taken back, and deletion."""

import pytest
import sqlalchemy as sa

from service.flow import aftermath
from service.flow.identify import find_site
from service.store import reports as store
from service.store import tables as t
from tests.service.answers import problem
from tests.service.reporting import act, edit, made, queue_kinds, readers, report, status_of
from tests.service.test_reports import REVIEW, rows_of
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def test_whatever_way_a_person_decides_reports_are_closed(service: Service) -> None:
    """Taking down without the item, or with all of an author's, answers the reports and closes the item."""
    sent = await service.published("An opinion.")
    await made(await report(service, sent))
    await act(service, sent, "remove")
    assert [row.outcome for row in await rows_of(service)] == ["taken_down"]
    assert await queue_kinds(service) == {}
    assert await service.claim() == []


async def test_an_edit_is_no_way_out_of_a_report(service: Service) -> None:
    """The new text is asked about in place of the old one, and what is hidden cannot be edited back."""
    sent = await service.published("An opinion.")
    path, token = f"/v1/sites/test/comments/{sent['comment']['id']}", sent["author_token"]
    tokens = await readers(service, 4)
    await made(await report(service, sent, by=tokens[0]))
    await service.call("PATCH", path, as_=token, json={"body": "A milder opinion."}, expect=200)
    await service.drain()
    assert await queue_kinds(service) == {"reported": 1}
    for token_of_reader in tokens[:3]:
        await made(await report(service, sent, by=token_of_reader))
    assert await status_of(service, sent) == "held"
    problem(await service.call("PATCH", path, as_=token, json={"body": "Nothing to see."}), "comment.final")
    [item] = await service.claim()
    assert (item["revision"], item["comment"]["body"]) == (2, "A milder opinion.")
    await service.decide(item, "approve")
    assert [row for row in await rows_of(service) if row.closed_at is None] == []


async def test_an_edit_on_its_way_waits_too(service: Service) -> None:
    """A text that was sent before its comment was hidden does not bring it back by machine."""
    sent = await service.published("An opinion.")
    path, token = f"/v1/sites/test/comments/{sent['comment']['id']}", sent["author_token"]
    tokens = await readers(service, 3)
    await service.call("PATCH", path, as_=token, json={"body": "A milder opinion."}, expect=200)
    for by in tokens:
        await made(await report(service, sent, by=by))
    await service.drain()
    assert await status_of(service, sent) == "held"
    assert await queue_kinds(service) == {"reported": 1, "held": 1}
    items = {item["kind"]: item for item in await service.claim()}
    await service.decide(items["held"], "approve")
    assert await status_of(service, sent) == "published"
    assert (await service.thread())["comments"][0]["body"] == "A milder opinion."
    assert {row.outcome for row in await rows_of(service)} == {None}
    assert await queue_kinds(service) == {"reported": 1}
    await service.sweep()
    [asked] = await service.claim()
    assert (asked["revision"], {cause["name"]: cause["value"] for cause in asked["causes"]}) == (2, {"insult": 3.0})
    await service.decide(asked, "approve")
    assert {row.outcome for row in await rows_of(service)} == {"kept"}


async def test_a_refused_edit_says_nothing_of_what_was_reported(service: Service) -> None:
    """Readers reported another text: their reports wait for their own item, until that comes down."""
    sent = await service.published("An opinion.")
    await edit(service, sent, "A rude opinion.")
    await made(await report(service, sent))
    items = {item["kind"]: item for item in await service.claim()}
    await service.decide(items["held"], "reject", reasons=["insult"])
    assert [row.outcome for row in await rows_of(service)] == [None]
    await service.decide(items["reported"], "reject", reasons=["insult"])
    assert [row.outcome for row in await rows_of(service)] == ["taken_down"]


async def test_an_edit_starts_no_count_anew(service: Service) -> None:
    """Readers of all texts are counted together, each once, in the causes and the priority, and they hide it."""
    sent = await service.published("An opinion.")
    tokens = await readers(service, 3)
    for token in tokens[:2]:
        await made(await report(service, sent, by=token))
    await edit(service, sent, "A milder opinion.")
    await made(await report(service, sent, "hate", by=tokens[0]))
    assert await status_of(service, sent) == "published"
    await made(await report(service, sent, "hate", by=tokens[2]))
    assert await status_of(service, sent) == "held"
    [item] = await service.claim()
    assert {cause["name"]: cause["value"] for cause in item["causes"]} == {"insult": 2.0, "hate": 1.0}
    assert item["priority"]["parts"]["reports"] == pytest.approx(0.63, abs=0.01)


async def test_many_answered_reports_leave_the_next_ones_counting(service: Service) -> None:
    """However many were answered before, a new reader's report is counted and a repeat of it is known."""
    sent = await service.published("An opinion.")
    first = await made(await report(service, sent, network="10.9.1.1"))
    await act_on_item(service, "approve")
    async with service.context.database.writing() as connection:
        [row] = (await connection.execute(sa.select(t.reports))).all()
        old = {**row._mapping, "network_hash": None}
        await connection.execute(t.reports.insert(), [{**old, "id": f"{number:036d}"} for number in range(1_001)])
    later = [await made(await report(service, sent, network=f"10.{number}.1.1")) for number in range(2)]
    again = await made(await report(service, sent, network="10.1.1.1"), status=200)
    assert (again["id"], first["id"] in {one["id"] for one in later}) == (later[1]["id"], False)
    [item] = await service.claim()
    assert {cause["name"]: cause["value"] for cause in item["causes"]} == {"insult": 2.0}


async def act_on_item(service: Service, action: str) -> None:
    """Decide the one item that waits."""
    [item] = await service.claim()
    await service.decide(item, action)


async def test_what_a_sanction_took_down_and_comes_back_is_asked_about(service: Service) -> None:
    """Its reports wait again, and nobody approved it: enough readers hide it as before."""
    sent = await service.published("An opinion.")
    await made(await report(service, sent, network="10.9.1.1"))
    me = (await service.call("GET", "/v1/sites/test/me", as_=sent["author_token"], expect=200)).json()["id"]
    path, ban = f"{REVIEW}/commenters/{me}/sanctions", {"kind": "ban", "reason": "insult", "reject_hours": 1}
    imposed = (await service.call("POST", path, as_="moderator", json=ban, expect=201)).json()
    assert [row.outcome for row in await rows_of(service)] == ["taken_down"]
    await service.call("POST", f"{path}/{imposed['id']}/lift", as_="moderator", json={"restore": True}, expect=200)
    site = await find_site(service.context, "test")
    async with service.context.database.writing() as connection:
        query = sa.select(t.decisions).where(t.decisions.c.action == "remove")
        swept = (await connection.execute(query)).one()
        await aftermath.of_undoing(connection, service.context, site.id, swept, now=service.context.now())
        comment_id = sent["comment"]["id"]
        assert not await store.is_approved(connection, site.id, comment_id, swept.revision_id)
    assert [row.outcome for row in await rows_of(service)] == [None]
    assert await queue_kinds(service) == {"reported": 1}
    for number in range(2):
        await made(await report(service, sent, network=f"10.{number}.1.1"))
    assert await status_of(service, sent) == "held"


async def test_deleting_a_comment_answers_its_reports(service: Service) -> None:
    """Who reported learns that the author deleted it; an erasure of the author tells the same."""
    for erase in (False, True):
        sent = await service.published(f"An opinion, {erase}.")
        first = await made(await report(service, sent))
        if erase:
            body = {"confirm": "erase", "mode": "remove"}
            await service.call("DELETE", "/v1/sites/test/me", as_=sent["author_token"], json=body, expect=200)
        else:
            path = f"/v1/sites/test/comments/{sent['comment']['id']}"
            await service.call("DELETE", path, as_=sent["author_token"], expect=204)
        path = f"/v1/sites/test/reports/{first['id']}"
        seen = (await service.call("GET", path, headers={"x-report-token": first["token"]}, expect=200)).json()
        assert seen["outcome"] == "deleted"
    assert await queue_kinds(service) == {}


async def test_no_machine_publishes_an_edit_that_enough_readers_would_hide(service: Service) -> None:
    """After a person's approval reports hide nothing; an edit of that text waits for a person, whatever it says."""
    sent = await service.published()
    await made(await report(service, sent, network="10.9.1.1"))
    [item] = await service.claim()
    await service.decide(item)
    for number in range(3):
        await made(await report(service, sent, network=f"10.{number}.1.1"))
    assert await status_of(service, sent) == "published"
    await edit(service, sent, "A civil text, edited.")
    assert [one["body"] for one in (await service.thread())["comments"]] == ["A civil opinion."]
    assert await queue_kinds(service) == {"held": 1, "reported": 1}
