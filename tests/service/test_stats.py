"""The dashboard's figures: what they count, from when to when, for whom, and how sure a share is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service import schemas
from service.flow import manage_sites, stats
from service.flow.stats import Figures, share_of
from service.store import tables as t
from tests.service.answers import fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
STATS = "/v1/review/test/stats"
CIVIL, RUDE, VILE = (f"A {word} opinion about the tram in this town." for word in ("civil", "rude", "vile"))


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from one question to the next."""
    monkeypatch.setattr(stats, "FRESH_SECONDS", 0.0)


async def read(service: Service, **asked: Any) -> dict[str, Any]:
    """Read the figures."""
    found: dict[str, Any] = (await service.call("GET", STATS, as_="moderator", params=asked, expect=200)).json()
    return found


async def worked(service: Service) -> None:
    """Four comments, two decided by the machine, two held and decided by two moderators after 60 and 180 seconds."""
    for body in (CIVIL, VILE, RUDE, f"{RUDE} Again."):
        await service.submit(body)
    await service.drain()
    items = await service.claim(lease_seconds=3600)
    for item, who, action, seconds in zip(
        items, ("moderator", "moderator2"), ("approve", "reject"), (60, 120), strict=True
    ):
        service.clock.advance(seconds)
        await decide(service, item, action, as_=who)


async def decide(service: Service, item: dict[str, Any], action: str, *, as_: str = "moderator") -> str:
    """Decide an item and answer the decision's id."""
    wanted = {"lease": item["lease"]["token"], "revision": item["revision"], "action": action}
    wanted |= {"reasons": ["other"] if action == "reject" else []}
    path = f"/v1/review/test/items/{item['item_id']}/decision"
    answer = await service.call("POST", path, as_=as_, json=wanted, expect=200)
    found: str = answer.json()["decision"]["id"]
    return found


async def test_work_is_counted(service: Service) -> None:
    """Volume by day and status, the machine's share, waiting times and each moderator's decisions are what was done."""
    await worked(service)
    today = service.clock().date().isoformat()
    found = await read(service)
    assert (found["to"], len(found["days"]), found["days"][-1]["day"]) == (today, 30, today)
    total = {name: sum(day[name] for day in found["days"]) for name in found["days"][0] if name != "day"}
    assert total == {"submitted": 4, "published": 2, "held": 2, "rejected": 2, "removed": 0}
    assert found["decided"] == {"machine": 2, "people": 2, "machine_share": 0.5}
    [waiting] = found["waiting"]
    assert (waiting["queue"], waiting["decided"]) == ("default", 2)
    assert (waiting["p50_seconds"], waiting["p90_seconds"]) == pytest.approx((60, 180), abs=1)
    moderators = {(one["name"], one["decisions"], str(one["actions"])) for one in found["moderators"]}
    assert moderators == {("moderator", 1, "{'approve': 1}"), ("moderator2", 1, "{'reject': 1}")}
    nothing = {"of": 0, "number": 0, "share": None, "low": None, "high": None}
    assert found["sample"] == {"published_wrongly": nothing, "rejected_wrongly": nothing}
    assert found["second_opinions"] == nothing


async def test_days_are_cut_in_utc(service: Service) -> None:
    """A comment counts on the UTC day of its writing, a decision on that of the decision, and other days have none."""
    await worked(service)
    now = service.clock()
    service.clock.advance(86_400)
    await service.submit(CIVIL, page="tomorrow")
    await service.drain()
    first, second = now.date().isoformat(), (now + timedelta(days=1)).date().isoformat()
    found = await read(service, **{"from": first, "to": second})
    assert [day["day"] for day in found["days"]] == [first, second]
    assert (found["days"][1]["submitted"], found["days"][1]["published"]) == (1, 1)
    alone = await read(service, **{"from": second, "to": second})
    assert (alone["days"], alone["waiting"], alone["moderators"]) == (found["days"][1:], [], [])
    before = await read(service, **{"from": "2020-01-01", "to": "2020-12-31"})
    assert (len(before["days"]), before["decided"]["machine_share"]) == (366, None)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-02-01", "2026-01-01"),
        ("2025-01-01", "2026-01-02"),
        ("1969-12-31", "1970-01-02"),
        ("9999-12-01", "9999-12-31"),
    ],
)
async def test_a_strange_time_is_refused(service: Service, first: str, last: str) -> None:
    """Backwards, too long and out of all time are a 400 that names the field."""
    assert fields(await service.call("GET", STATS, as_="moderator", params={"from": first, "to": last})) == {"to"}


async def second_looks(service: Service, kind: str, first: list[str], second: list[str]) -> None:
    """Let people look again, blind, at what was decided first; written as the queue writes it."""
    context = service.context
    site = await context.directory.read("test")
    async with context.database.writing() as connection:
        row = (await connection.execute(sa.select(t.decisions).limit(1))).one()._asdict()
        for was, now in zip(first, second, strict=True):
            ids = {name: row[name] for name in ("site_id", "thread_id", "comment_id", "revision_id")}
            made = {**row, "id": context.new_id(), "action": was, "review_item_id": None, "from_status": "held",
                    "to_status": "held", "created_at": context.now()}  # fmt: skip
            item = ids | {"id": context.new_id(), "kind": kind, "state": "decided", "causes": [], "order_key": 1.0,
                          "decision_id": made["id"], "opened_at": service.clock(),
                          "closed_at": service.clock()}  # fmt: skip
            look = made | {"id": context.new_id(), "action": now, "review_item_id": item["id"],
                           "actor_kind": "moderator", "actor": "m"}  # fmt: skip
            await connection.execute(t.decisions.insert(), made)
            await connection.execute(t.review_items.insert(), item)
            await connection.execute(t.decisions.insert(), look)
    assert site.id == row["site_id"]


async def test_second_looks_tell_of_errors(service: Service) -> None:
    """The sample's errors are told apart by what the machine had done, agreement by what the first person had."""
    await worked(service)
    up, down = "approve", "reject"
    await second_looks(service, "sampled", [up] * 4 + [down] * 2, [up, up, up, down, down, up])
    await second_looks(service, "second_opinion", [up, down, down, "remove", "restore"], [up, up, down, down, up])
    found = await read(service)
    sample = found["sample"]
    assert (sample["published_wrongly"]["of"], sample["published_wrongly"]["number"]) == (4, 1)
    assert (sample["rejected_wrongly"]["of"], sample["rejected_wrongly"]["number"]) == (2, 1)
    assert (found["second_opinions"]["of"], found["second_opinions"]["number"]) == (5, 4)
    async with service.context.database.writing() as connection:
        last = (await connection.execute(sa.select(t.decisions).order_by(t.decisions.c.id.desc()).limit(1))).one()
        undoing = {**last._asdict(), "id": service.context.new_id(), "review_item_id": None, "undoes_id": last.id}
        await connection.execute(t.decisions.insert(), undoing)
    assert (await read(service))["second_opinions"]["of"] == 4


@pytest.mark.parametrize(
    ("number", "of", "low", "high"),
    # R 4.3: prop.test(number, of, correct = FALSE)$conf.int
    [(0, 20, 0.0, 0.1611251), (20, 20, 0.8388749, 1.0), (5, 100, 0.02154368, 0.1117505), (1, 2, 0.0945312, 0.9054688)],
)
def test_the_interval_is_wilsons(number: int, of: int, low: float, high: float) -> None:
    """It is the score interval that other programs give, within 0 and 1."""
    found = share_of(number, of)
    assert found.share == number / of
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


async def test_a_site_counts_its_own_alone(service: Service) -> None:
    """Nothing of another site is in the figures, and its moderators cannot ask for them."""
    await worked(service)
    await manage_sites.create_site(service.context, "test", schemas.SiteInput(slug="other", name="Other"))
    theirs = (await service.call("GET", "/v1/review/other/stats", as_="root", expect=200)).json()
    assert (theirs["decided"]["machine"], theirs["waiting"], theirs["moderators"]) == (0, [], [])
    assert sum(day["submitted"] for day in theirs["days"]) == 0
    problem(await service.call("GET", "/v1/review/other/stats", as_="moderator"), "auth.forbidden")


async def test_figures_are_counted_once_in_a_while(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """For half a minute the same question is answered from memory, another one is not."""
    monkeypatch.setattr(stats, "FRESH_SECONDS", 30.0)
    seconds = 0.0
    figures, site = Figures(lambda: seconds), await service.context.directory.read("test")

    async def submitted(days: int = 0) -> int:
        first = service.clock().date() - timedelta(days=days) if days else None
        return sum(day.submitted for day in (await figures.of(service.context, site, first, None)).days)

    assert await submitted() == 0
    await service.submit(CIVIL)
    assert (await submitted(), await submitted(3)) == (0, 1)
    seconds = 31.0
    assert await submitted() == 1
