"""The dashboard's figures: what they count, from when to when, for whom, and how sure a share is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from service import schemas
from service.flow import manage_sites, stats
from service.flow.stats import Figures, share_of
from tests.service.answers import fields, problem
from tests.service.reporting import made, report
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
    ("asked", "field"),
    [
        ({"from": "2026-02-01", "to": "2026-01-01"}, "to"),
        ({"from": "2025-01-01", "to": "2026-01-02"}, "to"),
        ({"from": "1969-12-31", "to": "1970-01-02"}, "from"),
        ({"from": "9999-12-01", "to": "9999-12-31"}, "from"),
        ({"from": "9999-12-31"}, "from"),
        ({"to": "0001-01-01"}, "to"),
        ({"from": "0001-01-01"}, "from"),
    ],
)
async def test_a_strange_time_is_refused(service: Service, asked: dict[str, str], field: str) -> None:
    """Backwards, too long and out of all time are a 400 that names the field."""
    assert fields(await service.call("GET", STATS, as_="moderator", params=asked)) == {field}


async def test_the_first_days_of_all_can_be_asked_for(service: Service) -> None:
    """Where there are no thirty days before a day, those that are there are counted."""
    assert (await read(service, to="1970-01-02"))["from"] == "1970-01-01"


async def put(service: Service, **settings: Any) -> None:
    """Put review settings in force."""
    await service.call("PUT", "/v1/admin/sites/test/review", as_="admin", json=settings, expect=200)


async def undo(service: Service, decided: dict[str, Any], as_: str = "moderator") -> dict[str, Any]:
    """Take a decision back and answer what became of it."""
    path = f"/v1/review/test/acts/{decided['decision']['act_id']}/undo"
    found: dict[str, Any] = (await service.call("POST", path, as_=as_, expect=200)).json()
    return found


async def sample_of(service: Service) -> dict[str, tuple[int, int]]:
    """Answer of how many in the sample how many were wrong, by what the machine had done."""
    return {name: (share["of"], share["number"]) for name, share in (await read(service))["sample"].items()}


async def test_the_agreement_is_that_of_second_opinions(service: Service) -> None:
    """Of two second opinions, given blind through the queue, one agrees; one on what was taken back counts no more."""
    await put(service, second_opinion_share=1.0)
    decided = []
    for number, answer in enumerate(("approve", "reject")):
        await service.submit(f"{RUDE} Number {number}.")
        await service.drain()
        [item] = await service.claim()
        decided.append(await service.decide(item, "approve"))
        [second] = await service.claim("moderator2")
        await service.decide(second, answer, as_="moderator2", reasons=["other"] if answer == "reject" else [])
    found = (await read(service))["second_opinions"]
    assert (found["of"], found["number"], found["share"]) == (2, 1, 0.5)
    await undo(service, decided[0])
    found = (await read(service))["second_opinions"]
    assert (found["of"], found["number"]) == (1, 0)


async def test_what_was_undone_is_not_counted(service: Service) -> None:
    """A decision that was taken back is in no figure, nor is the taking back; the one made instead is counted once."""
    await service.submit(RUDE)
    await service.drain()
    [item] = await service.claim()
    [again] = (await undo(service, await service.decide(item, "approve")))["items"]
    found = await read(service)
    assert found["decided"] == {"machine": 0, "people": 0, "machine_share": None}
    assert (found["waiting"], found["moderators"], found["days"][-1]["published"]) == ([], [], 0)
    assert found["days"][-1]["held"] == 1
    await service.decide(again, "reject", reasons=["other"])
    found = await read(service)
    assert (found["decided"]["people"], found["days"][-1]["rejected"]) == (1, 1)
    assert [one["actions"] for one in found["moderators"]] == [{"reject": 1}]
    assert [one["decided"] for one in found["waiting"]] == [1]


async def test_the_sample_tells_of_errors(service: Service) -> None:
    """The sample's errors are told apart by what the machine had done; a blind look that was undone is none."""
    await put(service, sample_share=1.0)
    for body in (CIVIL, f"{CIVIL} Indeed.", VILE):
        await service.submit(body)
    await service.drain()
    items = await service.claim()
    wrong, right, vile = sorted(items, key=lambda item: (item["comment"]["body"] == VILE, item["comment"]["body"]))
    decided = await service.decide(wrong, "reject", reasons=["other"])
    await service.decide(right, "approve")
    await service.decide(vile, "reject", reasons=["other"])
    assert await sample_of(service) == {"published_wrongly": (2, 1), "rejected_wrongly": (1, 0)}
    await undo(service, decided)
    assert await sample_of(service) == {"published_wrongly": (1, 0), "rejected_wrongly": (1, 0)}


@pytest.mark.parametrize(("action", "wrong"), [("reject", 1), ("approve", 0)])
async def test_a_sample_that_readers_were_faster_to_report_is_counted(
    service: Service, action: str, wrong: int
) -> None:
    """A sample that is reported and decided before the blind look counts with that decision, while it stands."""
    await put(service, sample_share=1.0)
    sent = await service.published(CIVIL)
    await made(await report(service, sent))
    item = next(item for item in await service.claim() if item["kind"] == "reported")
    decided = await service.decide(item, action, reasons=["other"] if action == "reject" else [])
    assert await sample_of(service) == {"published_wrongly": (1, wrong), "rejected_wrongly": (0, 0)}
    await undo(service, decided)
    assert await sample_of(service) == {"published_wrongly": (0, 0), "rejected_wrongly": (0, 0)}


async def test_a_sample_that_fell_unread_with_a_ban_is_not_counted(service: Service) -> None:
    """A sampled comment that is taken down because its author was banned for another says nothing of the machine."""
    await put(service, sample_share=1.0)
    sent = await service.published(CIVIL)
    await service.submit(RUDE, token=sent["author_token"])
    await service.drain()
    item = next(item for item in await service.claim() if item["kind"] == "held")
    ban = {"kind": "ban", "reason": "insult", "reject_hours": 1}
    await service.decide(item, "reject", reasons=["insult"], sanction=ban)
    assert (await service.call("GET", f"/v1/sites/test/comments/{sent['comment']['id']}")).status_code == 404
    assert await sample_of(service) == {"published_wrongly": (0, 0), "rejected_wrongly": (0, 0)}


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
