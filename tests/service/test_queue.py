"""What is looked at when and by whom: priorities, queues, filters, passing on, handing over, one's own comments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import schemas
from service.flow.priority import Facts, place_of
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
SETTINGS = "/v1/admin/sites/test/review"
NOW = datetime(2026, 11, 27, tzinfo=UTC)


def facts(**more: Any) -> Facts:
    """Facts of an ordinary held comment."""
    plain: dict[str, Any] = {
        "kind": "held", "page": "page", "scores": {"toxicity": 0.7}, "rule": "doubtful", "attribute": "toxicity",
        "language": "en", "trust": "guest",
    }  # fmt: skip
    return Facts(**plain | more)


async def held(service: Service, *bodies: str, page: str = "page", **fields: Any) -> list[str]:
    """Submit comments that are held, a second apart, and answer their ids."""
    ids = []
    for body in bodies:
        service.clock.advance(1)
        ids.append((await service.submit(body, page=page, **fields))["comment"]["id"])
        await service.drain()
    return ids


def comment_ids(items: list[dict[str, Any]]) -> list[str]:
    """Answer what items are about."""
    return [item["comment"]["id"] for item in items]


@given(
    value=st.floats(0, 1), other=st.floats(0, 1), reports=st.integers(0, 50), level=st.integers(60, 10_000),
    later=st.integers(0, 100_000),
)  # fmt: skip
def test_nothing_starves(value: float, other: float, reports: int, level: int, later: int) -> None:
    """An item that comes more than the service level after another never stands before it, however pressing it is."""
    settings = schemas.ReviewSettings(service_level_seconds=level)
    first = place_of(facts(scores={"toxicity": value}), settings, NOW)
    pressing = facts(scores={"toxicity": other}, reports=reports, published_in_thread=10**6)
    second = place_of(pressing, settings, NOW + timedelta(seconds=later))
    assert NOW.timestamp() <= first.order_key <= NOW.timestamp() + level
    if later > level:
        assert second.order_key > first.order_key


def test_each_part_of_the_priority_counts_as_its_weight_says() -> None:
    """A site that weighs one part alone is shown the items in the order of that part."""

    def order(weight: str, *items: Facts) -> list[int]:
        weights = schemas.PriorityWeights(
            **{**dict.fromkeys(schemas.PriorityWeights.__struct_fields__, 0.0), weight: 1}
        )
        settings = schemas.ReviewSettings(priority=weights)
        return sorted(range(len(items)), key=lambda at: place_of(items[at], settings, NOW).order_key)

    sure, unsure = facts(scores={"toxicity": 0.95}), facts(scores={"toxicity": 0.55})
    assert order("uncertainty", sure, unsure) == [1, 0]
    assert order("severity", unsure, sure) == [1, 0]
    assert order("reports", facts(), facts(reports=4), facts(reports=1)) == [1, 2, 0]
    assert order("audience", facts(), facts(published_in_thread=50)) == [1, 0]


async def test_the_more_uncertain_comes_first(service: Service) -> None:
    """By default a comment that the model is unsure of is shown before one that came a little earlier, and says why."""
    service.scorer.scores |= {"borderline": 0.52}
    sure, unsure = await held(service, "A rude remark.", "A borderline remark.")
    items = await service.claim()
    assert comment_ids(items) == [unsure, sure]
    first = items[0]
    assert first["queue"] == "default"
    assert first["priority"]["parts"]["uncertainty"] > items[1]["priority"]["parts"]["uncertainty"]
    assert 0 < items[1]["priority"]["value"] < first["priority"]["value"] <= 1


async def test_a_queue_takes_what_its_route_names(service: Service) -> None:
    """Items go to the first queue that takes them; each is claimed and counted by itself, under its own level."""
    queues = [
        {"name": "sport", "title": "Sport", "when": {"pages": ["sport"]}, "service_level_seconds": 60},
        {"name": "toxic", "title": "Toxic", "when": {"attributes": ["toxicity"]}},
    ]
    await service.call("PUT", SETTINGS, as_="admin", json={"queues": queues}, expect=200)
    [sport] = await held(service, "A rude remark on sport.", page="sport")
    [other] = await held(service, "A rude remark on something else.")
    queue = (await service.call("GET", "/v1/review/test/queue", as_="admin", expect=200)).json()
    depths = {one["name"]: one["depth"] for one in queue["queues"]}
    assert depths == {"escalated": 0, "sport": 1, "toxic": 1, "default": 0}
    assert [one["service_level_seconds"] for one in queue["queues"]] == [3600, 60, 3600, 3600]
    assert comment_ids(await service.claim(queue="toxic")) == [other]
    assert comment_ids(await service.claim()) == [sport]
    wrong = await service.call("POST", "/v1/review/test/claims", as_="moderator", json={"queue": "nowhere"}, expect=400)
    assert wrong.json()["fields"][0]["field"] == "queue"


async def test_a_queue_that_is_gone_leaves_its_items_to_the_others(service: Service) -> None:
    """When an admin drops a queue, what waited in it waits in `default`, for Redis after the next sweep too."""
    queues = [{"name": "toxic", "title": "Toxic", "when": {"attributes": ["toxicity"]}}]
    await service.call("PUT", SETTINGS, as_="admin", json={"queues": queues}, expect=200)
    [comment] = await held(service, "A rude remark.")
    await service.call("PUT", SETTINGS, as_="admin", json={}, expect=200)
    await service.sweep()
    [item] = await service.claim(queue="default")
    assert (item["comment"]["id"], item["queue"]) == (comment, "default")


@pytest.mark.parametrize(
    ("queues", "field"),
    [
        ([{"name": "default", "title": "x"}], "queues[0].name"),
        ([{"name": "a", "title": "x"}, {"name": "a", "title": "y"}], "queues[1].name"),
    ],
)
async def test_names_of_queues_are_checked(service: Service, queues: list[Any], field: str) -> None:
    """A queue has a name of its own."""
    answer = await service.call("PUT", SETTINGS, as_="admin", json={"queues": queues}, expect=400)
    assert answer.json()["fields"][0]["field"] == field


async def test_items_are_filtered(service: Service) -> None:
    """A claim takes only items that have every value asked for, by whatever they are asked."""
    [first] = await held(service, "A rude remark.", author={"name": "Ada"})
    [second] = await held(service, "Another rude remark.", page="other")
    author = (await service.claim(filter={"page": "page"}))[0]
    assert author["comment"]["id"] == first
    commenter = author["author_record"]["commenter_id"]
    await service.call(
        "POST", f"/v1/review/test/items/{author['item_id']}/release", as_="moderator",
        json={"lease": author["lease"]["token"]}, expect=204,
    )  # fmt: skip
    for nothing in ({"rule": "no-rule"}, {"language": "fr"}, {"trust": "signed"}, {"kind": "appealed"},
                    {"older_than_seconds": 3600}, {"attribute": "threat"}):  # fmt: skip
        assert await service.claim(filter=nothing) == []
    assert comment_ids(await service.claim(filter={"commenter_id": commenter, "trust": "guest"})) == [first]
    wanted = {"kind": "held", "attribute": "toxicity", "older_than_seconds": 0}
    assert comment_ids(await service.claim(filter=wanted)) == [second]


async def skip(service: Service, item: dict[str, Any], as_: str = "moderator") -> None:
    """Pass an item on."""
    path, lease = f"/v1/review/test/items/{item['item_id']}/skip", {"lease": item["lease"]["token"]}
    await service.call("POST", path, as_=as_, json=lease, expect=204)


async def test_what_is_passed_on_is_offered_to_others_alone(service: Service) -> None:
    """A skipped item is not offered to who skipped it, by Redis or by SQL, and is offered to the others."""
    first, second = await held(service, "A rude remark.", "Another rude remark.")
    [item] = await service.claim(limit=1)
    assert item["comment"]["id"] == first
    await skip(service, item)
    assert comment_ids(await service.claim()) == [second]
    assert comment_ids(await service.claim("moderator2")) == [first]


async def test_what_three_passed_on_goes_to_the_admins(service: Service) -> None:
    """An item that nobody wants does not wait for ever: the admins get it, also those of them who passed it on."""
    await held(service, "A rude remark.")
    for who in ("moderator", "moderator2", "admin"):
        for item in await service.claim(who):
            await skip(service, item, who)
    assert await service.claim() == []
    [item] = await service.claim("admin")
    assert item["queue"] == "escalated"
    assert item["escalation"]["note"]


async def test_an_item_is_handed_to_the_admins(service: Service) -> None:
    """An escalated item leaves the moderators' queue with its note, and is claimed by admins alone."""
    [comment] = await held(service, "A rude remark.")
    [item] = await service.claim()
    path = f"/v1/review/test/items/{item['item_id']}/escalate"
    asked = {"lease": item["lease"]["token"], "note": "The minister himself?"}
    await service.call("POST", path, as_="moderator", json=asked, expect=204)
    assert await service.claim() == []
    forbidden = {"queue": "escalated"}
    await service.call("POST", "/v1/review/test/claims", as_="moderator", json=forbidden, expect=403)
    [again] = await service.claim("admin", queue="escalated")
    assert (again["comment"]["id"], again["escalation"]["note"]) == (comment, "The minister himself?")
    assert (await service.decide(again, as_="admin"))["comment"]["status"] == "published"
    late = await service.call("POST", path, as_="moderator", json=asked, expect=409)
    assert late.json()["code"] == "item.decided"


async def test_nobody_decides_their_own_comments(service: Service) -> None:
    """A moderator who says as whom they write is never offered these comments, and cannot decide one."""
    mine = await service.submit("A rude remark.")
    await service.drain()
    [item] = await service.claim()
    commenter = item["author_record"]["commenter_id"]
    me = {"commenter_id": commenter}
    answer = (await service.call("PUT", "/v1/review/test/me", as_="moderator", json=me, expect=200)).json()
    assert (answer["role"], answer["commenter_id"]) == ("moderator", commenter)
    assert (await service.decide(item, expect=403))["code"] == "review.own"
    path, lease = f"/v1/review/test/items/{item['item_id']}/release", {"lease": item["lease"]["token"]}
    await service.call("POST", path, as_="moderator", json=lease, expect=204)
    assert await service.claim() == []
    [other] = await service.claim("moderator2")
    assert (await service.decide(other, as_="moderator2"))["comment"]["status"] == "published"
    remove = {"revision": 1, "action": "remove", "reasons": ["other"]}
    path = f"/v1/review/test/comments/{mine['comment']['id']}/decision"
    await service.call("POST", path, as_="moderator", json=remove, expect=403)
