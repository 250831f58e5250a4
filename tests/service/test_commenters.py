"""Profiles of commenters, and fresh tokens for guests."""

from datetime import datetime
from typing import Any

import pytest

from tests.service.answers import problem
from tests.service.publisher import claims, configure, sign
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
TOKENS, ME = "/v1/sites/test/mine/tokens", "/v1/sites/test/me"


async def test_a_commenter_sees_what_became_of_the_own_comments(service: Service) -> None:
    """Counts by status, and nothing that only moderators know."""
    token = (await service.published("A civil one.", author={"name": "Bo"}))["author_token"]
    for text in ("A rude one.", "A vile one."):
        await service.submit(text, token=token)
    await service.drain()
    me = (await service.call("GET", ME, as_=token, expect=200)).json()
    assert (me["name"], me["kind"], me["verified"], me["badges"]) == ("Bo", "guest", False, [])
    expected = {"published": 1, "held": 1, "rejected": 1, "pending": 0, "removed": 0, "deleted": 0}
    assert me["comments"] == expected
    assert "trusted" not in me


async def test_moderators_see_a_profile_and_mark_it_as_trusted(service: Service) -> None:
    """The share of what was taken down is told from three decided comments on; trust is audited."""
    token = (await service.published("One."))["author_token"]
    await service.published("Two.", token=token)
    path = f"/v1/review/test/commenters/{(await service.call('GET', ME, as_=token)).json()['id']}"
    profile = (await service.call("GET", path, as_="moderator", expect=200)).json()
    assert (profile["trusted"], profile["rejected_share"]) == (False, None)
    await service.submit("A vile one.", token=token)
    await service.drain()
    changed = (await service.call("PATCH", path, as_="moderator", json={"trusted": True}, expect=200)).json()
    assert changed["trusted"] is True
    assert changed["rejected_share"] == pytest.approx(1 / 3)
    events = (await service.call("GET", "/v1/admin/sites/test/audit", as_="admin")).json()["events"]
    assert {"trusted": True} in [one["data"] for one in events if one["action"] == "commenter.trusted"]


async def test_an_unknown_commenter_has_no_profile(service: Service) -> None:
    """Neither one that is not there nor one of another site."""
    for commenter_id in ("0190a0a0-0000-7000-8000-000000000000", "nonsense"):
        for method, body in (("GET", None), ("PATCH", {"trusted": True})):
            path = f"/v1/review/test/commenters/{commenter_id}"
            problem(await service.call(method, path, as_="moderator", json=body), "commenter.unknown")


async def test_a_guest_gets_a_fresh_token_and_ends_the_lost_ones(service: Service) -> None:
    """A fresh token works beside the old one, or in place of all that were given before."""
    old = (await service.submit("Mine."))["author_token"]
    service.clock.advance(3600)
    fresh = (await service.call("POST", TOKENS, as_=old, json={}, expect=201)).json()["author_token"]
    assert fresh != old
    for token in (old, fresh):
        await service.call("GET", ME, as_=token, expect=200)
    last = (await service.call("POST", TOKENS, as_=fresh, json={"end_others": True}, expect=201)).json()["author_token"]
    for token in (old, fresh):
        problem(await service.call("GET", ME, as_=token), "auth.invalid")
    await service.call("GET", ME, as_=last, expect=200)


async def test_an_account_gets_its_tokens_from_its_publisher(service: Service) -> None:
    """We make none for it."""
    await configure(service)
    problem(await service.call("POST", TOKENS, as_=sign(claims(service.clock())), json={}), "auth.forbidden")


async def test_an_erased_account_leaves_nothing_and_begins_anew(service: Service) -> None:
    """After erasure badges, avatar and key are gone from the comments, and the same subject is somebody new."""
    await configure(service, badges={"editor": "staff"})
    token = sign(claims(service.clock(), roles=["editor"], picture="https://news.example/ada.png"))
    await service.published("Mine.", token=token)
    before = (await service.call("GET", ME, as_=token)).json()["id"]
    await service.call("DELETE", ME, as_=token, json={"confirm": "erase"}, expect=200)
    await service.sweep()
    [comment] = (await service.thread())["comments"]
    nobody: dict[str, Any] = {"name": None, "kind": "signed", "badges": [], "avatar_url": None, "key": None}
    assert comment["author"] == nobody
    assert (await service.call("GET", ME, as_=token, expect=200)).json()["id"] != before


async def _last_seen(service: Service, token: str) -> str:
    path = f"/v1/review/test/commenters/{(await service.call('GET', ME, as_=token)).json()['id']}"
    found: str = (await service.call("GET", path, as_="moderator", expect=200)).json()["last_seen_at"]
    return found


async def test_a_profile_says_when_a_commenter_was_last_seen(service: Service) -> None:
    """Comments and edits of a guest count; what comes within five minutes of the last is not written down."""
    sent = await service.submit("First.")
    token = sent["author_token"]
    first = await _last_seen(service, token)
    assert datetime.fromisoformat(first) == service.clock()
    service.clock.advance(240)
    await service.submit("Second.", token=token)
    assert await _last_seen(service, token) == first
    service.clock.advance(120)
    await service.submit("Third.", token=token)
    assert datetime.fromisoformat(await _last_seen(service, token)) == service.clock()
    service.clock.advance(360)
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    await service.call("PATCH", path, as_=token, json={"body": "First, edited."}, expect=200)
    assert datetime.fromisoformat(await _last_seen(service, token)) == service.clock()


async def test_an_account_is_seen_when_it_writes(service: Service) -> None:
    """A request of its own writes it down once a day, and a comment once in five minutes."""
    await configure(service)
    token = sign(claims(service.clock()))
    await service.call("GET", ME, as_=token, expect=200)
    service.clock.advance(600)
    await service.submit("Mine.", token=token)
    assert datetime.fromisoformat(await _last_seen(service, token)) == service.clock()
