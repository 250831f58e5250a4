"""The stream of events that a publisher's system reads: in order, whole, waiting for the next, honest about gaps."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.flow import manage_people
from service.flow.close_threads import close_threads
from service.flow.identify import find_site
from service.flow.relay import relay, relay_all
from service.flow.transition import event_row
from service.flow.watch import watch
from service.queue.scorer_status import ScorerState
from service.schemas import KeyInput
from service.store import outbox
from service.store import tables as t
from service.webhooks.catalog import EVENTS, KINDS, as_markdown, is_pattern, is_wanted, types_of
from tests.service.answers import problem
from tests.service_fixture import Service
from tests.test_docs import ROOT

pytestmark = pytest.mark.anyio
EVENTS_PATH = "/v1/admin/sites/test/events"


async def read(service: Service, *, relayed: bool = True, **query: Any) -> dict[str, Any]:
    """Read a page of the stream, after a relay as a worker does it."""
    if relayed:
        await relay_all(service.context)
    found: dict[str, Any] = (await service.call("GET", EVENTS_PATH, as_="admin", params=query, expect=200)).json()
    return found


async def test_events_are_read_page_by_page(service: Service) -> None:
    """From the first one kept to the last, each once; the cursor goes on where it stood."""
    for number in range(3):
        await service.published(f"Number {number}.", page=f"page-{number}")
    seen: list[str] = []
    after: dict[str, Any] = {}
    while page := (found := await read(service, limit=2, **after))["events"]:
        seen += [event["type"] for event in page]
        after = {"after": found["next"]}
    assert seen == ["thread.opened", "comment.submitted", "comment.published"] * 3
    assert (await read(service, **after))["events"] == []
    await service.submit("One more.")
    assert [event["type"] for event in (await read(service, **after))["events"]] == [
        "thread.opened", "comment.submitted",
    ]  # fmt: skip


async def test_events_are_read_by_kind(service: Service) -> None:
    """Names and patterns narrow the stream; one that no event has answers nothing."""
    await service.published("One.")
    wanted = (await read(service, type=["comment.published", "thread.*"]))["events"]
    assert [event["type"] for event in wanted] == ["thread.opened", "comment.published"]
    assert (await read(service, type="appeal.opened"))["events"] == []


async def test_a_reply_names_whom_it_answers(service: Service) -> None:
    """So that a publisher can tell its account of it; a root has no parent, and what is gone by then says so."""
    parent = await service.published("The root.", author={"name": "Ada"})
    await service.published("A reply.", parent_id=parent["comment"]["id"])
    root, reply = [one["data"]["comment"] for one in (await read(service, type="comment.published"))["events"]]
    assert "parent" not in root
    author = root["author"]
    assert reply["parent"] == {"id": root["id"], "status": "published", "author": author}
    path = f"/v1/sites/test/comments/{root['id']}"
    await service.call("DELETE", path, as_=parent["author_token"], expect=204)
    [_, reply] = [one["data"]["comment"] for one in (await read(service, type="comment.published"))["events"]]
    assert reply["parent"]["status"] == "deleted"


async def test_a_question_that_cannot_be_meant_is_refused(service: Service) -> None:
    """A name that no event has, several in one, and a parameter that is none: never an empty page and a new cursor."""
    for query, field, says in (
        ({"type": "comment.publishd"}, "type", "comment.published is one"),
        ({"type": "comment.held,comment.published"}, "type", "each is given by itself"),
        ({"type": "comment"}, "type", "comment.* is one"),
        ({"type": "foo.*"}, "type", "docs/webhooks.md lists them"),
        ({"type": ""}, "type", "names no event"),
        ({"types": "comment.*"}, "types", "these are: after, type, limit"),
        ({"status": "held"}, "status", "is no parameter here"),
    ):
        found = problem(await service.call("GET", EVENTS_PATH, as_="admin", params=query), "request.invalid")
        assert [one["field"] for one in found["fields"]] == [field]
        assert says in found["fields"][0]["message"]


async def test_an_empty_cursor_is_none(service: Service) -> None:
    """As a script sends it that has kept none yet."""
    await service.published("One.")
    assert await read(service, after="") == await read(service)


async def test_a_reader_waits_for_the_next_event(service: Service) -> None:
    """`Prefer: wait` answers as soon as one is there, and empty when the time is over."""
    after = (await read(service))["next"]

    async def waiting() -> dict[str, Any]:
        headers = {"prefer": "wait=20"}
        answer = await service.call("GET", EVENTS_PATH, as_="admin", params={"after": after}, headers=headers)
        found: dict[str, Any] = answer.json()
        return found

    waiter = asyncio.create_task(waiting())
    await service.submit("Here.")
    await relay_all(service.context)
    assert [event["type"] for event in (await waiter)["events"]] == ["thread.opened", "comment.submitted"]


async def test_an_event_that_commits_late_is_not_skipped(service: Service) -> None:
    """A transaction that began first and commits last comes after what was read meanwhile, behind its cursor."""
    context, site = service.context, await find_site(service.context, "test")
    if context.database.is_sqlite:
        # There is one writer: nothing commits late.
        await service.submit("One.")
        assert (await read(service))["events"] != []
        return
    async with context.database.writing() as slow:
        late = event_row(context, "thread.opened", site_id=site.id, at=context.now())
        await outbox.append(slow, [late])
        await service.published("Fast.")
        first = await read(service)
        assert late["id"] not in {event["id"] for event in first["events"]}
        assert len(first["events"]) == 3
    second = await read(service, after=first["next"])
    assert [event["id"] for event in second["events"]] == [late["id"]]


async def test_relays_do_not_place_an_event_twice(service: Service) -> None:
    """Ten at once give each event one place, without a gap."""
    for number in range(10):
        await service.submit(f"Number {number}.", page=f"page-{number}")
    counts = await asyncio.gather(*(relay(service.context) for _ in range(10)))
    assert sum(counts) == 20
    async with service.context.database.reading() as connection:
        places = list((await connection.execute(sa.select(t.outbox.c.position).order_by(t.outbox.c.seq))).scalars())
    assert sorted(places) == list(range(places[0], places[0] + 20)) == places


async def test_what_retention_took_is_said(service: Service) -> None:
    """A cursor before the earliest event that is left is a 410, and one of another database too."""
    await service.published("Old.")
    cursor = (await read(service, limit=1))["next"]
    path = "/v1/admin/sites/test/retention"
    await service.call("PUT", path, as_="admin", json={"outbox_days": 7}, expect=200)
    service.clock.advance(timedelta(days=8).total_seconds())
    await service.published("New.", page="new")
    await service.sweep()
    await relay_all(service.context)
    found = problem(await service.call("GET", EVENTS_PATH, as_="admin", params={"after": cursor}), "events.gone")
    assert int(found["extra"]["earliest"]) > int(cursor)
    problem(await service.call("GET", EVENTS_PATH, as_="admin", params={"after": "999999999"}), "events.gone")
    problem(await service.call("GET", EVENTS_PATH, as_="admin", params={"after": "x"}), "request.invalid")
    assert [event["type"] for event in (await read(service))["events"]][-1] == "comment.published"


async def test_a_token_for_events_reads_events_alone(service: Service) -> None:
    """The scope `events` opens the stream, and nothing of an admin's."""
    site = await find_site(service.context, "test")
    key = await manage_people.create_key(service.context, site, "test", KeyInput(name="search", scopes=["events"]))
    await service.call("GET", EVENTS_PATH, as_=key.token, expect=200)
    for path in ("webhooks", "members", "threads/page"):
        problem(await service.call("GET", f"/v1/admin/sites/test/{path}", as_=key.token), "auth.forbidden")


async def test_threads_that_close_by_time_are_told_once(service: Service) -> None:
    """When the time has come; opened again is told too, and a person's act needs no second word."""
    admin = "/v1/admin/sites/test/threads/page"
    await service.published("One.")
    soon = (service.clock() + timedelta(seconds=60)).isoformat()
    await service.call("PATCH", admin, as_="publisher", json={"closes_at": soon}, expect=200)
    assert await close_threads(service.context) == 0
    service.clock.advance(61)
    assert await close_threads(service.context) == 1
    assert await close_threads(service.context) == 0
    await service.call("PATCH", admin, as_="publisher", json={"closes_at": None}, expect=200)
    past = (service.clock() - timedelta(seconds=60)).isoformat()
    await service.call("PATCH", admin, as_="publisher", json={"closes_at": past}, expect=200)
    assert await close_threads(service.context) == 0
    threads = [event["type"] for event in (await read(service, type="thread.*"))["events"]]
    assert threads == ["thread.opened", "thread.closed", "thread.opened", "thread.closed"]
    states = [event["data"]["thread"]["state"] for event in (await read(service, type="thread.*"))["events"]]
    assert states == ["open", "closed", "open", "closed"]


async def test_a_scorer_that_is_down_is_told_after_its_grace(service: Service) -> None:
    """Not for a moment's failure, once however often it is looked at, and again when it is back."""
    await service.scorer_reports(ScorerState.UP)
    assert await watch(service.context) == 0
    await service.scorer_reports(ScorerState.DOWN)
    assert await watch(service.context) == 0
    service.clock.advance(service.context.settings.scorer_grace_seconds + 1)
    assert sum(await asyncio.gather(*(watch(service.context) for _ in range(4)))) == 1
    assert await watch(service.context) == 0
    await service.scorer_reports(ScorerState.UP)
    assert await watch(service.context) == 1
    down, up = (await read(service, type="scorer.*"))["events"]
    assert (down["type"], up["type"]) == ("scorer.down", "scorer.up")
    assert "failing_since" in down["data"]["scorer"]
    assert "down_since" in up["data"]["scorer"]


async def test_a_backlog_is_told_when_it_begins_and_ends(service: Service) -> None:
    """By number and by age, as the site says."""
    await service.scorer_reports(ScorerState.UP)
    path = "/v1/admin/sites/test/alerts"
    assert (await service.call("GET", path, as_="admin", expect=200)).json() == {
        "backlog_items": 100, "backlog_age_seconds": 14_400,
    }  # fmt: skip
    await service.call("PUT", path, as_="admin", json={"backlog_items": 2, "backlog_age_seconds": 3600}, expect=200)
    for number in range(2):
        await service.submit(f"A rude one, {number}.", page=f"page-{number}")
    await service.drain()
    assert await watch(service.context) == 1
    assert await watch(service.context) == 0
    for item in (await service.call("POST", "/v1/review/test/claims", as_="moderator", json={"limit": 2})).json()[
        "items"
    ]:
        await service.decide(item, "approve")
    assert await watch(service.context) == 1
    await service.submit("A rude third.")
    await service.drain()
    assert await watch(service.context) == 0
    service.clock.advance(3601)
    assert await watch(service.context) == 1
    told = [event["data"]["queue"] for event in (await read(service, type="queue.backlog"))["events"]]
    assert [one["state"] for one in told] == ["crossed", "recovered", "crossed"]
    assert (told[0]["depth"], told[2]["oldest_age_seconds"]) == (2, 3601)


def test_patterns_name_events() -> None:
    """A name, a kind, or everything; nothing else is a pattern."""
    assert is_wanted("comment.held", ["comment.*"])
    assert is_wanted("comment.held", ["*"])
    assert not is_wanted("comment.held", ["comment.published", "comments.*", "thread.*"])
    assert not is_pattern("comments.*")
    assert not is_pattern("comment")
    assert not is_pattern("comment.**")
    assert all(is_pattern(name) for name in (*EVENTS, *(f"{kind}.*" for kind in KINDS)))
    assert types_of(["thread.*"]) == ["thread.opened", "thread.closed"]


def test_the_docs_have_the_catalog() -> None:
    """The table of docs/webhooks.md is written from the code."""
    text = (ROOT / "docs/webhooks.md").read_text()
    assert as_markdown() in text
