"""Reports by readers: each counts once, enough of them hide a comment, a person answers all of them."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.flow.reporters import NOTICES_PER_NETWORK
from service.store import tables as t
from tests.leaks import plant
from tests.service.answers import UNKNOWN_ID, fields, problem
from tests.service.reporting import NOTICE, act, made, queue_kinds, readers, report, status_of
from tests.service.test_event_stream import read
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
REVIEW = "/v1/review/test"


async def rows_of(service: Service) -> list[Any]:
    """Answer the reports as they are kept."""
    async with service.context.database.reading() as connection:
        return list((await connection.execute(sa.select(t.reports).order_by(t.reports.c.id))).all())


async def told(service: Service, type_: str) -> list[dict[str, Any]]:
    """Answer the data of the events of a type."""
    events = (await read(service, limit=100, type=type_))["events"]
    return [event["data"] for event in events]


async def set_review(service: Service, **changed: Any) -> None:
    """Change how the site reviews."""
    await service.call("PUT", "/v1/admin/sites/test/review", as_="admin", json=changed, expect=200)


async def test_a_report_is_taken_and_answered(service: Service) -> None:
    """Who is not signed in asks with the token what came of it; a person's decision answers it."""
    sent = await service.published("An opinion.")
    first = await made(await report(service, sent, detail="It names my street."))
    plant(first["token"])
    path = f"/v1/sites/test/reports/{first['id']}"
    held = {"x-report-token": first["token"]}
    seen = (await service.call("GET", path, headers=held, expect=200)).json()
    assert (seen["state"], seen["outcome"], seen["reason"]) == ("open", None, "insult")
    [item] = await service.claim()
    assert (item["kind"], item["comment"]["id"]) == ("reported", sent["comment"]["id"])
    assert await status_of(service, sent) == "published"
    await service.decide(item, "reject", reasons=["insult"])
    seen = (await service.call("GET", path, headers=held, expect=200)).json()
    assert (seen["state"], seen["outcome"], seen["redress"]) == ("closed", "taken_down", None)
    assert "took it down" in seen["text"]
    [event] = await told(service, "report.closed")
    assert (event["report"]["report_id"], event["report"]["outcome"]) == (first["id"], "taken_down")
    assert event["decision"]["to_status"] == "removed"


async def test_only_its_reporter_reads_a_report(service: Service) -> None:
    """Neither the id alone, nor another token, nor another author leads to it."""
    sent = await service.published("An opinion.")
    [ada] = await readers(service, 1)
    mine = await made(await report(service, sent, by=ada))
    assert "token" not in mine
    other = await made(await report(service, sent))
    path = f"/v1/sites/test/reports/{mine['id']}"
    assert (await service.call("GET", path, as_=ada, expect=200)).json()["id"] == mine["id"]
    for token in (None, other["token"].encode(), b"\xe9", b""):
        headers = {b"x-report-token": token} if token is not None else {}
        problem(await service.client.get(path, headers=headers), "report.unknown")
    problem(await service.call("GET", path, as_=sent["author_token"]), "report.unknown")
    problem(await service.call("GET", f"/v1/sites/test/reports/{UNKNOWN_ID}"), "report.unknown")


async def test_a_reader_reports_a_text_once(service: Service) -> None:
    """A repeat is answered the first report, without its token; a new text is another matter, and so is a day later."""
    sent = await service.published("An opinion.")
    [ada] = await readers(service, 1)
    for by in (ada, None):
        first = await made(await report(service, sent, by=by))
        again = await made(await report(service, sent, "spam", by=by), status=200)
        assert again == {"id": first["id"]}
    assert len(await told(service, "comment.reported")) == 2
    [item] = await service.claim()
    assert item["priority"]["parts"]["reports"] == pytest.approx(0.4866, abs=0.001)
    service.clock.advance(86_401)
    await made(await report(service, sent))
    _, first, later = await rows_of(service)
    assert later.network_hash == first.network_hash
    assert len(await told(service, "comment.reported")) == 2


async def test_what_readers_do_not_see_cannot_be_reported(service: Service) -> None:
    """Held, rejected, taken down, deleted and unknown comments are unknown; one's own is no report."""
    for body in ("A rude one.", "A vile one."):
        sent = await service.submit(body)
        await service.drain()
        problem(await report(service, sent), "comment.unknown")
    sent = await service.published("An opinion.")
    problem(await report(service, sent, by=sent["author_token"]), "report.own")
    await act(service, sent, "remove")
    problem(await report(service, sent), "comment.unknown")
    problem(await report(service, {"comment": {"id": UNKNOWN_ID}}), "comment.unknown")
    assert await rows_of(service) == []


async def test_enough_different_readers_hide_a_comment_until_a_person_looks(service: Service) -> None:
    """The third reader takes it out of sight, by the service itself and for the reason that a person reads it."""
    sent = await service.published("An opinion.")
    tokens = await readers(service, 3)
    for token in tokens[:2]:
        await made(await report(service, sent, by=token))
    assert (await service.thread())["thread"]["count"] == 1
    await made(await report(service, sent, "hate", by=tokens[2]))
    assert await status_of(service, sent) == "held"
    assert (await service.thread())["comments"] == []
    problem(await report(service, sent), "comment.unknown")
    assert (await made(await report(service, sent, by=tokens[0]), status=200))["id"]
    [event] = [one for one in await told(service, "comment.held") if one["decision"]["actor_kind"] == "system"]
    assert [cause["kind"] for cause in event["decision"]["causes"]] == ["reports"]
    assert [reason["code"] for reason in event["decision"]["reasons"]] == ["needs_review"]
    assert await queue_kinds(service) == {"reported": 1}
    [item] = await service.claim()
    assert {cause["name"]: cause["value"] for cause in item["causes"]} == {"insult": 2.0, "hate": 1.0}
    await service.decide(item, "approve")
    assert await status_of(service, sent) == "published"
    assert {row.outcome for row in await rows_of(service)} == {"kept"}
    assert (await service.thread())["thread"]["count"] == 1


async def test_a_persons_approval_stands(service: Service) -> None:
    """What a person approved is asked about again by new reports, and hidden by none of them."""
    sent = await service.published("An opinion.")
    tokens = await readers(service, 8)
    for token in tokens[:3]:
        await made(await report(service, sent, by=token))
    [item] = await service.claim()
    await service.decide(item, "approve")
    for token in tokens[3:]:
        await made(await report(service, sent, by=token))
    assert await status_of(service, sent) == "published"
    [again] = await service.claim()
    assert again["item_id"] != item["item_id"]
    assert len(await told(service, "report.closed")) == 3


async def test_a_site_chooses_from_when_on_reports_hide(service: Service) -> None:
    """One is enough where a site says so, and none where it says 0."""
    tokens = await readers(service, 4)
    await set_review(service, reports_hold_from=0)
    first = await service.published("One.")
    for token in tokens:
        await made(await report(service, first, by=token))
    assert await status_of(service, first) == "published"
    await set_review(service, reports_hold_from=1)
    second = await service.published("Two.")
    await made(await report(service, second, by=tokens[0]))
    assert await status_of(service, second) == "held"


async def test_one_network_of_guests_is_one_reader(service: Service) -> None:
    """Guests with ever new tokens, with and without, are one from one network, and still one after an answer."""
    sent, other = await service.published("An opinion."), await service.published("Another.")
    guests = [(await service.published(f"Guest {number}."))["author_token"] for number in range(4)]
    for guest in (*guests[:3], None):
        await made(await report(service, sent, by=guest, network="198.51.100.7"))
    assert await status_of(service, sent) == "published"
    assert len(await told(service, "comment.reported")) == 1
    [item] = await service.claim()
    await service.decide(item, "approve")
    await made(await report(service, sent, by=guests[3], network="198.51.100.7"))
    assert await queue_kinds(service) == {}
    for number in range(3):
        await made(await report(service, other, network=f"198.51.100.{number}"))
    assert await status_of(service, other) == "held"


async def test_who_is_shut_out_does_not_count(service: Service) -> None:
    """Reports of the banned, and of guests on the network of a banned guest, open nothing; a notice of theirs does."""
    await set_review(service, reports_hold_from=1)
    sent = await service.published("An opinion.")
    troll = (await service.published("Another."))["author_token"]
    me = (await service.call("GET", "/v1/sites/test/me", as_=troll, expect=200)).json()["id"]
    sanction = {"kind": "ban", "reason": "other"}
    await service.call("POST", f"{REVIEW}/commenters/{me}/sanctions", as_="moderator", json=sanction, expect=201)
    for by in (troll, None):
        await made(await report(service, sent, by=by))
    assert (await queue_kinds(service), await status_of(service, sent)) == ({}, "published")
    assert await told(service, "comment.reported") == []
    await made(await report(service, sent, "illegal_content", by=troll, illegal=NOTICE))
    assert (await queue_kinds(service), await status_of(service, sent)) == ({"reported": 1}, "published")


async def test_a_notice_asks_for_what_the_law_asks_for(service: Service) -> None:
    """Law, explanation, good faith, name and address; the last two not where a child is abused; nothing else beside."""
    sent = await service.published("An opinion.")
    for illegal, wrong in (
        (None, {"illegal"}),
        (NOTICE | {"good_faith": False}, {"illegal.good_faith"}),
        ({**NOTICE, "name": None, "email": None}, {"illegal.name", "illegal.email"}),
        (NOTICE | {"law": "  "}, {"illegal.law"}),
        (NOTICE | {"email": "nobody"}, {"illegal.email"}),
        ({name: value for name, value in NOTICE.items() if name != "explanation"}, {"illegal.explanation"}),
    ):
        assert fields(await report(service, sent, "illegal_content", illegal=illegal)) == wrong
    assert fields(await report(service, sent, "spam", illegal=NOTICE)) == {"illegal"}
    assert fields(await report(service, sent, "illegal_content", illegal=NOTICE, detail="x")) == {"detail"}
    assert fields(await report(service, sent, "toxic")) == {"reason"}
    bare = {"law": "Abuse", "explanation": "A picture.", "good_faith": True, "child_abuse": True}
    await made(await report(service, sent, "illegal_content", illegal=bare))
    [row] = await rows_of(service)
    assert (row.contact_sealed, row.good_faith, row.law) == (None, True, "Abuse")


async def test_a_notice_is_looked_at_first(service: Service) -> None:
    """One is enough to be first in the queue; it hides nothing, and the decision says that it came on notice."""
    waiting = await service.submit("A rude one.")
    await service.drain()
    service.clock.advance(60)
    sent = await service.published("An opinion.")
    await made(await report(service, sent, "illegal_content", illegal=NOTICE))
    [item] = await service.claim(limit=1)
    assert (item["comment"]["id"], item["priority"]["value"]) == (sent["comment"]["id"], 1.0)
    [shown] = item["reports"]
    assert (shown["law"], shown["detail"]) == (NOTICE["law"], NOTICE["explanation"])
    assert await status_of(service, sent) == "published"
    await service.decide(item, "reject", reasons=["insult"], ground={"kind": "law", "clause": "Section 185"})
    async with service.context.database.reading() as connection:
        notices = (await connection.execute(sa.select(t.decisions.c.comment_id).where(t.decisions.c.on_notice))).all()
    assert [row.comment_id for row in notices] == [sent["comment"]["id"]]
    [item] = await service.claim()
    assert item["comment"]["id"] == waiting["comment"]["id"]


async def test_each_notice_is_answered(service: Service) -> None:
    """Behind one network are many people: only the very same notice repeats, and a report beside it is its own."""
    sent = await service.published("An opinion.")
    first = await made(await report(service, sent))
    second = await made(await report(service, sent, "illegal_content", illegal=NOTICE))
    other = NOTICE | {"name": "Carl Clarke", "email": "carl@reader.example"}
    third = await made(await report(service, sent, "illegal_content", illegal=other))
    again = await made(await report(service, sent, "illegal_content", illegal=NOTICE), status=200)
    assert again["id"] == second["id"]
    assert len({first["id"], second["id"], third["id"]}) == 3
    assert await queue_kinds(service) == {"reported": 1}
    assert await status_of(service, sent) == "published"


async def test_two_reports_at_once_make_one_item(service: Service) -> None:
    """However many come in the same moment, there is one item and each reader counts once."""
    sent = await service.published("An opinion.")
    tokens = await readers(service, 4)
    answers = await asyncio.gather(*(report(service, sent, by=token) for token in [*tokens, *tokens]))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), set(statuses)) == (3, {200, 201, 404})
    assert await queue_kinds(service) == {"reported": 1}
    assert await status_of(service, sent) == "held"
    assert len(await rows_of(service)) == 3


async def test_a_report_during_a_decision_is_before_or_after_it(service: Service) -> None:
    """It is answered by that decision, or asks again; it never stays open without an item."""
    tokens = await readers(service, 6)
    for number in range(3):
        sent = await service.published(f"Opinion {number}.")
        await made(await report(service, sent, by=tokens[2 * number]))
        [item] = await service.claim()
        await asyncio.gather(service.decide(item, "approve"), report(service, sent, by=tokens[2 * number + 1]))
        is_open = [row for row in await rows_of(service) if row.closed_at is None]
        kinds = await queue_kinds(service)
        assert len(is_open) == kinds.get("reported", 0)
        for left in await service.claim():
            await service.decide(left, "approve")
    assert [row for row in await rows_of(service) if row.closed_at is None] == []


async def test_one_network_sends_so_many_notices_about_a_text(service: Service) -> None:
    """Many people are behind it, and still not thousands; another network is still heard."""
    sent = await service.published("An opinion.")
    for number in range(NOTICES_PER_NETWORK):
        notice = {**NOTICE, "explanation": f"Reason {number}."}
        await made(await report(service, sent, "illegal_content", illegal=notice))
    refused = problem(await report(service, sent, "illegal_content", illegal=NOTICE), "limits.exceeded")
    assert refused["extra"]["limit"] == "notices_per_network_and_text"
    await made(await report(service, sent, "illegal_content", illegal=NOTICE, network="10.9.1.1"))


async def test_moderators_list_reports(service: Service) -> None:
    """The newest first, open or closed, page by page; the address that was left is not shown."""
    sent, other = await service.published("An opinion."), await service.published("Another.")
    await made(await report(service, sent))
    await act(service, sent, "remove")
    await made(await report(service, other, "illegal_content", illegal=NOTICE))
    await made(await report(service, other, "spam", detail="Buy!"))

    async def listed(**query: Any) -> dict[str, Any]:
        answer = await service.call("GET", f"{REVIEW}/reports", as_="moderator", params=query, expect=200)
        found: dict[str, Any] = answer.json()
        return found

    found = await listed()
    assert [one["reason"] for one in found["reports"]] == ["spam", "illegal_content", "insult"]
    assert NOTICE["email"] not in str(found)
    assert found["reports"][1]["contact"] is True
    assert [one["reason"] for one in (await listed(state="closed"))["reports"]] == ["insult"]
    first = await listed(state="open", limit=1)
    rest = await listed(state="open", limit=1, after=first["next"])
    assert [one["reason"] for one in rest["reports"]] == ["illegal_content"]
    assert rest["next"] is None
    assert fields(await service.call("GET", f"{REVIEW}/reports?after=x", as_="moderator")) == {"after"}


async def test_reports_have_limits_of_their_own(service: Service) -> None:
    """A network and a commenter report only so often; reading is not limited by that."""
    path = "/v1/admin/sites/test/limits"
    wanted = {"report_per_network": {"limit": 1, "per_seconds": 600}}
    await service.call("PUT", path, as_="admin", json=wanted, expect=200)
    sent, other = await service.published("An opinion."), await service.published("Another.")
    await made(await report(service, sent))
    refused = problem(await report(service, other), "limits.exceeded")
    assert refused["extra"]["limit"] == "report_per_network"


async def test_what_is_kept_of_reporters_goes_in_time(service: Service) -> None:
    """The network after its days, name and address half a year after the answer, both with the reporter."""
    sent = await service.published("An opinion.")
    await made(await report(service, sent, "illegal_content", illegal=NOTICE))
    await act(service, sent, "remove")
    [row] = await rows_of(service)
    assert NOTICE["email"] not in str(row)
    service.clock.advance(timedelta(days=31).total_seconds())
    await service.sweep()
    [row] = await rows_of(service)
    assert row.network_hash is None
    assert row.contact_sealed is not None
    service.clock.advance(timedelta(days=160).total_seconds())
    await service.sweep()
    [row] = await rows_of(service)
    assert (row.contact_sealed, row.detail, row.outcome) == (None, NOTICE["explanation"], "taken_down")
