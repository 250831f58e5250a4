"""What goes wrong with one event, one endpoint or one transaction stays there."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.egress import Egress
from service.flow import event_payloads
from service.flow.deliver import Done, turn
from service.flow.identify import find_site
from service.flow.relay import relay, relay_all
from service.flow.transition import event_row
from service.store import endpoints, outbox
from service.store import tables as t
from service.store.types import Row
from service.webhooks.retries import CLOSES_AFTER, Result, error_of
from service.workers.delivering import Deliverer
from tests.eventually import eventually, turns
from tests.receiver import Answer, Receiver
from tests.service.test_webhooks import WEBHOOKS, deliverer, log, named, of, one
from tests.service_fixture import Service

__all__ = ["deliverer", "one"]
pytestmark = pytest.mark.anyio
EVENTS = "/v1/admin/sites/test/events"


async def test_an_event_that_cannot_be_written_keeps_no_other_back(
    service: Service, deliverer: Deliverer, one: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails by its own plan and is no fault of the receiver's; the stream says that there is one."""
    made = await named(service, one, "comment.submitted")
    first, _ = [await service.submit(f"Number {number}.", page=f"page-{number}") for number in range(2)]
    real = event_payloads._comment

    def broken(event: Any, *more: Any) -> Any:
        if event.comment_id == first["comment"]["id"]:
            raise ValueError("text of a reader")
        return real(event, *more)

    monkeypatch.setitem(event_payloads._PARTS, "comment", broken)
    await deliverer.settle_all()
    states = {row["comment_id"] == first["comment"]["id"]: row for row in await log(service, made)}
    assert (states[False]["state"], states[True]["state"], states[True]["last_error"]) == (
        "delivered", "pending", "unwritable",
    )  # fmt: skip
    assert (await of(service, made))["failures"] == 0
    submitted = {"type": "comment.submitted"}
    told = (await service.call("GET", EVENTS, as_="admin", params=submitted, expect=200)).json()["events"]
    assert ["comment" in event["data"] for event in told] == [False, True]
    monkeypatch.setitem(event_payloads._PARTS, "comment", real)
    service.clock.advance(10)
    await deliverer.settle_all()
    assert {row["state"] for row in await log(service, made)} == {"delivered"}


async def test_secrets_that_cannot_be_opened_are_a_failure_that_is_seen(
    service: Service, deliverer: Deliverer, one: Receiver
) -> None:
    """Nothing is sent unsigned; the log says why, and the receiver is not blamed for it."""
    made = await named(service, one, "comment.submitted")
    async with service.context.database.writing() as connection:
        await connection.execute(t.webhook_secrets.update().values(sealed="of another key"))
    for number in range(5):
        await service.submit(f"Number {number}.", page=f"page-{number}")
    await deliverer.settle_all()
    assert one.requests == []
    assert {row["last_error"] for row in await log(service, made)} == {"sealed"}
    assert (await of(service, made))["failures"] == 0


# SQLite has one writer at a time, whatever that holds.
@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_a_held_endpoint_does_not_stop_the_relay(service: Service, one: Receiver) -> None:
    """While a worker settles much for one, events of all sites go on getting their place."""
    made = await named(service, one, "comment.submitted")
    await service.submit("One.")
    async with service.context.database.writing() as connection:
        assert await endpoints.hold(connection, made["id"], wait=True) is not None
        assert await asyncio.wait_for(relay(service.context), 10) > 0
    [row] = await log(service, made)
    assert row["state"] == "pending"


async def test_words_of_a_text_that_is_not_told_are_not_told_in_causes(
    service: Service, deliverer: Deliverer, one: Receiver
) -> None:
    """A deleted comment's matched words stay here, in a delivery that goes out late and in the stream."""
    await named(service, one, "comment.held")
    sent = await service.submit("A rude one.")
    await service.drain()
    async with service.context.database.writing() as connection:
        for table in (t.decisions, t.review_items):
            for row in (await connection.execute(sa.select(table.c.id, table.c.causes))).all():
                quoting = [{**cause, "detail": "slurword"} for cause in row.causes]
                await connection.execute(table.update().where(table.c.id == row.id).values(causes=quoting))
    await relay_all(service.context)
    held = (await service.call("GET", EVENTS, as_="admin", params={"type": "comment.held"}, expect=200)).text
    assert "slurword" in held
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    await service.call("DELETE", path, as_=sent["author_token"], expect=204)
    await deliverer.settle_all()
    assert len(one.took) == 1
    assert "slurword" not in one.took[0].body.decode()
    assert "slurword" not in (await service.call("GET", EVENTS, as_="admin", expect=200)).text


async def _under_way(service: Service, one: Receiver) -> tuple[dict[str, Any], Row]:
    """Answer an endpoint and a delivery to it that some worker has under way."""
    made = await named(service, one, "comment.submitted")
    await service.submit("One.")
    await relay_all(service.context)
    taken = await turn(service.context, made["id"], [], may_claim=True)
    assert taken is not None
    return made, taken.rows[0]


async def test_an_answer_of_the_old_url_says_nothing_of_the_new_one(service: Service, one: Receiver) -> None:
    """A 410 that was under way while the URL changed does not disable the endpoint."""
    made, row = await _under_way(service, one)
    moved = {"url": one.url.replace("/hook", "/other")}
    await service.call("PATCH", f"{WEBHOOKS}/{made['id']}", as_="admin", json=moved, expect=200)
    gone = Result(410, error_of(410), None, service.clock(), 0.1)
    await turn(service.context, made["id"], [Done(row, gone, one.url)], may_claim=False)
    assert (await of(service, made))["status"] == "active"


async def test_what_is_under_way_is_not_replayed_beside_itself(service: Service, one: Receiver) -> None:
    """A replay since a time leaves a leased delivery to its worker."""
    made, row = await _under_way(service, one)
    since = {"since": (service.clock() - timedelta(hours=1)).isoformat()}
    await service.call("POST", f"{WEBHOOKS}/{made['id']}/replay", as_="admin", json=since, expect=202)
    assert await turn(service.context, made["id"], [], may_claim=True) is None
    fine = Result(204, None, None, service.clock(), 0.1)
    await turn(service.context, made["id"], [Done(row, fine, one.url)], may_claim=False)
    [logged] = await log(service, made)
    assert (logged["state"], logged["attempts"]) == ("delivered", 1)


async def test_an_event_that_fails_alone_keeps_its_plan_while_the_receiver_comes_and_goes(
    service: Service, deliverer: Deliverer, one: Receiver
) -> None:
    """An outage's end sends what it kept back, and not what had failed before it for its own sake."""
    made = await named(service, one, "comment.submitted")
    bad = (await service.submit("The bad one.", page="bad"))["comment"]["id"]
    down = [False]

    def rule(_number: int, request: Any) -> Answer:
        return Answer(503) if down[0] or bad in request.body.decode() else Answer(204)

    one.rule = rule
    for _ in range(4):
        await deliverer.settle_all()
        service.clock.advance(1200)
    await service.submit("Fine.", page="fine")
    await deliverer.settle_all()
    [before] = [row["attempts"] for row in await log(service, made) if row["comment_id"] == bad]
    down[0] = True
    for number in range(6):
        await service.submit(f"Number {number}.", page=f"page-{number}")
    await deliverer.settle_all()
    down[0] = False
    service.clock.advance(6)
    await deliverer.settle_all()
    rows = await log(service, made)
    assert {row["state"] for row in rows if row["comment_id"] != bad} == {"delivered"}
    [after] = [row["attempts"] for row in rows if row["comment_id"] == bad]
    assert after == before


async def test_what_was_replayed_is_not_forgotten_as_old(service: Service, deliverer: Deliverer, one: Receiver) -> None:
    """A dead letter near its end is owed anew by a replay; and who begins to read gets no gap after the first page."""
    made = await named(service, one, "comment.submitted")
    one.rule = lambda _number, _request: Answer(500)
    await service.submit("One.")
    await deliverer.settle_all()
    service.clock.advance(90 * 86_400 - 60)
    since = {"since": (service.clock() - timedelta(days=91)).isoformat()}
    await service.call("POST", f"{WEBHOOKS}/{made['id']}/replay", as_="admin", json=since, expect=202)
    service.clock.advance(120)
    await service.submit("Two.")
    await service.sweep()
    assert "pending" in {row["state"] for row in await log(service, made)}
    page = (await service.call("GET", EVENTS, as_="admin", params={"limit": 1}, expect=200)).json()
    await service.call("GET", EVENTS, as_="admin", params={"limit": 1, "after": page["next"]}, expect=200)


async def test_an_event_that_breaks_the_reading_of_a_batch_keeps_no_other_back(
    service: Service, deliverer: Deliverer, one: Receiver
) -> None:
    """Ids of a kind that the database does not take fail for that event alone, in webhooks and in the stream."""
    made = await named(service, one, "comment.submitted")
    sent = await service.submit("One.")
    site = await find_site(service.context, "test")
    broken = [
        event_row(service.context, "comment.submitted", site_id=site.id, at=service.clock()) | {"data": data}
        for data in ({"commenter_id": {"no": "id"}}, ["no object"])
    ]
    async with service.context.database.writing() as connection:
        await outbox.append(connection, broken)
    await deliverer.settle_all()
    rows = {row["event_id"]: (row["state"], row["last_error"]) for row in await log(service, made)}
    assert [rows.pop(event["id"]) for event in broken] == [("pending", "unwritable")] * 2
    assert list(rows.values()) == [("delivered", None)]
    found = (await service.call("GET", EVENTS, as_="admin", params={"type": "comment.submitted"}, expect=200)).json()
    told = [event["data"].get("comment", {}).get("id") for event in found["events"]]
    assert told == [sent["comment"]["id"], None, None]
    assert (await of(service, made))["failures"] == 0


async def test_a_permission_that_was_taken_away_is_no_fault_of_the_receiver(service: Service, one: Receiver) -> None:
    """A worker that may not ask this machine says so in the log, and the endpoint neither fails nor is closed."""
    made = await named(service, one, "comment.submitted")
    for number in range(CLOSES_AFTER + 1):
        await service.submit(f"Number {number}.", page=f"page-{number}")
    egress = Egress(allow_loopback=False)
    worker = Deliverer(service.context, egress)
    await worker.settle_all()
    await worker.stop()
    await egress.close()
    assert {(row["state"], row["last_error"]) for row in await log(service, made)} == {("pending", "loopback")}
    found = await of(service, made)
    assert (found["failures"], found["failing_since"], found["closed_until"]) == (0, None, None)
    assert one.requests == []


async def test_an_outage_is_one_line_and_an_end_names_who_ended(
    service: Service, deliverer: Deliverer, one: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """The log and the event have site, host and description; the rest of a URL may hold the receiver's secret."""
    made = await named(service, one, "comment.submitted", description="search index")
    one.rule = lambda _number, _request: Answer(503)
    with caplog.at_level(logging.WARNING):
        for number in range(CLOSES_AFTER + 2):
            await service.submit(f"Number {number}.", page=f"page-{number}")
        await deliverer.settle_all()
        service.clock.advance(60)
        await deliverer.settle_all()
        one.rule = lambda _number, _request: Answer(410)
        service.clock.advance(600)
        await deliverer.settle_all()
    begun, ended = [record for record in caplog.records if "endpoint" in record.message]
    assert (begun.levelname, begun.message) == ("WARNING", "a webhook endpoint fails")
    assert (ended.levelname, ended.message) == ("ERROR", "a webhook endpoint is disabled")
    for record in (begun, ended):
        said = vars(record)
        names = ("site", "endpoint_id", "host", "description")
        assert [said[name] for name in names] == ["test", made["id"], "127.0.0.1", "search index"]
        assert "key=inner" not in str(said)
    await relay_all(service.context)
    told = (await service.call("GET", EVENTS, as_="admin", params={"type": "webhook.disabled"}, expect=200)).json()
    assert told["events"][0]["data"]["endpoint"] == {
        "endpoint_id": made["id"], "reason": "gone", "dead": CLOSES_AFTER + 2, "host": "127.0.0.1",
        "description": "search index",
    }  # fmt: skip


class Gate(Egress):
    """A worker's way out that lets nothing through before it is opened, and counts what waits."""

    def __init__(self, opened: asyncio.Event) -> None:
        super().__init__(allow_loopback=True)
        self.opened = opened
        self.held = 0

    async def request(self, *arguments: Any, **options: Any) -> Any:
        self.held += 1
        await self.opened.wait()
        return await super().request(*arguments, **options)


async def test_two_workers_share_one_endpoint(service: Service, one: Receiver) -> None:
    """The second takes what the first leaves free, both together no more than the setting says, and each event once."""
    await named(service, one, "comment.*")
    opened, most = asyncio.Event(), service.context.settings.webhook_concurrency
    gates = [Gate(opened), Gate(opened)]
    first, second = workers = [Deliverer(service.context, gate) for gate in gates]
    for number in range(3):
        await service.published(f"Number {number}.", page=f"page-{number}")
    await first.drain_once()
    await eventually(lambda: gates[0].held == 3)
    for number in range(3, 15):
        await service.published(f"Number {number}.", page=f"page-{number}")
    await second.drain_once()
    await eventually(lambda: gates[1].held == most - 3)
    for worker in workers:
        await worker.drain_once()
    await turns(100)
    assert [gate.held for gate in gates] == [3, most - 3]
    opened.set()
    while len(one.took) < 30:
        for worker in workers:
            await worker.settle_all()
    assert len(one.took) == len(one.ids) == 30
    for worker in workers:
        await worker.stop()
    for gate in gates:
        await gate.close()
