"""A share of decisions is made twice, blind, so that the errors of the machine and of people can be known."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from service.flow.second_opinions import is_chosen
from service.store.tables import opinions
from tests.service.test_queue import held
from tests.service.test_undo import status_of
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def put(service: Service, **settings: Any) -> None:
    """Put review settings in force."""
    await service.call("PUT", "/v1/admin/sites/test/review", as_="admin", json=settings, expect=200)


def test_a_share_is_a_share() -> None:
    """Of many ids about the share is chosen, and of nothing none, of everything all."""
    ids = [str(number) for number in range(2_000)]
    assert 150 < sum(is_chosen(one, 0.1) for one in ids) < 250
    assert not any(is_chosen(one, 0.0) for one in ids)
    assert all(is_chosen(one, 1.0) for one in ids)


@pytest.mark.parametrize(("body", "status"), [("A civil opinion.", "published"), ("A vile opinion.", "rejected")])
async def test_a_sample_of_what_the_machine_decided_is_looked_at_blind(
    service: Service, body: str, status: str
) -> None:
    """What the machine published or rejected is shown without its scores, causes or fate; the answer is followed."""
    await put(service, sample_share=1.0)
    comment = (await service.submit(body))["comment"]["id"]
    await service.drain()
    assert await status_of(service, comment) == status
    [item] = await service.claim()
    assert (item["kind"], item["blind"]) == ("sampled", True)
    assert (item["scores"], item["causes"], item["spans"], item["decisions"]) == ([], [], [], [])
    assert (item["comment"]["status"], item["comment"]["reasons"]) == ("held", [])
    assert set(item["priority"]["parts"].values()) == {0.0}
    if status == "published":
        decided = await service.decide(item, "reject", reasons=["insult"])
        assert decided["comment"]["status"] == "removed"
    else:
        assert (await service.decide(item, "approve"))["comment"]["status"] == "published"


@pytest.mark.parametrize(("body", "action", "status"), [
    ("A civil opinion.", "approve", "published"), ("A vile opinion.", "reject", "rejected"),
])  # fmt: skip
async def test_a_person_who_agrees_with_the_machine_changes_nothing(
    service: Service, body: str, action: str, status: str
) -> None:
    """A blind answer like the machine's leaves the comment, and is recorded as a person's decision."""
    await put(service, sample_share=1.0)
    await service.submit(body)
    await service.drain()
    [item] = await service.claim()
    decided = await service.decide(item, action, reasons=["insult"] if action == "reject" else [])
    assert decided["comment"]["status"] == status
    assert decided["decision"]["from_status"] == decided["decision"]["to_status"] == status


async def decide_first(service: Service) -> tuple[str, dict[str, Any]]:
    """Let moderator approve a held comment; answer it and the second item, which moderator2 claims."""
    await put(service, second_opinion_share=1.0)
    [comment] = await held(service, "A rude remark.")
    [item] = await service.claim()
    await service.decide(item, "approve", note="fair enough")
    assert await service.claim() == []
    [second] = await service.claim("moderator2")
    return comment, second


async def test_a_second_opinion_is_blind_and_changes_nothing(service: Service) -> None:
    """Somebody else answers without knowing the first decision; agreeing leaves everything and is kept."""
    comment, second = await decide_first(service)
    assert (second["kind"], second["blind"], second["decisions"]) == ("second_opinion", True, [])
    assert second["opinions"] == []
    answer = await service.decide(second, "approve", as_="moderator2")
    assert answer["comment"]["status"] == "published"
    assert await service.claim("admin") == []
    async with service.context.database.reading() as connection:
        [kept] = (await connection.execute(sa.select(opinions))).all()
    assert (kept.answer, kept.agrees) == ("approve", True)
    assert await status_of(service, comment) == "published"


async def test_where_two_persons_differ_the_admins_look(service: Service) -> None:
    """A second opinion that differs leaves the comment as it is and opens an item for the admins, who decide."""
    comment, second = await decide_first(service)
    await service.decide(second, "reject", as_="moderator2", reasons=["insult"])
    assert await status_of(service, comment) == "published"
    assert await service.claim() == []
    [item] = await service.claim("admin")
    assert (item["kind"], item["queue"], item["blind"]) == ("disagreement", "escalated", False)
    first, other = item["opinions"]
    assert (first["action"], first["reasons"], first["note"]) == ("approve", [], "fair enough")
    assert (other["action"], [reason["code"] for reason in other["reasons"]]) == ("reject", ["insult"])
    assert {first["name"], other["name"]} == {None}
    decided = await service.decide(item, "reject", as_="admin", reasons=["insult"])
    assert decided["comment"]["status"] == "removed"


async def test_the_history_tells_what_was_thought_blind(service: Service) -> None:
    """Each decision carries the opinions about it; whose they are only admins read, and who decided everybody."""
    comment, second = await decide_first(service)
    await service.decide(second, "reject", as_="moderator2", reasons=["insult"])
    path = f"/v1/review/test/comments/{comment}/decisions"
    for who, name in (("moderator", None), ("admin", "moderator2")):
        *_, decision = (await service.call("GET", path, as_=who, expect=200)).json()["decisions"]
        [opinion] = decision["opinions"]
        assert (opinion["action"], opinion["reasons"][0]["code"], opinion["name"]) == ("reject", "insult", name)
        assert decision["actor_name"] == "moderator"


async def test_undoing_the_first_decision_ends_the_second_look(service: Service) -> None:
    """A second opinion about a decision that was taken back is asked no more."""
    await put(service, second_opinion_share=1.0)
    await held(service, "A rude remark.")
    [item] = await service.claim()
    decided = await service.decide(item, "approve")
    act = decided["decision"]["act_id"]
    await service.call("POST", f"/v1/review/test/acts/{act}/undo", as_="moderator", expect=200)
    assert await service.claim("moderator2") == []
