"""The audit record as admins read it: the newest first, page by page, by action, actor and subject."""

from __future__ import annotations

from typing import Any

import pytest

from service import schemas
from service.flow import manage_sites
from tests.service.answers import fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
AUDIT = "/v1/admin/sites/test/audit"


async def read(service: Service, **asked: Any) -> list[dict[str, Any]]:
    """Every event that is asked for, read page by page."""
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        params = {"limit": 2, **asked, **after}
        answer = (await service.call("GET", AUDIT, as_="admin", params=params, expect=200)).json()
        found += answer["events"]
        if answer["next"] is None:
            return found
        after = {"after": answer["next"]}


async def test_filters_narrow_the_record(service: Service) -> None:
    """Action, actor and subject each leave what they name, together too, in the order of the whole."""
    for number in range(5):
        await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"name": f"Name {number}"}, expect=200)
        service.clock.advance(1)
    whole = await read(service)
    assert [one["sequence"] for one in whole] == sorted((one["sequence"] for one in whole), reverse=True)
    changed = [one for one in whole if one["action"] == "site.changed"]
    assert len(changed) == 5
    assert await read(service, action="site.changed") == changed
    assert await read(service, actor=changed[0]["actor"], action="site.changed") == changed
    assert await read(service, subject="test", action="site.created") == [
        one for one in whole if one["action"] == "site.created"
    ]
    for nothing in ({"action": "no.such"}, {"actor": "nobody"}, {"subject": "nothing"}):
        assert await read(service, **nothing) == []


async def test_people_and_acts_are_found_by_what_they_are_called(service: Service) -> None:
    """Names stand beside ids; a part of a name, the beginning of an id, the first word of an act narrow the record."""
    await service.submit("A rude remark.")
    await service.drain()
    [item] = await service.claim()
    await service.decide(item)
    [decided] = await read(service, action="comment.decided")
    assert decided["actor_name"] == "moderator"
    assert await read(service, actor="oderat", action="comment") == [decided]
    assert await read(service, actor=decided["actor"][:13], action="comment.") == [decided]
    assert {one["action"] for one in await read(service, action="member")} == {"member.added"}
    assert {one["subject_name"] for one in await read(service, action="member")} >= {"moderator", "admin"}
    assert await read(service, action="comm") == []


async def test_the_record_says_what_it_can_be_narrowed_to(service: Service) -> None:
    """Members and keys by name, who never acted too, and the acts that occurred; a moderator is told none of it."""
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"name": "New"}, expect=200)
    found = (await service.call("GET", f"{AUDIT}/choices", as_="admin", expect=200)).json()
    assert {"moderator", "admin", "CMS"} <= {one["name"] for one in found["people"]}
    assert {"site.changed", "site.created", "member.added"} <= set(found["actions"])
    assert found["actions"] == sorted(found["actions"])
    problem(await service.call("GET", f"{AUDIT}/choices", as_="moderator"), "auth.forbidden")


async def test_strange_filters_are_answered(service: Service) -> None:
    """What no column can hold is a 400, and a cursor that is none names its field."""
    problem(await service.call("GET", AUDIT, as_="admin", params={"actor": "a\x00"}), "request.nul")
    problem(await service.call("GET", AUDIT, as_="admin", params={"action": "x" * 61}), "request.invalid")
    assert fields(await service.call("GET", AUDIT, as_="admin", params={"after": "x"})) == {"after"}


async def test_only_admins_of_the_site_read_it(service: Service) -> None:
    """A moderator reads none, and another site's record holds nothing of this one's."""
    problem(await service.call("GET", AUDIT, as_="moderator"), "auth.forbidden")
    await manage_sites.create_site(service.context, "test", schemas.SiteInput(slug="other", name="Other"))
    theirs = (await service.call("GET", "/v1/admin/sites/other/audit", as_="root", expect=200)).json()["events"]
    assert {one["subject"] for one in theirs} == {"other"}
