"""The log of what was sent and is owed: read page by page and by filters, honest about waiting, sent once more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.flow import webhook_log
from service.flow.deliver import Done, turn
from service.flow.relay import relay_all
from service.store import tables as t
from service.webhooks.retries import CLOSED_SECONDS, CLOSES_AFTER, Result
from service.workers.delivering import Deliverer
from tests.receiver import OK, Answer, Receiver
from tests.service.answers import UNKNOWN_ID, fields, problem
from tests.service.test_webhooks import WEBHOOKS, deliverer, log, named, of, one
from tests.service_fixture import Service

__all__ = ["deliverer", "one"]
pytestmark = pytest.mark.anyio


async def test_replays_are_filtered(
    service: Service, deliverer: Deliverer, one: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By event, by comment and by time; one without any bound is refused, a long one is done in parts."""
    made = await named(service, one, "comment.*")
    first = await service.published("One.")
    service.clock.advance(100)
    moment = service.clock()
    await service.published("Two.", page="two")
    await deliverer.settle_all()
    path = f"{WEBHOOKS}/{made['id']}/replay"

    async def replayed(**wanted: Any) -> int:
        answer = await service.call("POST", path, as_="admin", json=wanted, expect=202)
        await deliverer.settle_all()
        return int(answer.json()["deliveries"])

    assert await replayed(since=moment.isoformat()) == 2
    assert await replayed(since=moment.isoformat(), types=["comment.published"]) == 1
    assert await replayed(since="2026-01-01T00:00:00Z", comment_id=first["comment"]["id"]) == 2
    assert await replayed(states=["delivered"], types=["comment.submitted"]) == 2
    assert await replayed(states=["dead"]) == 0
    assert await replayed(since="2026-01-01T00:00:00Z", until=moment.isoformat()) == 2
    assert len(one.ids) == 4
    assert len(one.took) == 4 + 9
    monkeypatch.setattr(webhook_log, "_REPLAYED_AT_ONCE", 2)
    monkeypatch.setattr(webhook_log, "MOST_REPLAYED", 2)
    for bound in ({"since": "2026-01-01T00:00:00Z"}, {"states": ["delivered"]}):
        numbers: list[int] = []
        after = None
        while after or not numbers:
            wanted = bound | ({"after": after} if after else {})
            found = (await service.call("POST", path, as_="admin", json=wanted, expect=202)).json()
            numbers, after = [*numbers, found["deliveries"]], found["next"]
        assert sum(numbers) == 4
        await deliverer.settle_all()
    assert len(one.took) == 4 + 9 + 8


async def test_the_log_is_paged(service: Service, deliverer: Deliverer, one: Receiver) -> None:
    """The newest events first, without a gap; a cursor that is none is refused."""
    made = await named(service, one, "comment.*")
    for number in range(4):
        await service.published(f"Number {number}.", page=f"page-{number}")
    await deliverer.settle_all()
    path, seen, after = f"{WEBHOOKS}/{made['id']}/deliveries", [], None
    while True:
        params = {"limit": 3} | ({"after": after} if after else {})
        page = (await service.call("GET", path, as_="admin", params=params, expect=200)).json()
        seen += [one_["event_id"] for one_ in page["deliveries"]]
        after = page["next"]
        if after is None:
            break
    async with service.context.database.reading() as connection:
        query = sa.select(t.outbox.c.id).where(t.outbox.c.comment_id.is_not(None)).order_by(t.outbox.c.seq.desc())
        assert seen == list((await connection.execute(query)).scalars())
    assert len(seen) == 8
    problem(await service.call("GET", path, as_="admin", params={"after": "x"}), "request.invalid")
    comment = one.events[0]["data"]["comment"]["id"]
    assert len(await log(service, made, comment_id=comment)) == 2


async def test_the_log_names_receiver_and_comment(service: Service, deliverer: Deliverer, one: Receiver) -> None:
    """Who was told, and of which comment: its author, its page and how it begins, until its author deletes it."""
    made = await named(service, one, "comment.published")
    sent = await service.published("An opinion. " * 20, author={"name": "Ada"})
    await deliverer.settle_all()
    path = f"{WEBHOOKS}/{made['id']}/deliveries"
    [delivery] = (await service.call("GET", path, as_="admin", expect=200)).json()["deliveries"]
    assert (delivery["endpoint_id"], delivery["endpoint_url"]) == (made["id"], made["url"])
    comment = {"id": sent["comment"]["id"], "author_name": "Ada", "page": "page", "text": ("An opinion. " * 20)[:80]}
    assert delivery["comment"] == comment
    own = f"/v1/sites/test/comments/{sent['comment']['id']}"
    await service.call("DELETE", own, as_=sent["author_token"], expect=204)
    found = (await service.call("GET", f"{path}/{delivery['id']}", as_="admin", expect=200)).json()
    assert found["comment"] == comment | {"author_name": None, "text": None}


async def test_a_replay_that_cannot_be_meant_is_refused(service: Service, one: Receiver) -> None:
    """No bound, no such event, no cursor, no time, a time to come, deliveries that are not there: each is named."""
    made = await named(service, one)
    path, past = f"{WEBHOOKS}/{made['id']}/replay", "2026-01-01T00:00:00Z"
    later = (service.clock() + timedelta(hours=1)).isoformat()
    for wanted, field in (
        ({"types": ["*"]}, "since"),
        ({"states": ["dead"], "types": ["comment.publishd"]}, "types"),
        ({"states": ["dead"], "after": "x"}, "after"),
        ({"since": "yesterday"}, "since"),
        ({"since": 5}, "since"),
        ({"since": "2026-01-01T00:00:00"}, "since"),
        ({"since": later}, "since"),
        ({"since": past, "until": past}, "until"),
    ):
        answer = await service.call("POST", path, as_="admin", json=wanted)
        assert fields(answer) == {field}, answer.text
    answers = [
        await service.call("POST", path, as_="admin", json={"since": text}) for text in ("x", 1, "2026-01-01T00:00:00")
    ]
    assert {answer.json()["fields"][0]["message"] for answer in answers} == {
        "must be a time of the years 1970 to 9998 with a zone, as in 2026-11-22T12:00:00Z"
    }
    unknown = await service.call("POST", path, as_="admin", json={"delivery_ids": [UNKNOWN_ID]})
    assert problem(unknown, "delivery.unknown")["extra"] == {"delivery_ids": [UNKNOWN_ID]}


async def test_the_log_is_filtered_by_what_exists(service: Service, deliverer: Deliverer, one: Receiver) -> None:
    """By state, by names and patterns, by comment; a filter that is none is refused by name and never passed over."""
    made = await named(service, one)
    sent = await service.published("One.")
    await deliverer.settle_all()
    names = ["comment.submitted", "thread.*"]
    assert {row["event_type"] for row in await log(service, made, type=names)} == {"comment.submitted", "thread.opened"}
    assert len(await log(service, made, comment_id=sent["comment"]["id"].upper(), state="delivered")) == 2
    path = f"{WEBHOOKS}/{made['id']}/deliveries"
    for query, field in (
        ({"state": "failed"}, "state"),
        ({"state": ""}, "state"),
        ({"type": "comment.publishd"}, "type"),
        ({"type": ["comment.held"] * 51}, "type"),
        ({"comment_id": "12"}, "comment_id"),
        ({"status": "dead"}, "status"),
        ({"types": "*"}, "types"),
        ({"after": "x"}, "after"),
        ({"limit": 0}, "limit"),
    ):
        answer = await service.call("GET", path, as_="admin", params=query)
        assert fields(answer) == {field}, answer.text
    answer = await service.call("GET", path, as_="admin", params={"state": "failed"})
    assert "pending, delivered, dead, cancelled" in problem(answer, "request.invalid")["detail"]


async def test_the_log_says_what_a_delivery_waits_for(service: Service, deliverer: Deliverer, one: Receiver) -> None:
    """An earlier event of the comment, an endpoint that fails or is paused, its own time, or nothing at all."""
    made = await named(service, one, "comment.*")
    one.rule = lambda _number, _request: Answer(500)
    await service.published("One.")
    await deliverer.settle_all()

    async def waits() -> list[tuple[str | None, bool]]:
        return [(row["waits_for"], row["next_attempt_at"] is not None) for row in await log(service, made)]

    assert await waits() == [("earlier", False), (None, True)]
    for number in range(CLOSES_AFTER):
        await service.submit(f"Number {number}.", page=f"page-{number}")
    await deliverer.settle_all()
    found = await of(service, made)
    until = (service.clock() + timedelta(seconds=CLOSED_SECONDS[0])).isoformat().replace("+00:00", "Z")
    assert found["closed_until"] == until
    assert await waits() == [("endpoint", True)] * CLOSES_AFTER + [("earlier", False), ("endpoint", True)]
    assert {row["next_attempt_at"] >= until for row in await log(service, made) if row["next_attempt_at"]} == {True}
    service.clock.advance(CLOSED_SECONDS[0])
    assert (await of(service, made))["closed_until"] is None
    await service.call("PATCH", f"{WEBHOOKS}/{made['id']}", as_="admin", json={"status": "paused"}, expect=200)
    assert set(await waits()) == {("endpoint", False), ("earlier", False)}
    one.rule = lambda _number, _request: OK
    await service.call("PATCH", f"{WEBHOOKS}/{made['id']}", as_="admin", json={"status": "active"}, expect=200)
    taken = await turn(service.context, made["id"], [], may_claim=True)
    assert taken is not None
    assert set(await waits()) == {("earlier", False), (None, False)}


async def test_what_is_given_up_under_way_keeps_the_order(service: Service, one: Receiver) -> None:
    """The next of its comment goes out when the attempt has ended or its lease is over, and not beside it."""
    made = await named(service, one, "comment.*")
    await service.published("One.")
    await relay_all(service.context)
    for ends in ("answer", "lease"):
        taken = await turn(service.context, made["id"], [], may_claim=True)
        assert taken is not None
        [row] = taken.rows
        path = f"{WEBHOOKS}/{made['id']}/deliveries/{row.id}"
        cancelled = (await service.call("POST", f"{path}/cancel", as_="admin", expect=200)).json()
        assert (cancelled["state"], cancelled["waits_for"]) == ("cancelled", None)
        assert await turn(service.context, made["id"], [], may_claim=True) is None
        if ends == "answer":
            late = Done(row, Result(204, None, None, service.clock(), 0.1), one.url)
            after = await turn(service.context, made["id"], [late], may_claim=True)
            await _check_next(service, after, row.seq)
            await _owe_again(service, made, path)
        else:
            service.clock.advance(60)
            await _check_next(service, await turn(service.context, made["id"], [], may_claim=True), row.seq)


async def _check_next(service: Service, taken: Any, seq: int) -> None:
    assert taken is not None
    assert [row.seq > seq for row in taken.rows] == [True]


async def _owe_again(service: Service, made: dict[str, Any], path: str) -> None:
    """Let the lease of the second be over, and both be owed again."""
    service.clock.advance(60)
    await service.call("POST", f"{path}/replay", as_="admin", expect=202)


async def test_the_last_success_is_shown_when_somebody_looks_for_it(
    service: Service, deliverer: Deliverer, one: Receiver
) -> None:
    """At once after a test and after a failure; between others of one minute it may be the first."""
    made = await named(service, one, "comment.submitted")

    async def succeeded(page: str) -> str:
        if page == "test":
            await service.call("POST", f"{WEBHOOKS}/{made['id']}/test", as_="admin", expect=202)
        else:
            await service.submit("One.", page=page)
        await deliverer.settle_all()
        found: str = (await of(service, made))["last_success_at"]
        return found

    first = await succeeded("one")
    service.clock.advance(10)
    assert await succeeded("two") == first
    tested = await succeeded("test")
    assert tested > first
    one.rule = lambda number, _request: OK if number > 1 else Answer(500)
    service.clock.advance(10)
    await service.submit("One.", page="three")
    await deliverer.settle_all()
    service.clock.advance(10)
    await deliverer.settle_all()
    assert (await of(service, made))["last_success_at"] > tested
