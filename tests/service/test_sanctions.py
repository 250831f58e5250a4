"""Moderators restrict commenters, and everything that follows from it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from service.store.tables import outbox
from tests.service.answers import problem
from tests.service.publisher import claims, configure, sign
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
COMMENTS = "/v1/sites/test/threads/page/comments"
ME = "/v1/sites/test/me"


async def somebody(service: Service, text: str = "A first opinion.") -> tuple[str, str, str]:
    """Answer token and id of a commenter, and the id of their published comment."""
    sent = await service.published(text)
    me = (await service.call("GET", ME, as_=sent["author_token"], expect=200)).json()["id"]
    return sent["author_token"], me, sent["comment"]["id"]


async def impose(service: Service, commenter_id: str, *, expect: int = 201, **wanted: Any) -> dict[str, Any]:
    """Impose a sanction as a moderator."""
    answer = await service.call(
        "POST",
        f"/v1/review/test/commenters/{commenter_id}/sanctions",
        as_="moderator",
        json={"kind": "ban", "reason": "hate"} | wanted,
        expect=expect,
    )
    found: dict[str, Any] = answer.json()
    return found


async def lift(service: Service, commenter_id: str, sanction_id: str, *, expect: int = 200, **wanted: Any) -> Any:
    """Lift a sanction as a moderator."""
    path = f"/v1/review/test/commenters/{commenter_id}/sanctions/{sanction_id}/lift"
    return (await service.call("POST", path, as_="moderator", json=wanted, expect=expect)).json()


async def test_who_is_banned_writes_and_edits_nothing_and_reads_why(service: Service) -> None:
    """A ban shuts out of writing at once, says why, and leaves reading and deleting alone."""
    token, me, comment = await somebody(service)
    view = await impose(service, me, note="third time")
    assert (view["in_force"], view["note"]) == (True, "third time")
    refused = await service.call("POST", COMMENTS, as_=token, json={"body": "Again."})
    body = problem(refused, "commenter.banned")
    assert "attacks people for who they are" in body["detail"]
    assert body["extra"] == {"until": None}
    path = f"/v1/sites/test/comments/{comment}"
    problem(await service.call("PATCH", path, as_=token, json={"body": "Edited."}), "commenter.banned")
    [mine] = (await service.call("GET", ME, as_=token, expect=200)).json()["sanctions"]
    assert (mine["kind"], mine["reason"]) == ("ban", "hate")
    assert {"note", "imposed_by"}.isdisjoint(mine)
    await service.call("DELETE", path, as_=token, expect=204)


async def test_a_suspension_ends_by_itself(service: Service) -> None:
    """Until its time it refuses with the time; from then on the commenter writes again."""
    token, me, _ = await somebody(service)
    until = service.clock() + timedelta(hours=2)
    await impose(service, me, kind="suspension", until=until.isoformat())
    refused = await service.call("POST", COMMENTS, as_=token, json={"body": "Again."})
    assert problem(refused, "commenter.suspended")["extra"]["until"] == until.isoformat()
    service.clock.advance(2 * 3600)
    await service.submit("Again.", token=token)
    assert (await service.call("GET", ME, as_=token)).json()["sanctions"] == []


async def test_under_pre_moderation_every_comment_waits(service: Service) -> None:
    """What the model would publish is held, with the sanction as its cause and without blame."""
    token, me, _ = await somebody(service)
    view = await impose(service, me, kind="pre_moderation")
    await service.submit("A civil one.", token=token)
    await service.drain()
    [item] = await service.claim()
    assert [cause["kind"] for cause in item["causes"]] == ["sanction"]
    await service.decide(item)
    await lift(service, me, view["id"])
    await service.published("Free again.", token=token)


async def test_what_was_sent_before_a_ban_and_is_not_decided_yet_waits(service: Service) -> None:
    """A comment in the scorer's line when the ban falls is held, not published."""
    token, me, _ = await somebody(service)
    await service.submit("On its way.", token=token)
    await impose(service, me)
    await service.drain()
    [item] = await service.claim()
    assert item["comment"]["body"] == "On its way."


async def test_a_banned_guest_who_comes_anew_waits(service: Service) -> None:
    """Without the token a guest is somebody new: what comes from the same network waits, and is not called theirs."""
    _, me, _ = await somebody(service)
    await service.published("Somebody else, before.")
    await impose(service, me)
    await service.submit("Hello, I am new here.")
    await service.drain()
    [item] = await service.claim()
    assert [(cause["kind"], cause["name"]) for cause in item["causes"]] == [("network", "near_restricted")]
    service.clock.advance(86_401)
    await service.published("The next day.")


async def test_the_recent_comments_go_and_come_back_in_one_act(service: Service) -> None:
    """Published ones are removed and held ones rejected; lifting brings each back to where it was."""
    token, me, old = await somebody(service)
    service.clock.advance(3 * 3600)
    published = (await service.published("A later opinion.", token=token))["comment"]["id"]
    held = (await service.submit("A rude one.", token=token))["comment"]["id"]
    await service.drain()
    view = await impose(service, me, reject_hours=1)
    assert view["taken_down"] == 2

    async def statuses() -> dict[str, str]:
        mine = (await service.call("GET", "/v1/sites/test/mine", as_=token, expect=200)).json()["comments"]
        return {one["id"]: one["status"] for one in mine}

    assert await statuses() == {old: "published", published: "removed", held: "rejected"}
    assert await service.claim() == []
    await lift(service, me, view["id"], restore=True)
    assert await statuses() == {old: "published", published: "published", held: "held"}
    [item] = await service.claim()
    assert item["comment"]["id"] == held
    await service.decide(item)


async def test_what_waits_again_says_why_as_before(service: Service) -> None:
    """Its author goes on reading the reasons, and the moderator the causes, for which it was held."""
    token, me, _ = await somebody(service)
    held = (await service.submit("A rude one.", token=token))["comment"]["id"]
    await service.drain()

    async def reasons() -> list[dict[str, str]]:
        path = f"/v1/sites/test/comments/{held}"
        found = (await service.call("GET", path, as_=token, expect=200)).json()["comment"]["reasons"]
        return list(found)

    [item], before = await service.claim(), await reasons()
    assert before
    assert item["causes"]
    view = await impose(service, me, reject_hours=1)
    assert await reasons() != before
    await lift(service, me, view["id"], restore=True)
    assert await reasons() == before
    [again] = await service.claim()
    assert again["causes"] == item["causes"]
    again_down = await impose(service, me, reject_hours=1)
    await lift(service, me, again_down["id"], restore=True)
    assert await reasons() == before


async def test_what_somebody_decided_since_is_not_undone(service: Service) -> None:
    """A comment that a moderator restored or looked at after the act stays as they left it."""
    token, me, first = await somebody(service)
    second = (await service.published("Another.", token=token))["comment"]["id"]
    view = await impose(service, me, reject_hours=1)
    path = f"/v1/review/test/comments/{first}/decision"
    for action, extra in (("restore", {}), ("remove", {"reasons": ["off_topic"]})):
        await service.call("POST", path, as_="moderator", json={"revision": 1, "action": action, **extra}, expect=200)
    await lift(service, me, view["id"], restore=True)
    mine = (await service.call("GET", "/v1/sites/test/mine", as_=token, expect=200)).json()["comments"]
    assert {one["id"]: one["status"] for one in mine} == {first: "removed", second: "published"}


async def test_sanctions_are_listed_audited_and_told_to_the_publisher(service: Service) -> None:
    """The list has who and when, the audit has no note, and the outbox has both events."""
    _, me, _ = await somebody(service)
    view = await impose(service, me, note="a private note")
    await lift(service, me, view["id"])
    path = f"/v1/review/test/commenters/{me}/sanctions"
    [listed] = (await service.call("GET", path, as_="moderator", expect=200)).json()["sanctions"]
    assert (listed["in_force"], listed["lifted_by"]) == (False, listed["imposed_by"])
    audit = await service.call("GET", "/v1/admin/sites/test/audit", as_="admin", expect=200)
    actions = [event["action"] for event in audit.json()["events"]]
    assert {"commenter.sanctioned", "commenter.sanction_lifted"} <= set(actions)
    assert "a private note" not in audit.text
    async with service.context.database.reading() as connection:
        types = (await connection.execute(select(outbox.c.type))).scalars().all()
    assert {"commenter.sanctioned", "commenter.sanction_lifted"} <= set(types)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"kind": "suspension"}, "until"),
        ({"kind": "ban", "until": "2099-01-01T00:00:00Z"}, "until"),
        ({"kind": "suspension", "until": "2001-01-01T00:00:00Z"}, "until"),
        ({"kind": "suspension", "until": "2099-01-01T00:00:00"}, "until"),
        ({"reason": "nothing-known"}, "reason"),
        ({"kind": "exile"}, "kind"),
        ({"reject_hours": 0}, "reject_hours"),
        ({"reject_hours": 169}, "reject_hours"),
    ],
)
async def test_a_sanction_that_makes_no_sense_is_refused(service: Service, wanted: dict[str, Any], field: str) -> None:
    """Each mistake is named with its field, and nothing is imposed."""
    token, me, _ = await somebody(service)
    answer = await impose(service, me, expect=400, **wanted)
    assert {one["field"] for one in answer["fields"]} == {field}
    await service.submit("Still free.", token=token)


async def test_a_second_one_and_a_second_lift_are_conflicts(service: Service) -> None:
    """One of a kind at a time; different kinds stand side by side; what is over is not lifted."""
    _, me, _ = await somebody(service)
    view = await impose(service, me)
    assert (await impose(service, me, expect=409))["code"] == "sanction.exists"
    await impose(service, me, kind="pre_moderation")
    await lift(service, me, view["id"])
    assert (await lift(service, me, view["id"], expect=409))["code"] == "sanction.over"
    assert (await lift(service, me, me, expect=404))["code"] == "sanction.unknown"
    await impose(service, "0190a0a0-0000-7000-8000-000000000000", expect=404)


async def test_who_erases_themselves_does_not_get_rid_of_a_ban(service: Service) -> None:
    """An account of the publisher's comes back banned, once; lifted, it stays lifted; an admin's erasure ends it."""
    await configure(service)
    bearer = {"authorization": f"Bearer {sign(claims(service.clock()))}"}

    async def me() -> dict[str, Any]:
        found: dict[str, Any] = (await service.call("GET", "/v1/sites/test/me", headers=bearer, expect=200)).json()
        return found

    async def erase_me() -> None:
        await service.call("DELETE", "/v1/sites/test/me", headers=bearer, json={"confirm": "erase"}, expect=200)

    first = await me()
    await impose(service, first["id"])
    await erase_me()
    again = await me()
    assert again["id"] != first["id"]
    assert [one["kind"] for one in again["sanctions"]] == ["ban"]
    path = f"/v1/review/test/commenters/{again['id']}/sanctions"
    listed = (await service.call("GET", path, as_="moderator", expect=200)).json()
    await lift(service, again["id"], listed["sanctions"][0]["id"])
    await erase_me()
    third = await me()
    assert third["sanctions"] == []
    await impose(service, third["id"])
    await erase_me()
    await service.call("DELETE", f"/v1/admin/sites/test/commenters/{third['id']}", as_="admin", json={}, expect=200)
    assert (await me())["sanctions"] == []


async def test_a_banned_guest_who_erases_themselves_is_known_by_the_network_for_a_day(service: Service) -> None:
    """What other guests send from there goes on waiting, and no longer than without the erasure."""
    sent = await service.published("A civil opinion.")
    token = sent["author_token"]
    mine = (await service.call("GET", "/v1/sites/test/me", as_=token, expect=200)).json()["id"]
    await impose(service, mine)
    await service.call("DELETE", "/v1/sites/test/me", as_=token, json={"confirm": "erase"}, expect=200)

    async def status() -> str:
        other = await service.submit("Another civil opinion.")
        await service.drain()
        path = f"/v1/sites/test/comments/{other['comment']['id']}"
        found: dict[str, Any] = (await service.call("GET", path, as_=other["author_token"], expect=200)).json()
        return str(found["comment"]["status"])

    assert await status() == "held"
    service.clock.advance(86_401)
    await service.sweep()
    assert await status() == "published"
