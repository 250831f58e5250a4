"""Reports that do not count: moderators see them and why, can answer them, and a lifted sanction lets them count."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.service.answers import problem
from tests.service.reporting import NOTICE, act, made, queue_kinds, readers, report, status_of
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
REVIEW = "/v1/review/test"
NEAR, AFAR = "10.1.1.1", "10.2.2.2"


async def listed(service: Service, **query: Any) -> list[dict[str, Any]]:
    """Answer the list of reports."""
    answer = await service.call("GET", f"{REVIEW}/reports", as_="moderator", params=query, expect=200)
    found: list[dict[str, Any]] = answer.json()["reports"]
    return found


async def counted(service: Service) -> dict[str, int]:
    """Answer the queue's numbers of reports, which the list must agree with."""
    found: dict[str, int] = (await service.call("GET", f"{REVIEW}/queue", as_="moderator")).json()["reports"]
    assert len(await listed(service, state="open")) == found["open"]
    assert len(await listed(service, asked="false")) == found["unasked"]
    assert len(await listed(service, asked="true")) == found["open"] - found["unasked"]
    return found


async def restrict(service: Service, commenter_id: str, **wanted: Any) -> str:
    """Shut a commenter out; answer the path by which it is lifted."""
    path = f"{REVIEW}/commenters/{commenter_id}/sanctions"
    body = {"kind": "ban", "reason": "insult", **wanted}
    imposed = (await service.call("POST", path, as_="moderator", json=body, expect=201)).json()
    return f"{path}/{imposed['id']}/lift"


async def me(service: Service, token: str) -> str:
    """Answer the id of whoever holds a token."""
    return str((await service.call("GET", "/v1/sites/test/me", as_=token, expect=200)).json()["id"])


async def uncounted(service: Service) -> tuple[dict[str, Any], str, str]:
    """Let a banned account report a comment; answer the submit, the token, and how the ban is lifted."""
    sent = await service.published("An opinion.")
    [ada] = await readers(service, 1)
    lift = await restrict(service, await me(service, ada))
    await made(await report(service, sent, by=ada))
    return sent, ada, lift


async def test_the_list_tells_which_do_not_count_and_why(service: Service) -> None:
    """Who is shut out, and who says it again from a network that was counted; what an item asks about names it."""
    sent, _, _ = await uncounted(service)
    [row] = await listed(service, state="open")
    assert (row["counts"], row["not_counted"]["code"], row["review_item_id"]) == (False, "reporter_restricted", None)
    assert (row["comment"]["id"], row["comment"]["body"]) == (sent["comment"]["id"], "An opinion.")
    assert row["comment"]["thread"]["page"] == "page"
    assert await counted(service) == {"open": 1, "unasked": 1}
    assert await queue_kinds(service) == {}
    await made(await report(service, sent, network=NEAR))
    service.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    await made(await report(service, sent, network=NEAR))
    again, first, _ = await listed(service, state="open")
    assert (first["counts"], first["not_counted"]) == (True, None)
    assert (again["counts"], again["not_counted"]["code"]) == (False, "counted_before")
    [item] = await service.claim()
    assert {one["review_item_id"] for one in (again, first)} == {item["item_id"]}
    assert await counted(service) == {"open": 3, "unasked": 0}


async def test_a_guests_network_is_told_apart(service: Service) -> None:
    """What comes from the network of a suspended guest does not count, and says so; a notice is always looked at."""
    sent = await service.published("An opinion.")
    guest = await service.published("Another opinion.")
    await restrict(
        service, await me(service, guest["author_token"]), kind="suspension",
        until=(service.clock() + timedelta(days=9)).isoformat(),
    )  # fmt: skip
    await made(await report(service, sent))
    [row] = await listed(service)
    assert (row["counts"], row["not_counted"]["code"]) == (False, "network_restricted")
    await made(await report(service, sent, "illegal_content", illegal=NOTICE))
    assert [one["counts"] for one in await listed(service)] == [True, False]
    assert await queue_kinds(service) == {"reported": 1}


@pytest.mark.parametrize(("action", "outcome"), [("approve", "kept"), ("remove", "taken_down")])
async def test_a_moderator_answers_them_from_the_comment(service: Service, action: str, outcome: str) -> None:
    """Keeping or taking down closes all open reports of the comment with the outcome; an undo opens them again."""
    sent, ada, _ = await uncounted(service)
    path = f"{REVIEW}/comments/{sent['comment']['id']}/decision"
    wanted = {"revision": 1, "action": action, "reasons": ["insult"] if action == "remove" else []}
    done = (await service.call("POST", path, as_="moderator", json=wanted, expect=200)).json()
    [row] = await listed(service)
    assert (row["state"], row["outcome"], row["counts"]) == ("closed", outcome, None)
    assert row["decision_id"] == done["decision"]["id"]
    assert await counted(service) == {"open": 0, "unasked": 0}
    told = await service.call("GET", f"/v1/sites/test/reports/{row['id']}", as_=ada, expect=200)
    assert told.json()["outcome"] == outcome
    await service.call("POST", f"{REVIEW}/acts/{done['decision']['act_id']}/undo", as_="moderator", expect=200)
    assert await counted(service) == {"open": 1, "unasked": 1}


async def test_keeping_a_comment_ends_its_item_too(service: Service) -> None:
    """Whoever keeps a comment answers what is asked about it, of every text of it; only what readers see is kept."""
    sent = await service.published("An opinion.")
    await made(await report(service, sent))
    assert await queue_kinds(service) == {"reported": 1}
    await act(service, sent, "approve")
    assert await queue_kinds(service) == {}
    assert [row["outcome"] for row in await listed(service)] == ["kept"]
    await act(service, sent, "remove")
    path = f"{REVIEW}/comments/{sent['comment']['id']}/decision"
    wanted = {"revision": 1, "action": "approve"}
    problem(await service.call("POST", path, as_="moderator", json=wanted), "comment.final")


async def test_a_lifted_sanction_lets_them_count_again(service: Service) -> None:
    """At once, with an item; and where enough count by then, the comment is out of sight."""
    sent, _, lift = await uncounted(service)
    await service.call("POST", lift, as_="moderator", json={}, expect=200)
    [row] = await listed(service)
    assert row["counts"] is True
    assert await queue_kinds(service) == {"reported": 1}
    assert await counted(service) == {"open": 1, "unasked": 0}
    lift = await restrict(service, row["commenter_id"])
    for network in (NEAR, AFAR):
        await made(await report(service, sent, network=network))
    assert await status_of(service, sent) == "published"
    await service.call("POST", lift, as_="moderator", json={}, expect=200)
    assert await status_of(service, sent) == "held"


async def test_a_guests_network_counts_again_when_the_sanction_is_lifted(service: Service) -> None:
    """What other guests of the same network reported is asked about, though they were never restricted."""
    sent = await service.published("An opinion.")
    guest = await service.published("Another opinion.")
    lift = await restrict(service, await me(service, guest["author_token"]))
    await made(await report(service, sent))
    assert await queue_kinds(service) == {}
    await service.call("POST", lift, as_="moderator", json={}, expect=200)
    assert await queue_kinds(service) == {"reported": 1}


async def test_a_sanction_that_is_over_lets_them_count_again(service: Service) -> None:
    """Nobody lifts what ends by itself; the sweep asks about what was reported meanwhile, once."""
    sent = await service.published("An opinion.")
    [ada] = await readers(service, 1)
    until = (service.clock() + timedelta(hours=1)).isoformat()
    await restrict(service, await me(service, ada), kind="suspension", until=until)
    await made(await report(service, sent, by=ada))
    await service.sweep()
    assert await queue_kinds(service) == {}
    service.clock.advance(3_600)
    for _ in range(2):
        await service.sweep()
        assert await queue_kinds(service) == {"reported": 1}
    assert len(await service.claim()) == 1
